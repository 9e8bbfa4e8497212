package identity

import (
	"context"
	"strings"
	"time"
)

// Source says what the edge had in hand when it let the request pass.
type Source string

// The sources of an identity.
const (
	// FromSession is a session that the store, or a node's confirmed copy of it, knows.
	FromSession Source = "session"
	// FromTicket is a session that rides through an outage of the store on its sealed ticket: it
	// may have been revoked a few minutes ago. Refuse it where that matters.
	FromTicket Source = "ticket"
	// FromBearer is an access token in the Authorization header.
	FromBearer Source = "bearer"
	// FromOther is any other handler that authenticates, such as basic_auth.
	FromOther Source = "other"
)

// Identity is who the edge says is asking. Subject is never empty in one that Verify returned; every
// other field may be.
type Identity struct {
	// Subject is the user's id at the edge (sub). With `session` it is "<provider>:<sub>", so that
	// equal subjects of two providers stay two people.
	Subject string
	// Issuer is the edge that signed (iss). Sign fills it in.
	Issuer string
	// IDP is the issuer URL of the identity provider (idp), IDPSubject its own id of the user
	// (idp_sub): the pair to link accounts by.
	IDP        string
	IDPSubject string
	// SessionID names the session without giving it away: a hash (sid).
	SessionID string
	// ACR is the authentication context class that the provider reported (acr).
	ACR string
	// AuthTime is when the user last proved who they are, to the second (auth_time).
	AuthTime time.Time
	// Groups are the groups that the provider reported (groups).
	Groups []string
	// Claims are the further claims that the edge was told to pass on, such as email and name.
	// Values are strings, booleans, numbers, and lists of these; Verify returns numbers as
	// json.Number and lists as []any.
	Claims map[string]any
	// Source is what the edge had in hand (src).
	Source Source
}

// Claim returns a claim that is a string, or "" when it is absent or something else. An email that
// is there is a verified one.
func (id Identity) Claim(name string) string {
	s, _ := id.Claims[name].(string)
	return s
}

// reserved are the members of an assertion that Claims cannot carry: the fixed ones, and registered
// ones that would change how a verifier reads it.
var reserved = []string{
	"iss", "aud", "iat", "exp", "nbf", "jti", "sub",
	"idp", "idp_sub", "sid", "acr", "auth_time", "groups", "src",
}

// Reserved reports whether name, in any case, may not be among the Claims. Case counts for nothing here
// because some JSON readers take "Sub" for "sub".
func Reserved(name string) bool {
	for _, r := range reserved {
		if strings.EqualFold(r, name) {
			return true
		}
	}
	return false
}

type contextKey struct{}

// NewContext returns a context that carries id.
func NewContext(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// FromContext returns the identity that [Middleware] put there; false on an anonymous request.
func FromContext(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(contextKey{}).(Identity)
	return id, ok
}
