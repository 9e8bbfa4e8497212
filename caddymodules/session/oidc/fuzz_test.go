package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// fuzzed is a relying party whose provider exists in this process alone.
func fuzzed(f *testing.F) (*Provider, *clock, *idp.Provider) {
	f.Helper()
	c := newClock()
	op, err := idp.New(idp.Config{Issuer: "https://idp.example", Now: c.now, Clients: []idp.Client{{ID: "app", RedirectURIs: []string{redirectURI}}}})
	if err != nil {
		f.Fatal(err)
	}
	p, err := New(Config{
		Name: "corp", Issuer: op.Issuer(), ClientID: "app", Now: c.now, HTTPClient: &http.Client{Transport: &wire{handler: op}},
	})
	if err != nil {
		f.Fatal(err)
	}
	if err := p.refresh(context.Background()); err != nil {
		f.Fatal(err)
	}
	return p, c, op
}

// FuzzVerifyLogoutToken feeds raw tokens: nothing but what the provider has signed is accepted.
func FuzzVerifyLogoutToken(f *testing.F) {
	p, _, op := fuzzed(f)
	good, err := op.LogoutToken("app", "adam", "s1")
	if err != nil {
		f.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for _, seed := range []string{good, "", ".", "..", "a.b.c", parts[0] + ".." + parts[2], parts[0] + "." + parts[1] + ".", good + ".x", `{"payload":"` + parts[1] + `"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := p.VerifyLogoutToken(t.Context(), raw, &seen{})
		var rejected *RejectedError
		switch {
		case err == nil && raw != good:
			t.Errorf("%q was accepted: %+v", raw, token)
		case err != nil && !errors.As(err, &rejected) && !errors.Is(err, ErrUnavailable):
			t.Errorf("%q: an error of no kind: %v", raw, err)
		}
	})
}

// FuzzVerifyLogoutToken_claims feeds claims that are well signed: whatever is accepted must hold what
// a logout token must hold, read by exact names.
func FuzzVerifyLogoutToken_claims(f *testing.F) {
	p, c, op := fuzzed(f)
	raw, err := op.LogoutToken("app", "adam", "s1")
	if err != nil {
		f.Fatal(err)
	}
	claims, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		f.Fatal(err)
	}
	sign := signer(f, p)
	f.Add(string(claims))
	for _, change := range [][2]string{
		{`"sub"`, `"Sub"`}, {`"sid"`, `"SID"`}, {`"jti"`, `"JTI"`}, {`"iat"`, `"IAT"`}, {`"events"`, `"Events"`}, {`"aud"`, `"AUD"`},
		{`{}`, `null`}, {`{}`, `[]`}, {`"app"`, `["app","b"]`}, {`"app"`, `null`}, {`"iat":`, `"nonce":null,"iat":`}, {`"s1"`, `""`}, {`"exp":`, `"exp":-`},
	} {
		f.Add(strings.Replace(string(claims), change[0], change[1], 1))
	}
	f.Fuzz(func(t *testing.T, claims string) {
		token, err := p.VerifyLogoutToken(t.Context(), sign(t, claims), &seen{})
		if err != nil {
			return
		}
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(claims), &m); err != nil {
			t.Fatalf("%q: accepted, but no JSON: %v", claims, err)
		}
		var events map[string]map[string]any
		_ = json.Unmarshal(m["events"], &events)
		var iat float64
		_ = json.Unmarshal(m["iat"], &iat)
		age := c.now().Sub(time.Unix(int64(iat), 0))
		if events[logoutEvent] == nil || m["nonce"] != nil || m["jti"] == nil || m["exp"] == nil || string(m["iss"]) != `"https://idp.example"` ||
			(token.SessionID == "" && token.Subject == "") || age > maxLogoutAge+p.cfg.Leeway || age < -futureNBF {
			t.Fatalf("%q: accepted as %+v", claims, token)
		}
	})
}

// signer replaces the provider's keys by one of its own and signs with it.
func signer(f *testing.F, p *Provider) func(*testing.T, string) string {
	f.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	p.keys.keys = []jose.JSONWebKey{{Key: key.Public(), KeyID: "own"}}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "own"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	return func(t *testing.T, claims string) string {
		t.Helper()
		jws, err := s.Sign([]byte(claims))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := jws.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
}
