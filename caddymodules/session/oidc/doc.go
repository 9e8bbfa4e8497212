// Package oidc is the relying party of the session directive: it finds a provider's endpoints and
// keys, builds authorization requests, and decides whether what comes back (codes, ID tokens, logout
// tokens, access tokens, return addresses) may be believed.
//
// It knows nothing of Caddy, cookies, sessions or Redis. Whatever must be kept between requests goes
// through the caller: a [Flow] sealed by a [FlowSealer], the last good keys through [Cache], used
// logout tokens through [Once]. Signatures and the claims that OpenID Connect Core asks for are
// verified with go-oidc; the key set and the checks that it leaves to its callers are here.
// Start with [New] and [Provider.Run].
package oidc
