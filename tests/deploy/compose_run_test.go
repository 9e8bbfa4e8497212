package deploy

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// system is the composed system's edge half, its own configuration and environment on built binaries, with nothing
// changed but addresses and paths, which a container would have to itself.
type system struct {
	t        *testing.T
	project  *types.Project
	site     string
	internal []string // of the nodes and of the entry, what listens on 9180
	nodes    []*stack.Gateway
	client   *http.Client
}

func startStack(t *testing.T) *system {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	s := &system{t: t, project: project(t), client: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
	entry, storage := stack.PortForTest(t).Addr(), t.TempDir()
	s.site = "https://localhost:" + port(entry)
	redis := s.startRedis()
	provider := s.startProvider()
	_, app := upstream.Start(t, "backend")

	var nodes []string
	for _, name := range []string{"edge1", "edge2"} {
		node := stack.PortForTest(t).Addr()
		nodes = append(nodes, node)
		s.nodes = append(s.nodes, s.startEdge(name, node, strings.NewReplacer(
			"https://localhost:8443", "https://localhost:"+port(node),
			"backend:3000", app, "@redis:6379", "@"+redis, "http://idp.localhost:8442", provider,
			s.project.Services["entry"].Networks["front"].Ipv4Address, "127.0.0.1", "/storage", storage,
			"/etc/gatehouse/Caddyfile", filepath.Join(moduleRoot(t), "Caddyfile"),
		)))
	}
	s.startEdge("entry", entry, strings.NewReplacer(
		"https://localhost:8443", s.site, "/storage", storage,
		"https://edge1:8443", "https://"+nodes[0], "https://edge2:8443", "https://"+nodes[1],
		// What the test waits by. A container has none to take.
		"admin off", "admin {$GATEHOUSE_ADMIN}",
	))
	return s
}

// startEdge runs a service of the edge's image: its configuration, and its environment with placed in them.
func (s *system) startEdge(name, listen string, placed *strings.Replacer) *stack.Gateway {
	s.t.Helper()
	service := s.project.Services[name]
	var env []string
	for variable, value := range service.Environment {
		env = append(env, variable+"="+placed.Replace(*value))
	}
	internal := stack.PortForTest(s.t).Addr()
	s.internal = append(s.internal, "http://"+internal)
	config := service.Command[len(service.Command)-1]
	require.Equal(s.t, []string{"run", "--adapter", "caddyfile", "--config", config}, []string(service.Command))
	text := read(s.t, filepath.Join("deploy/compose", filepath.Base(config)))
	text = strings.ReplaceAll(placed.Replace(text), "http://:9180", "http://"+internal)
	return stack.GatewayForTest(s.t, stack.GatewayOptions{
		Name: name, Caddyfile: text, Listen: []string{listen, internal}, Env: env,
		Health: place(healthURL(s.t, service), "9180", port(internal)),
	})
}

// startRedis runs the service's own command line on this machine's Redis.
func (s *system) startRedis() string {
	s.t.Helper()
	server, err := stack.RedisServer()
	require.NoError(s.t, err)
	command := s.project.Services["redis"].Command
	require.Equal(s.t, []string{"redis-server", "/etc/redis/redis.conf"}, []string(command[:2]))
	addr, dir := stack.PortForTest(s.t).Addr(), s.t.TempDir()
	config := filepath.Join(dir, "redis.conf")
	text := strings.ReplaceAll(read(s.t, "deploy/compose/redis.conf"), "dir /data", "dir "+dir)
	require.NoError(s.t, os.WriteFile(config, []byte(text), 0o600))
	args := append([]string{config}, command[2:]...)
	process, err := stack.Start(s.t.Context(), stack.Spec{
		Name: "redis", Path: server, Args: append(args, "--bind", "127.0.0.1", "--port", port(addr)),
		Log: filepath.Join(dir, "redis.log"),
		Ready: func(ctx context.Context) error {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err == nil {
				_ = conn.Close()
			}
			return err
		},
	})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = process.Kill() })
	return addr
}

// startProvider runs the provider with the service's own configuration, whose client is the entry.
func (s *system) startProvider() string {
	s.t.Helper()
	config, err := idp.ReadConfig(strings.NewReader(place(read(s.t, "deploy/compose/devidp.json"), "8443", port(s.site))))
	require.NoError(s.t, err)
	p, err := idp.Start(s.t.Context(), "127.0.0.1:0", config, nil)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = p.Close() })
	health := place(healthURL(s.t, s.project.Services["provider"]), "8442", port(p.Addr))
	require.NoError(s.t, stack.Answers(s.t.Context(), health))
	return p.Issuer()
}

// healthURL is what the health check of one of our images asks for.
func healthURL(t *testing.T, service types.ServiceConfig) string {
	t.Helper()
	check := service.HealthCheck.Test
	require.Equal(t, []string{"CMD", "/bin/wget", "-q", "-O", "/dev/null"}, []string(check[:len(check)-1]))
	u, err := url.Parse(check[len(check)-1])
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", u.Hostname(), "localhost may be an address of IPv6 that nobody listens on")
	return u.String()
}

