// Package redisstore is the limiter's store in Redis: the same counters for every node.
//
// A Take is one run of take.lua, which decides all claims of a call by the server's clock; in a
// Cluster it is one run for each key, since a script may touch one slot only. What the store says of
// time is the server's, so nodes may disagree about theirs. It knows nothing of connections, breakers
// and retries: those are redislink's. Start with [New].
//
// It needs MGET, SET, TIME, EVAL, EVALSHA and SCRIPT LOAD on keys "gh:rl:*", of Redis 7.0 or later,
// or Valkey.
package redisstore
