// Package redisstore keeps sessions in Redis or Valkey, for all nodes that share it: the scripts of
// this folder decide, by the server's clock, and copies are kept by client-side caching, so that the
// server takes them back when a session changes.
//
// The keys, all with a TTL, are listed in keys.go; docs/adr/0021-session-schema.md says why they are
// as they are. Start with [New].
package redisstore
