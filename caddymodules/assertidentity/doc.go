// Package assertidentity is the Caddy handler and directive `assert_identity`: it deletes the identity
// headers that a client sent, and adds an assertion of who is asking, signed for one upstream.
//
// Who that is it reads from the placeholders {http.auth.user.*}, whichever handler has set them. How
// assertions are signed and names are compared it leaves to package identity. Start with [Handler].
package assertidentity
