// Package callertest is the edge as its upstream sees it: it signs who is asking, for tests of what stands
// behind package caller, in one process with them or before a built backend. Start with [New].
package callertest

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// The names that the edge of tests and its upstream have agreed on; they are a backend's defaults.
const (
	Issuer   = "gatehouse"
	Audience = "app"
	// Provider is the identity provider that people of tests sign in at.
	Provider = "https://idp.example.test"
)

// Edge signs assertions with a key of its own.
type Edge struct {
	// Verifier believes this edge alone.
	Verifier *identity.Verifier
	// KeySet is the file of its public keys, for IDENTITY_JWKS_FILE.
	KeySet string

	signer *identity.Signer
	now    func() time.Time
}

// New makes an edge with the clock of the machine.
func New(tb testing.TB) *Edge { return At(tb, time.Now) }

// At makes an edge whose clock, and whose verifier's, is now.
func At(tb testing.TB, now func() time.Time) *Edge {
	tb.Helper()
	key, _, err := identity.GenerateKey()
	must(tb, err)
	keyring, err := identity.OpenKeyring(tb.Context(), identity.KeyringConfig{Source: oneKey(key), Now: now})
	must(tb, err)
	keySet := filepath.Join(tb.TempDir(), "jwks.json")
	must(tb, os.WriteFile(keySet, keyring.JWKS(), 0o600))
	verifier, err := identity.NewVerifier(identity.VerifierConfig{
		Issuer: Issuer, Audience: Audience, Keys: identity.KeysFromFile(keySet, identity.WithClock(now)), Now: now,
	})
	must(tb, err)
	return &Edge{
		Verifier: verifier, KeySet: keySet, now: now,
		signer: &identity.Signer{Keyring: keyring, Issuer: Issuer, Audience: Audience, TTL: time.Minute, Now: now},
	}
}

// Person is somebody who has just signed in, with <name>@example.test as a verified address.
func (e *Edge) Person(name string) identity.Identity {
	return identity.Identity{
		Subject: "corp:" + name, IDP: Provider, IDPSubject: name, Source: identity.FromSession, AuthTime: e.now(),
		Claims: map[string]any{"email": name + "@example.test", "name": name},
	}
}

// Sign returns the assertion of an identity.
func (e *Edge) Sign(tb testing.TB, id identity.Identity) string {
	tb.Helper()
	assertion, err := e.signer.Sign(id)
	must(tb, err)
	return assertion.Token
}

// As signs a request for a person, as the edge does when it passes one on.
func (e *Edge) As(tb testing.TB, r *http.Request, name string) *http.Request {
	tb.Helper()
	r.Header.Set(identity.HeaderAssertion, e.Sign(tb, e.Person(name)))
	return r
}

// oneKey is a source of keys.
type oneKey []byte

func (k oneKey) Keys(context.Context) ([]identity.KeyFile, error) {
	return []identity.KeyFile{{Name: "1.pem", PEM: k}}, nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
