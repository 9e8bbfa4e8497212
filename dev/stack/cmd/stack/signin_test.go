package main

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// pages asks for pages, as a browser does, of sites whose authority nobody knows.
type pages struct{ http.Transport }

func (p *pages) RoundTrip(req *http.Request) (*http.Response, error) {
	req.Header.Set("Accept", "text/html")
	return p.Transport.RoundTrip(req)
}

// signIn goes to a node as a person who is signed in nowhere, and returns the browser and the page that they end at.
func (r *running) signIn(node int, user string) (*idp.Browser, *idp.Page) {
	r.t.Helper()
	transport := &pages{http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	r.t.Cleanup(transport.CloseIdleConnections)
	b := idp.NewBrowser(transport)
	login, err := b.Visit(r.t.Context(), "https://localhost:"+r.place.ports[node]+"/", "")
	require.NoError(r.t, err)
	require.Equal(r.t, "127.0.0.1:"+r.place.provider, login.URL.Host, "the provider's page")
	page, err := b.Submit(r.t.Context(), login, url.Values{"user": {user}}, "")
	require.NoError(r.t, err)
	return b, page
}

// The whole of `make run`, with nothing stood in for.
func TestRun_peopleSignInAndTheBackendKnowsThem(t *testing.T) {
	root, err := stack.ModuleRoot()
	require.NoError(t, err)
	_, err = stack.BackendBinary(t.Context(), false) // built here, where it may take its time
	require.NoError(t, err)
	p := newBackendPlace(t)
	p.caddyfile = filepath.Join(root, "Caddyfile")
	r := p.run(t)
	r.says("Gatehouse is up")

	adam, page := r.signIn(0, "adam")
	require.Equal(t, http.StatusOK, page.Status, page.Body)
	require.Equal(t, "localhost:"+p.ports[0], page.URL.Host)
	require.Contains(t, page.Body, "Adam Adeyemi")
	page, err = adam.Visit(t.Context(), "https://localhost:"+p.ports[1]+"/clients", "")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, page.Status, "signed in at the other node too: %s", page.Body)

	_, page = r.signIn(0, "olivia")
	require.Equal(t, http.StatusConflict, page.Status, page.Body)
	require.Contains(t, page.Body, "Choose an organization", "she owns two, as the guide says")

	_, page = r.signIn(1, "nora")
	require.Equal(t, http.StatusForbidden, page.Status, "the backend knows her by no account: %s", page.Body)

	r.interrupt()
	require.NoError(t, r.status)
}
