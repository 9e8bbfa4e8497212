// Package stack starts the real servers that Gatehouse runs with and takes them down again, whatever
// happens to the program that started them. It is the library behind `make run` (cmd/stack) and behind
// every test that needs a real Redis, a real PostgreSQL, the built edge or the built backend.
//
// Start with [RedisForTest], [DatabaseForTest], [GatewayForTest] and [BackendForTest] in a test, with [StartRedis],
// [StartPostgres], [StartGateway] and [StartBackend] elsewhere. All of them stand on [Process]: start, ready check, captured log, SIGKILL, SIGSTOP and SIGCONT, graceful
// stop, and a closed channel for "it ended". A new kind of server needs a [Spec] and a ready check, no more.
//
// What is started here never outlives its starter on Linux, where the kernel sees to that, and never uses a
// well-known port. Database servers listen on 127.0.0.1 alone and never run as root.
package stack
