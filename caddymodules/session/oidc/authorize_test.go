package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

func TestAuthURL(t *testing.T) {
	w := newWorld(t, func(_ *idp.Config, c *Config) {
		c.Scopes = []string{"profile"}
		c.AuthParams = map[string]string{"domain_hint": "corp.example"}
	})
	f := NewFlow("corp", "/", w.clock.now()).WithMaxAge(0)
	address, err := w.AuthURL(f, AuthRequest{RedirectURI: redirectURI, Prompt: "login", ACRValues: []string{"mfa", "pwd"}, LoginHint: "adam"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(f.Verifier))
	want := url.Values{
		"response_type": {"code"}, "response_mode": {"query"}, "client_id": {"app"}, "redirect_uri": {redirectURI},
		"scope": {"openid profile"}, "state": {f.State}, "nonce": {f.Nonce},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"max_age": {"0"}, "prompt": {"login"}, "acr_values": {"mfa pwd"}, "login_hint": {"adam"}, "domain_hint": {"corp.example"},
	}
	if got := u.Query(); got.Encode() != want.Encode() {
		t.Errorf("got  %s\nwant %s", got.Encode(), want.Encode())
	}
	if u.Query().Has("client_secret") || u.Query().Has("code_verifier") {
		t.Error("a secret is in the address")
	}

	plain, err := w.AuthURL(NewFlow("corp", "/", time.Now()), AuthRequest{RedirectURI: redirectURI})
	if err != nil {
		t.Fatal(err)
	}
	if u, err = url.Parse(plain); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"max_age", "prompt", "acr_values", "login_hint"} {
		if u.Query().Has(name) {
			t.Errorf("%s is there, though nobody asked", name)
		}
	}
}
