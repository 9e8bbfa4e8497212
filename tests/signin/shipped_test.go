package signin

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// startShipped is two nodes that run the distribution's own Caddyfile with sign-in, as `make run` does.
func startShipped(t *testing.T) *site {
	t.Helper()
	root, err := stack.ModuleRoot()
	require.NoError(t, err)
	redis := stack.RedisForTest(t, stack.RedisOptions{AppendOnly: true})
	op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	app, up := upstream.Start(t, "app")
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	s := &site{t: t, redis: redis, op: op, upstream: app, client: &http.Client{
		Timeout: 30 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	storage := t.TempDir()
	client := idp.Client{ID: "app", Secret: "hush"}
	addrs := []string{stack.PortForTest(t).Addr(), stack.PortForTest(t).Addr()}
	for _, addr := range addrs {
		client.RedirectURIs = append(client.RedirectURIs, "https://"+addr+"/_auth/callback/main")
		client.PostLogoutRedirectURIs = append(client.PostLogoutRedirectURIs, "https://"+addr+"/")
	}
	require.NoError(t, op.SetClient(client))
	for i, addr := range addrs {
		url := "https://" + addr
		s.urls = append(s.urls, url)
		s.nodes = append(s.nodes, stack.GatewayForTest(t, stack.GatewayOptions{
			Name: "node " + string(rune('1'+i)), CaddyfilePath: filepath.Join(root, "Caddyfile"),
			Listen: []string{addr}, Health: url + "/health",
			Env: []string{
				"GATEHOUSE_SITE=" + url, "GATEHOUSE_UPSTREAM=" + up, "REDIS_URL=" + redis.URL(),
				"GATEHOUSE_STORAGE=storage file_system " + storage,
				"GATEHOUSE_SIGN_IN=on", "GATEHOUSE_SECRET=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
				"OIDC_ISSUER=" + op.Issuer(), "OIDC_CLIENT_ID=app", "OIDC_CLIENT_SECRET=hush",
			},
		}))
		s.wait(i, `gatehouse_session_provider_ready{provider="main"}`, 1)
		s.wait(i, "gatehouse_session_degraded", 0)
	}
	return s
}

// With the distribution's Caddyfile a person signs in at one node, is known at the other, and the app can
// verify who it is; signing out ends it everywhere, and at the provider.
func TestShipped_signIn(t *testing.T) {
	s := startShipped(t)
	p := s.person("olivia")

	require.Equal(t, http.StatusUnauthorized, p.call(0, "/api/clients").status)
	require.Equal(t, http.StatusOK, p.call(0, "/health").status, "health checks sign in nowhere")
	a := p.send(0, http.MethodGet, "/api/login", false, page)
	require.Equal(t, http.StatusSeeOther, a.status)
	require.Equal(t, "/_auth/login", a.location, "the app's own login is gone")

	require.Equal(t, "/orders?open=1", p.signIn(0, "/orders?open=1"))
	seen := p.seen(p.call(1, "/api/clients"))
	require.Len(t, seen.Headers[identity.HeaderAssertion], 1)
	keys := p.call(1, "/.well-known/gatehouse-jwks.json")
	require.Equal(t, http.StatusOK, keys.status, "for the app, which has no session")
	require.Contains(t, keys.body, `"Ed25519"`)

	// Nobody else's word for who it is.
	forged := p.seen(p.send(0, http.MethodGet, "/api/clients", false, script,
		map[string]string{identity.HeaderAssertion: "forged", "X_Auth_User": "admin", "X-Auth-User": "admin"}))
	require.Len(t, forged.Headers[identity.HeaderAssertion], 1)
	require.NotEqual(t, "forged", forged.Headers[identity.HeaderAssertion][0])
	require.NotContains(t, forged.Headers, "X_auth_user")
	require.NotContains(t, forged.Headers, "X-Auth-User")

	stolen := p.copied()
	out := p.send(1, http.MethodPost, "/_auth/logout", false, page, map[string]string{"Sec-Fetch-Site": "same-origin"})
	require.Equal(t, http.StatusSeeOther, out.status, out.body)
	require.Contains(t, out.location, s.op.Issuer(), "and at the provider")
	require.Eventually(t, func() bool { return stolen.call(0, "/api/clients").status == http.StatusUnauthorized }, 5*time.Second, 20*time.Millisecond)
}

// Signing in is limited, over both nodes together.
func TestShipped_signInIsLimited(t *testing.T) {
	s := startShipped(t)
	p := s.person("mia")
	statuses := map[int]int{}
	for i := range 16 {
		statuses[p.send(i%2, http.MethodGet, "/_auth/login", false, page).status]++
	}
	require.Equal(t, map[int]int{http.StatusFound: 10, http.StatusTooManyRequests: 6}, statuses)
	a := p.send(0, http.MethodGet, "/_auth/login", false, page)
	var problem struct {
		Violated []string `json:"violated-policies"`
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &problem), a.body)
	require.Equal(t, []string{"login"}, problem.Violated)
}
