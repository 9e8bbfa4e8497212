package signin

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// Two sites share Redis and provider, each with its own client and secret. The second one admits only admins. A user
// whom it refuses copies the cookies of the first site: no session is found, in the same process and in another one,
// also while Redis is away, and nothing reaches the app.
func TestSession_doesNotCountAtAnotherSite(t *testing.T) {
	const appSecret, shopSecret = "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "k2 ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=" //nolint:gosec // keys of this test alone
	const app, shop, otherProcess = 0, 1, 2
	s := prepare(t, "http://127.0.0.1", "", stack.RedisOptions{AppendOnly: true})
	var listen []string
	for range 3 {
		port := stack.PortForTest(t)
		listen = append(listen, port.Addr())
		s.urls = append(s.urls, "http://"+port.Addr())
	}
	const callback = "/_auth/callback/dev"
	require.NoError(t, s.op.SetClient(idp.Client{ID: "app", Secret: "hush", RedirectURIs: []string{s.url(app) + callback}}))
	require.NoError(t, s.op.SetClient(idp.Client{ID: "shop", Secret: "hush", RedirectURIs: []string{s.url(shop) + callback, s.url(otherProcess) + callback}}))
	const admins = "allow groups admins"
	for i, o := range []stack.GatewayOptions{
		{
			Name: "both sites", Listen: listen[:2], Health: s.url(app) + "/health",
			Caddyfile: s.globals() + s.block(s.url(app), "app", appSecret, "", "") + s.block(s.url(shop), "shop", shopSecret, admins, ""),
		},
		{
			Name: "another process", Listen: listen[2:], Health: s.url(otherProcess) + "/health",
			Caddyfile: s.globals() + s.block(s.url(otherProcess), "shop", shopSecret, admins, ""),
		},
	} {
		o.Binary = s.binary
		s.nodes = append(s.nodes, stack.GatewayForTest(t, o))
		s.wait(i, "gatehouse_session_degraded", 0)
	}
	ready := func(node int) func() bool {
		return func() bool {
			return s.person("mia").send(node, http.MethodGet, "/_auth/login", false, page).status == http.StatusFound
		}
	}
	for node := range s.urls {
		require.Eventually(t, ready(node), 30*time.Second, 50*time.Millisecond)
	}

	mia := s.person("mia")
	mia.signIn(app, "/")
	mia.seen(mia.call(app, "/"))
	adam := s.person("adam")
	adam.signIn(shop, "/")
	adam.seen(adam.call(shop, "/"))
	adam.seen(adam.call(otherProcess, "/"))
	refused := func(p *person, node int, when string) {
		a := p.copied().call(node, "/")
		require.Equal(t, http.StatusUnauthorized, a.status, "%s, site %d: %s", when, node, a.body)
		require.Equal(t, "none", a.reason, "%s, site %d", when, node)
	}
	for _, node := range []int{shop, otherProcess} {
		refused(mia, node, "Redis is there")
	}
	refused(adam, app, "Redis is there")
	mia.seen(mia.call(app, "/"))

	require.NoError(t, s.redis.Kill())
	for i := range s.nodes {
		s.wait(i, "gatehouse_session_degraded", 1)
	}
	for _, node := range []int{shop, otherProcess} {
		a := mia.copied().call(node, "/")
		require.Contains(t, []int{http.StatusUnauthorized, http.StatusServiceUnavailable}, a.status, "Redis is away, site %d: %s", node, a.body)
	}
	mia.seen(mia.call(app, "/"))
	adam.seen(adam.call(shop, "/"))
}
