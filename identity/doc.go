// Package identity is the signed contract between the edge and what stands behind it: who is asking,
// as a short-lived JWT that the edge signs and an upstream verifies.
//
// The edge uses a [Keyring] and a [Signer], and [Names] to delete what a client sent in their place.
// An upstream uses a [Verifier] over a [KeySet], most simply through [Middleware]. Both fail closed:
// an assertion that cannot be made or verified is no identity. The package imports no Caddy, no
// logger and no database; what should be reported goes through callbacks, and clocks are injected.
package identity
