package caller

import (
	"errors"
	"net/http"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// errNoProvider is an identity that no identity provider vouches for, such as basic_auth's. Accounts are
// linked by the provider's pair of issuer and subject: all who lack it would be one person.
var errNoProvider = errors.New("the identity names no provider and no subject of it")

// Options of [Verify].
type Options struct {
	// Verifier judges the edge's assertions.
	Verifier *identity.Verifier
	// Logger is told why requests were refused, without anything of the assertion.
	Logger *zap.Logger
	// Refuse answers who is not let in: 401, or 503 while the edge's keys cannot be had. Default: a
	// problem document.
	Refuse func(w http.ResponseWriter, r *http.Request, status int)
}

// Verify lets requests with a valid assertion pass, with their [Caller] in the context, and nobody else.
// It stands behind [Log], which gives the request its id.
func Verify(o Options) func(http.Handler) http.Handler {
	v := &verify{Options: o}
	if v.Logger == nil {
		v.Logger = zap.NewNop()
	}
	if v.Refuse == nil {
		v.Refuse = refuse
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { v.serve(w, r, next) })
	}
}

type verify struct {
	Options
	blind atomic.Bool // whether the keys were unavailable when last asked for
}

func (v *verify) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	id, err := v.Verifier.FromRequest(r)
	if err == nil && (id.IDP == "" || id.IDPSubject == "") {
		err = errNoProvider
	}
	v.report(r, err)
	switch {
	case err == nil:
		c := Caller{Person: person(id), Identity: id, RequestID: RequestID(r.Context())}
		inner := r.WithContext(NewContext(r.Context(), c))
		defer func() { r.Pattern = inner.Pattern }() // for the log, also when a panic goes by
		next.ServeHTTP(w, inner)
	case errors.Is(err, identity.ErrKeysUnavailable):
		v.Refuse(w, r, http.StatusServiceUnavailable)
	default:
		v.Refuse(w, r, http.StatusUnauthorized)
	}
}

// report logs what somebody may have to look at. Errors of package identity hold nothing of the token
// beyond what it claims of issuer, audience and times.
func (v *verify) report(r *http.Request, err error) {
	blind := errors.Is(err, identity.ErrKeysUnavailable)
	if (blind || err == nil) && v.blind.CompareAndSwap(!blind, blind) {
		if blind {
			v.Logger.Warn("the edge's keys cannot be had: requests are answered with 503", zap.Error(err))
		} else {
			v.Logger.Info("the edge's keys can be had again")
		}
	}
	if err != nil && !blind && !errors.Is(err, identity.ErrNone) {
		v.Logger.Warn("identity refused", zap.String("request_id", RequestID(r.Context())), zap.Error(err))
	}
}

func refuse(w http.ResponseWriter, r *http.Request, status int) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
		Problem(w, r, status, "identity_unavailable", "Who is asking cannot be verified at the moment")
		return
	}
	Problem(w, r, status, "unauthenticated", "This request carries no valid identity")
}
