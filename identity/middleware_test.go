package identity_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

func TestMiddleware(t *testing.T) {
	e := newEdge(t)
	good := e.sign(t, ann)
	forged := e.forge(e.header(), e.payload(map[string]any{"aud": "backend"}))
	unavailable, err := identity.NewVerifier(identity.VerifierConfig{Issuer: "gatehouse", Audience: "app", Keys: noKeys{}})
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		header    http.Header
		verifier  *identity.Verifier
		anonymous bool
		status    int
		subject   string
	}{
		"a good one":                   {http.Header{"X-Auth-Assertion": {good}}, e.verifier, false, 200, "corp:ann"},
		"a good one, anonymous too":    {http.Header{"X-Auth-Assertion": {good}}, e.verifier, true, 200, "corp:ann"},
		"none":                         {http.Header{}, e.verifier, false, 401, ""},
		"none, anonymous":              {http.Header{}, e.verifier, true, 200, ""},
		"a forged one":                 {http.Header{"X-Auth-Assertion": {forged}}, e.verifier, false, 401, ""},
		"a forged one, anonymous":      {http.Header{"X-Auth-Assertion": {forged}}, e.verifier, true, 401, ""},
		"an empty one, anonymous":      {http.Header{"X-Auth-Assertion": {""}}, e.verifier, true, 401, ""},
		"two good ones":                {http.Header{"X-Auth-Assertion": {good, good}}, e.verifier, true, 401, ""},
		"another header":               {http.Header{"X_auth_assertion": {good}, "X-Auth-User": {"root"}}, e.verifier, false, 401, ""},
		"no keys":                      {http.Header{"X-Auth-Assertion": {good}}, unavailable, false, 503, ""},
		"no keys, anonymous":           {http.Header{"X-Auth-Assertion": {good}}, unavailable, true, 503, ""},
		"no keys, and none, anonymous": {http.Header{}, unavailable, true, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var subject string
			called := false
			handler := identity.Middleware{Verifier: tc.verifier, Anonymous: tc.anonymous}.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				id, ok := identity.FromContext(r.Context())
				called, subject = true, id.Subject
				if ok != (tc.subject != "") {
					t.Errorf("an identity in the context: %v", ok)
				}
			}))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, &http.Request{Header: tc.header})
			if w.Code != tc.status || subject != tc.subject || called != (tc.status == 200) {
				t.Errorf("status %d, subject %q, called %v; want %d, %q", w.Code, subject, called, tc.status, tc.subject)
			}
			if w.Code != 200 && w.Header().Get("Cache-Control") != "no-store" {
				t.Error("a cache may keep the refusal")
			}
			if (w.Code == 503) != (w.Header().Get("Retry-After") != "") {
				t.Errorf("status %d with Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
		})
	}
}

func TestMiddleware_letsTheServiceRefuse(t *testing.T) {
	e := newEdge(t)
	var got error
	handler := identity.Middleware{Verifier: e.verifier, Refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
		got = err
		w.WriteHeader(http.StatusTeapot)
	}}.Wrap(http.NotFoundHandler())
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, &http.Request{})
	if !errors.Is(got, identity.ErrNone) || w.Code != http.StatusTeapot {
		t.Errorf("got %v, status %d", got, w.Code)
	}
}

type noKeys struct{}

func (noKeys) PublicKey(context.Context, string) (ed25519.PublicKey, error) {
	return nil, identity.ErrKeysUnavailable
}