func place(text, from, to string) string {
	return strings.ReplaceAll(text, ":"+from, ":"+to)
}

func port(address string) string {
	return address[strings.LastIndexByte(address, ':')+1:]
}

func (s *system) get(address string) (int, http.Header, []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, address, http.NoBody)
	require.NoError(s.t, err)
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	var body json.RawMessage
	_ = json.NewDecoder(resp.Body).Decode(&body) // what is no JSON is not looked at
	return resp.StatusCode, resp.Header, body
}

// person is somebody at a browser.
type person struct{ base http.RoundTripper }

func (p person) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Dest", "document")
	return p.base.RoundTrip(r)
}

// The composed system, as far as it goes without containers: people sign in through the load balancer, both
// nodes know them and count them as one, and the app is told who and from where, signed.
func TestComposed_signsInThroughTheLoadBalancer(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	for i := range s.nodes {
		s.eventually(i, `gatehouse_session_provider_ready{provider="main"} 1`)
		s.eventually(i, `gatehouse_rate_limit_mode{mode="exact"} 1`)
		s.eventually(i, "gatehouse_session_degraded 0")
	}
	browser := idp.NewBrowser(person{s.client.Transport})
	page, err := browser.Visit(t.Context(), s.site+"/clients", "")
	require.NoError(t, err)
	page, err = browser.Submit(t.Context(), page, url.Values{"user": {"olivia"}}, "")
	require.NoError(t, err)
	require.Equal(t, s.site+"/clients", page.URL.String())

	// Verified as the backend will, by what the second node publishes.
	env := s.project.Services["backend"].Environment
	keys, err := identity.KeysFromURL(strings.Replace(*env["IDENTITY_JWKS_URL"], "http://edge:9180", s.internal[1], 1))
	require.NoError(t, err)
	verifier, err := identity.NewVerifier(identity.VerifierConfig{
		Issuer: *env["IDENTITY_ISSUER"], Audience: *env["IDENTITY_AUDIENCE"], Keys: keys,
	})
	require.NoError(t, err)
	for range 4 { // each node, twice
		page, err = browser.Visit(t.Context(), s.site+"/clients", "")
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, page.Status, page.Body)
		var seen upstream.Answer
		require.NoError(t, json.Unmarshal([]byte(page.Body), &seen))
		id, err := verifier.Verify(t.Context(), seen.Headers.Get(identity.HeaderAssertion))
		require.NoError(t, err, "signed by a key that the backend does not find")
		assert.Equal(t, "main:olivia", id.Subject)
		assert.Equal(t, "localhost:"+port(s.site), seen.Host)
		assert.Equal(t, "https", seen.Headers.Get("X-Forwarded-Proto"))
	}
	for i := range s.nodes {
		assert.Contains(t, s.text(i, "/metrics"), `gatehouse_session_validations_total{result="signed_in"`, "node %d had none of the requests", i+1)
	}

	// One limit, whichever node is asked, and what a client says of its address is not believed.
	statuses := map[int]int{}
	for i := range 16 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.site+"/_auth/login/main", http.NoBody)
		require.NoError(t, err)
		req.Header.Set("X-Forwarded-For", "203.0.113."+strconv.Itoa(i))
		resp, err := person{s.client.Transport}.RoundTrip(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
		statuses[resp.StatusCode]++
	}
	assert.Equal(t, 16, statuses[http.StatusFound]+statuses[http.StatusTooManyRequests], "%v", statuses)
	assert.LessOrEqual(t, statuses[http.StatusFound], 10, "%v", statuses)

	// A node that is gone is not noticed.
	require.NoError(t, s.nodes[0].Kill())
	for range 4 {
		status, _, _ := s.get(s.site + "/health")
		assert.Equal(t, http.StatusOK, status)
	}
}

// What listens for the backend and for Prometheus tells keys and numbers, and changes nothing.
func TestComposed_internalListener(t *testing.T) {
	t.Parallel()
	s := startStack(t)
	for i := range s.nodes {
		status, _, _ := s.get(s.internal[i] + "/config/")
		assert.Equal(t, http.StatusNotFound, status)
		_, _, body := s.get(s.internal[i] + "/.well-known/gatehouse-jwks.json")
		assert.Contains(t, string(body), `"Ed25519"`)
		metrics := s.text(i, "/metrics")
		assert.Contains(t, metrics, "caddy_http_requests_total")
		assert.Contains(t, metrics, "\ngo_gc_gogc_percent 400\n", "docs/adr/0012-collect-garbage-less-often.md")
	}
	_, _, first := s.get(s.internal[0] + "/.well-known/gatehouse-jwks.json")
	_, _, second := s.get(s.internal[1] + "/.well-known/gatehouse-jwks.json")
	assert.JSONEq(t, string(first), string(second), "the nodes sign by different keys")
}

func (s *system) text(node int, path string) string {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.internal[node]+path, http.NoBody)
	require.NoError(s.t, err)
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	return string(text)
}

func (s *system) eventually(node int, line string) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return strings.Contains(s.text(node, "/metrics"), line) },
		30*time.Second, 50*time.Millisecond, "node %d: %s", node+1, line)
}
