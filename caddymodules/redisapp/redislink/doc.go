// Package redislink keeps connections to Redis that never hold a caller longer than its deadline, whatever
// Redis does: slow, hung, gone, read-only, out of memory, failing over or back with older data.
//
// A [Link] is one user's connection (limits, sessions, census). A supervisor connects it in the background,
// pings it and replaces it; a breaker decides when calls are sent at all; what happened is told by [Change]
// values. A [Census] counts the nodes that share the same Redis. The package knows no Caddy and no logger: it
// reports through callbacks. Start with [Open] and [Link.Eval], or, in a Caddy module, with [Provider].
package redislink
