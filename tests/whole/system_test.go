package whole

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// system is all of it.
type system struct {
	t       *testing.T
	redis   *stack.Redis // nil where there is none
	base    stack.Database
	backend *stack.Backend
	nodes   []*stack.Gateway
	urls    []string
	client  *http.Client // nobody's
}

// start runs the system with the demo's data, and with so many nodes.
func start(t *testing.T, nodes int, redis *stack.Redis) *system {
	t.Helper()
	s := &system{t: t, redis: redis, base: migratetest.New(t)}
	require.NoError(t, stack.AdministerBackend(t.Context(), stack.BuildBackend(t, false),
		s.base.DSN(stack.OwnerLogin), filepath.Join(t.TempDir(), "seed.log"), "seed"))

	op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	client := idp.Client{ID: "app", Secret: "hush"}
	ports := make([]*stack.Port, nodes)
	for i := range ports {
		ports[i] = stack.PortForTest(t)
		s.urls = append(s.urls, fmt.Sprintf("https://localhost:%d", ports[i].Number))
		client.RedirectURIs = append(client.RedirectURIs, s.urls[i]+"/_auth/callback/main")
		client.PostLogoutRedirectURIs = append(client.PostLogoutRedirectURIs, s.urls[i]+"/")
	}
	require.NoError(t, op.SetClient(client))

	// The first node makes the certificates and the keys; the other finds them there, and the backend in a copy.
	storage, keys := t.TempDir(), filepath.Join(t.TempDir(), "keys.json")
	s.backend = stack.BackendForTest(t, stack.BackendOptions{
		DatabaseURL: s.base.DSN(stack.AppLogin), KeySet: keys, Env: []string{"BACKEND_SIGN_OUT_ORIGINS=" + op.Issuer()},
	})
	root, err := stack.ModuleRoot()
	require.NoError(t, err)
	env := []string{
		"GATEHOUSE_UPSTREAM=" + s.backend.Addr(), "GATEHOUSE_STORAGE=storage file_system " + storage,
		"GATEHOUSE_SIGN_IN=on", "GATEHOUSE_SECRET=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"OIDC_ISSUER=" + op.Issuer(), "OIDC_CLIENT_ID=app", "OIDC_CLIENT_SECRET=hush",
		// The test plays a load balancer, and so any number of clients.
		"GATEHOUSE_TRUSTED_PROXIES=127.0.0.1 ::1",
	}
	if redis != nil {
		env = append(env, "REDIS_URL="+redis.URL())
	}
	for i, url := range s.urls {
		s.nodes = append(s.nodes, stack.GatewayForTest(t, stack.GatewayOptions{
			Name: fmt.Sprintf("node %d", i+1), CaddyfilePath: filepath.Join(root, "Caddyfile"),
			Listen: []string{net.JoinHostPort("localhost", fmt.Sprint(ports[i].Number))}, Health: url + "/health",
			Env: append([]string{"GATEHOUSE_SITE=" + url}, env...),
		}))
	}
	s.client = &http.Client{
		Timeout:       30 * time.Second,
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // the edge's own
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(s.client.CloseIdleConnections)
	a := s.send(s.client, http.MethodGet, s.urls[0]+"/.well-known/gatehouse-jwks.json", nil, "")
	require.Equal(t, http.StatusOK, a.status)
	require.NoError(t, os.WriteFile(keys, []byte(a.body), 0o600))
	for i := range s.nodes {
		s.wait(i, `gatehouse_session_provider_ready{provider="main"}`, "1")
		if redis != nil {
			s.wait(i, "gatehouse_session_degraded", "0")
			s.wait(i, `gatehouse_rate_limit_mode{mode="exact"}`, "1")
			s.wait(i, "gatehouse_redis_nodes", fmt.Sprint(nodes)) // or a node would take itself for the only one
		}
	}
	return s
}

// wait waits until a node's metric has the value.
func (s *system) wait(node int, name, value string) {
	s.t.Helper()
	var last string
	require.Eventually(s.t, func() bool {
		last = s.send(http.DefaultClient, http.MethodGet, s.nodes[node].AdminURL()+"/metrics", nil, "").body
		return strings.Contains("\n"+last, "\n"+name+" "+value+"\n")
	}, 60*time.Second, 50*time.Millisecond, "node %d: %s is not %s", node+1, name, value)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
	waited time.Duration
}

// object is the answer's JSON.
func (a answer) object(t *testing.T) (o map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(a.body), &o), a.body)
	return o
}

func (s *system) send(client *http.Client, method, url string, header map[string]string, body string) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	require.NoError(s.t, err)
	for name, value := range header {
		r.Header.Set(name, value)
	}
	began := time.Now()
	resp, err := client.Do(r)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return answer{status: resp.StatusCode, header: resp.Header, body: string(text), waited: time.Since(began)}
}
