// Package devstack starts the real servers that Gatehouse runs with and takes them down again, whatever
// happens to the program that started them. It is the library behind `make run` (cmd/devstack) and behind
// every test that needs a real Redis or the built edge.
//
// Start with [RedisForTest] and [GatewayForTest] in a test, with [StartRedis] and [StartGateway] elsewhere.
// All of them stand on [Process]: start, ready check, captured log, SIGKILL, SIGSTOP and SIGCONT, graceful
// stop, and a closed channel for "it ended". A new kind of server needs a [Spec] and a ready check, no more.
//
// A server that was started here never outlives its starter on Linux (the kernel kills it, see Spawn), never
// listens beyond 127.0.0.1, never uses a well-known port, and never
// runs as root.
package devstack
