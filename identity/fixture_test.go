package identity_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// start is the fixtures' time; clock moves only when a test moves it.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }

// files is a KeySource in memory.
type files struct {
	list []identity.KeyFile
	err  error
}

func (f *files) Keys(context.Context) ([]identity.KeyFile, error) { return f.list, f.err }

// edge is a signer and the verifier of its upstream.
type edge struct {
	*clock
	private  ed25519.PrivateKey
	public   ed25519.PublicKey
	keyring  *identity.Keyring
	signer   *identity.Signer
	verifier *identity.Verifier
}

func newEdge(tb testing.TB) *edge {
	tb.Helper()
	c := &clock{at: start}
	keyPEM, _ := newKey(tb)
	keyring, err := identity.OpenKeyring(tb.Context(), identity.KeyringConfig{
		Source: &files{list: []identity.KeyFile{{Name: "1.pem", PEM: keyPEM}}}, Now: c.now,
	})
	if err != nil {
		tb.Fatal(err)
	}
	keys := identity.KeysFromFile(writeFile(tb, "jwks.json", keyring.JWKS()), identity.WithClock(c.now))
	verifier, err := identity.NewVerifier(identity.VerifierConfig{Issuer: "gatehouse", Audience: "app", Keys: keys, Now: c.now})
	if err != nil {
		tb.Fatal(err)
	}
	private := privateKey(tb, keyPEM)
	return &edge{
		clock: c, private: private, public: ed25519.PublicKey(private[32:]), keyring: keyring, verifier: verifier,
		signer: &identity.Signer{Keyring: keyring, Issuer: "gatehouse", Audience: "app", TTL: time.Minute, Now: c.now},
	}
}

func (e *edge) sign(tb testing.TB, id identity.Identity) string {
	tb.Helper()
	assertion, err := e.signer.Sign(id)
	if err != nil {
		tb.Fatal(err)
	}
	return assertion.Token
}

// forge signs any header and payload with the edge's own key, so that the signature is never what is
// wrong with it.
func (e *edge) forge(header, payload string) string {
	return e.forgeParts(encode([]byte(header)), encode([]byte(payload)))
}

// forgeParts is forge for parts that are encoded already.
func (e *edge) forgeParts(header, payload string) string {
	signed := header + "." + payload
	return signed + "." + encode(ed25519.Sign(e.private, []byte(signed)))
}

// header and payload are those of a good assertion of ann.
func (e *edge) header() string {
	return `{"alg":"EdDSA","kid":"` + e.keyring.KeyID() + `","typ":"gh-id+jwt"}`
}

func (e *edge) payload(changes map[string]any) string {
	members := map[string]any{"iss": "gatehouse", "aud": "app", "iat": start.Unix(), "exp": start.Unix() + 60, "sub": "corp:ann"}
	for name, value := range changes {
		if value == nil {
			delete(members, name)
		} else {
			members[name] = value
		}
	}
	data, err := json.Marshal(members)
	if err != nil {
		panic(err)
	}
	return string(data)
}

func newKey(tb testing.TB) (keyPEM []byte, id string) {
	tb.Helper()
	keyPEM, id, err := identity.GenerateKey()
	if err != nil {
		tb.Fatal(err)
	}
	return keyPEM, id
}

func privateKey(tb testing.TB, keyPEM []byte) ed25519.PrivateKey {
	tb.Helper()
	block, _ := pem.Decode(keyPEM)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		tb.Fatal(err)
	}
	private, ok := key.(ed25519.PrivateKey)
	if !ok {
		tb.Fatalf("got a %T", key)
	}
	return private
}

func encode(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }
