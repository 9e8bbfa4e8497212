// Package limiter decides whether a request may pass: the algorithms (GCRA, exact log, slices) as
// pure arithmetic over integers, and the Store contract that its stores keep.
//
// It knows nothing of HTTP, Caddy or Redis. Times are whole microseconds of whichever clock the
// store decides by; nothing here reads a clock. Start with [Limit], which a [Policy] compiles, and
// with [Store], which decides [Claim] values together, all or nothing.
package limiter
