// Package audit reads the trail that triggers of the database write: who did what to which row, and when,
// in the transaction that did it.
//
// Events hold what has changed, and never a secret. Personal values are in envelopes beside them, which
// an erasure destroys; the event keeps a salted hash, so that the trail stands. It knows PostgreSQL by
// Bun and nothing of HTTP. Start with [History].
package audit
