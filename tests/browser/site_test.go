package browser

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/backend/web"
	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// site is the pages on a database of their own, behind the built edge, at which people sign in.
type site struct {
	t    *testing.T
	url  string
	base stack.Database
}

// open starts a site.
func open(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, base: migratetest.New(t)}
	s.exec(data)
	rows, err := store.Open(t.Context(), store.Options{DSN: s.base.DSN(stack.AppLogin), CursorKey: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rows.Close()) })

	op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	port := stack.PortForTest(t)
	s.url = fmt.Sprintf("https://localhost:%d", port.Number)
	require.NoError(t, op.SetClient(idp.Client{
		ID: "app", Secret: "hush", RedirectURIs: []string{s.url + "/_auth/callback/dev"}, PostLogoutRedirectURIs: []string{s.url + "/"},
	}))
	app := httptest.NewServer(s.backend(rows, op.Issuer()))
	t.Cleanup(app.Close)
	stack.GatewayForTest(t, stack.GatewayOptions{
		Caddyfile: caddyfile(s.url, op.Issuer(), app.URL), Listen: []string{port.Addr()}, Health: s.url + "/health",
	})
	return s
}

// backend is what the backend's command puts together, of pages alone.
func (s *site) backend(rows *store.Store, provider string) http.Handler {
	logger := zaptest.NewLogger(s.t, zaptest.Level(zapWarn))
	// The certificate is the edge's own.
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	s.t.Cleanup(client.CloseIdleConnections)
	keys, err := identity.KeysFromURL(s.url+"/.well-known/gatehouse-jwks.json", identity.WithClient(client))
	require.NoError(s.t, err)
	verifier, err := identity.NewVerifier(identity.VerifierConfig{Issuer: "gatehouse", Audience: "app", Keys: keys})
	require.NoError(s.t, err)
	pages, err := web.New(web.Options{Store: rows, Logger: logger, SignOut: []string{provider}})
	require.NoError(s.t, err)
	verify := caller.Verify(caller.Options{Verifier: verifier, Logger: logger, Refuse: pages.Refuse})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("/", verify(pages))
	return caller.Log(caller.LogOptions{Logger: logger})(mux)
}

func caddyfile(url, issuer, upstream string) string {
	return fmt.Sprintf(`{
	auto_https disable_redirects
	skip_install_trust
	persist_config off
}
%s {
	bind 127.0.0.1
	session {
		secret k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
		provider dev {
			issuer        %s
			client_id     app
			client_secret hush
		}
		logout rp
		public /health /.well-known/gatehouse-jwks.json
	}
	assert_identity {
		audience app
	}
	reverse_proxy %s
}
`, url, issuer, strings.TrimPrefix(upstream, "http://"))
}

// exec runs SQL as the superuser.
func (s *site) exec(sql string, args ...any) {
	s.t.Helper()
	require.NoError(s.t, s.base.Exec(context.WithoutCancel(s.t.Context()), sql, args...))
}
