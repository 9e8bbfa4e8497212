package idp

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"testing"
)

func TestNew_refusesWhatCannotWork(t *testing.T) {
	for name, c := range map[string]Config{
		"no issuer":         {},
		"issuer with path":  {Issuer: "http://127.0.0.1:1/realm"},
		"unknown algorithm": {Issuer: "http://127.0.0.1:1", Algorithm: "HS256"},
		"client without id": {Issuer: "http://127.0.0.1:1", Clients: []Client{{}}},
		"relative redirect": {Issuer: "http://127.0.0.1:1", Clients: []Client{{ID: "a", RedirectURIs: []string{"/callback"}}}},
		"nameless user":     {Issuer: "http://127.0.0.1:1", Users: []User{{Name: "Nobody"}}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestReadConfig(t *testing.T) {
	c, err := ReadConfig(strings.NewReader(`{"admin_token":"x","clients":[{"id":"app","redirect_uris":["https://a/b"]}]}`))
	if err != nil || c.Clients[0].ID != "app" || c.AdminToken != "x" {
		t.Errorf("got %+v, %v", c, err)
	}
	if _, err := ReadConfig(strings.NewReader(`{"klients":[]}`)); err == nil || !strings.Contains(err.Error(), "klients") {
		t.Errorf("a misspelt member gave %v, want an error that names it", err)
	}
}

// trusting makes a transport that trusts one certificate file alone.
func trusting(t *testing.T, file string) http.RoundTripper {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		t.Fatal("no certificate in " + file)
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
}
