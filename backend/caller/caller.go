package caller

import (
	"context"
	"net/http"

	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// How a request wishes for an organization, by its id or slug. The header goes before the cookie, which
// pages set when a person changes from one organization to another.
const (
	HeaderOrganization = "Gatehouse-Organization"
	CookieOrganization = "org"
)

// Caller is who a request comes from.
type Caller struct {
	Person store.Person
	// Identity is all that the edge says of the person: when they signed in, by what, their name.
	Identity identity.Identity
	// RequestID is the id under which the edge logs the request.
	RequestID string
}

// From returns the caller that [Verify] put into the context; false where nobody was verified.
func From(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// NewContext returns a context that carries the caller, for [From].
func NewContext(ctx context.Context, c Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

// Request is what [store.Store.Do] asks for: the caller of the context, and the organization that the
// request wishes for. Without a caller it holds nobody, whom the store refuses.
func Request(ctx context.Context, r *http.Request) store.Request {
	c, ok := From(ctx)
	if !ok {
		return store.Request{RequestID: RequestID(ctx)}
	}
	return store.Request{Person: c.Person, Organization: wish(r), RequestID: c.RequestID}
}

// wish is the organization that the request asks for. Whether it is the person's is the store's to say.
func wish(r *http.Request) string {
	if header := r.Header.Values(HeaderOrganization); len(header) > 1 {
		return ambiguous // two wishes, of which somebody between may have judged the other
	} else if len(header) == 1 && header[0] != "" {
		return header[0]
	}
	if cookies := r.CookiesNamed(CookieOrganization); len(cookies) > 0 {
		return cookies[0].Value // the most specific path comes first, RFC 6265 section 5.4
	}
	return ""
}

// ambiguous is a wish that no organization can grant: neither an id nor a slug has a comma and a space.
const ambiguous = ", "

// person links accounts by the identity provider's own pair, never by the edge's subject.
func person(id identity.Identity) store.Person {
	return store.Person{Issuer: id.IDP, Subject: id.IDPSubject, Email: id.Claim("email")}
}

type callerKey struct{}
