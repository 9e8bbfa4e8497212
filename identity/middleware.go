package identity

import (
	"errors"
	"net/http"
)

// ErrNone says that a request came without an assertion: nobody is signed in.
var ErrNone = errors.New("no identity assertion")

// FromRequest verifies the assertion of a request. It returns ErrNone, ErrInvalid or
// ErrKeysUnavailable, possibly wrapped. Two assertions are as bad as a forged one.
func (v *Verifier) FromRequest(r *http.Request) (Identity, error) {
	values := r.Header[HeaderAssertion]
	switch len(values) {
	case 0:
		return Identity{}, ErrNone
	case 1:
		return v.Verify(r.Context(), values[0])
	default:
		return Identity{}, invalid("there are %d of them", len(values))
	}
}

// Middleware lets requests with a good assertion pass, and puts its identity into their context for
// [FromContext].
type Middleware struct {
	Verifier *Verifier
	// Anonymous lets requests without any assertion pass too, without an identity. One that is not
	// valid is refused all the same.
	Anonymous bool
	// Refuse answers the others; errors are those of FromRequest, for the log and not for the
	// client. Default: 401 in plain text, or 503 while the keys are unavailable.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
}

// Wrap returns next behind the middleware.
func (m Middleware) Wrap(next http.Handler) http.Handler {
	refuse := m.Refuse
	if refuse == nil {
		refuse = refusePlainly
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := m.Verifier.FromRequest(r)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(NewContext(r.Context(), id)))
		case m.Anonymous && errors.Is(err, ErrNone):
			next.ServeHTTP(w, r)
		default:
			refuse(w, r, err)
		}
	})
}

func refusePlainly(w http.ResponseWriter, _ *http.Request, err error) {
	w.Header().Set("Cache-Control", "no-store")
	if errors.Is(err, ErrKeysUnavailable) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "who is asking cannot be verified at the moment", http.StatusServiceUnavailable)
		return
	}
	http.Error(w, "this request carries no valid identity", http.StatusUnauthorized)
}
