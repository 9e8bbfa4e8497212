// Package idp is an OpenID provider for development and tests: discovery, rotating keys, the
// authorization code flow with PKCE, refresh tokens, RP-initiated and back-channel logout, and faults
// that can be switched while it runs.
//
// It signs people in by a click on their name and keeps everything in memory, so it must never face
// anything but a developer's machine. It knows nothing of the edge: relying parties are its clients,
// and panva's certified oidc-provider checks that it is right where a relying party cannot tell.
// Start with [New], which makes an http.Handler, or with [Start], which also listens.
package idp
