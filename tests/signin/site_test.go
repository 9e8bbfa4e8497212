package signin

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// site is an app behind some nodes, their Redis, and the provider at which its people sign in.
type site struct {
	t        *testing.T
	redis    *stack.Redis
	wire     *stack.Wire // how the nodes reach Redis, of startWired alone
	op       *idp.Server
	nodes    []*stack.Gateway
	urls     []string
	upstream *upstream.Upstream
	client   *http.Client

	// address is where the nodes are, without the port.
	address           string
	lines, up, binary string
	redisURL          string

	mu sync.RWMutex // guards urls: nodes are added while people work
}

// url is where a node answers.
func (s *site) url(node int) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.urls[node]
}

// start runs a site of two nodes. The lines are of the session block.
func start(t *testing.T, lines string) *site {
	t.Helper()
	return startAt(t, "http://127.0.0.1", lines, stack.RedisOptions{AppendOnly: true}, "")
}

// startTLS is start with certificates that only a browser told to accepts.
func startTLS(t *testing.T, lines string) *site {
	t.Helper()
	return startAt(t, "https://localhost", lines, stack.RedisOptions{AppendOnly: true}, "")
}

// startWired is start with nodes that reach Redis through site.wire, which can lose packets.
func startWired(t *testing.T, lines string) *site {
	t.Helper()
	s := prepare(t, "http://127.0.0.1", lines, stack.RedisOptions{AppendOnly: true})
	s.wire = stack.WireForTest(t, s.redis.Addr())
	s.redisURL = "redis://" + s.wire.Addr()
	return s.begin()
}

// startAt has the nodes sign in to Redis as a user with the password "hush", if one is named.
func startAt(t *testing.T, address, lines string, options stack.RedisOptions, user string) *site {
	t.Helper()
	s := prepare(t, address, lines, options)
	if user != "" {
		s.redisURL = s.redis.URLFor(user, "hush")
	}
	return s.begin()
}

// prepare starts all but the nodes.
func prepare(t *testing.T, address, lines string, options stack.RedisOptions) *site {
	t.Helper()
	s := &site{t: t, address: address, lines: lines, redis: stack.RedisForTest(t, options)}
	s.redisURL = s.redis.URL()
	op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	s.op = op
	s.upstream, s.up = upstream.Start(t, "app")
	s.binary = stack.BuildGatehouse(t, false)
	s.client = &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			MaxIdleConns: 2048, MaxIdleConnsPerHost: 1024,
			DialContext: (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
		},
	}
	t.Cleanup(s.client.CloseIdleConnections)
	return s
}

// begin starts the nodes.
func (s *site) begin() *site {
	s.t.Helper()
	s.addNode()
	s.addNode()
	for i := range s.nodes {
		s.wait(i, "gatehouse_session_degraded", 0)
	}
	// A node that has just come takes nothing for final: see that it has settled.
	time.Sleep(settling)
	return s
}

// settling is how long after its link came up a node waits for the others to tell what they know.
const settling = 5500 * time.Millisecond

// addNode starts one more node, as far as it gets: Redis may be away.
func (s *site) addNode() int {
	s.t.Helper()
	port := stack.PortForTest(s.t)
	i := len(s.nodes)
	url := fmt.Sprintf("%s:%d", s.address, port.Number)
	s.mu.Lock()
	s.urls = append(s.urls, url)
	s.mu.Unlock()
	callbacks := make([]string, len(s.urls))
	for i, url := range s.urls {
		callbacks[i] = url + "/_auth/callback/dev"
	}
	require.NoError(s.t, s.op.SetClient(idp.Client{ID: "app", Secret: "hush", RedirectURIs: callbacks}))
	s.nodes = append(s.nodes, stack.GatewayForTest(s.t, stack.GatewayOptions{
		Name: fmt.Sprintf("node %d", i+1), Binary: s.binary, Caddyfile: s.caddyfile(url),
		Listen: []string{port.Addr()}, Health: url + "/health",
	}))
	s.wait(i, `gatehouse_session_provider_ready{provider="dev"}`, 1)
	return i
}

func (s *site) caddyfile(url string) string {
	return s.globals() + s.block(url, "app", "k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "", s.lines)
}

// globals are the global options of a node.
func (s *site) globals() string {
	return fmt.Sprintf(`{
	auto_https disable_redirects
	skip_install_trust
	persist_config off
	grace_period 5s
	redis %s
}
`, s.redisURL)
}

// block is the site at an address: a client of the provider, with further lines for provider and session.
func (s *site) block(url, client, secret, provider, lines string) string {
	indent := func(text string) string { return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t\t") }
	return fmt.Sprintf(`%s {
	bind 127.0.0.1
	session {
		secret %s
		provider dev {
			issuer        %s
			client_id     %s
			client_secret hush
			%s
		}
		public /health
		op_timeout 500ms
		%s
	}
	assert_identity {
		audience app
		headers  X-Auth-User
	}
	reverse_proxy %s
}
`, url, secret, s.op.Issuer(), client, indent(provider), indent(lines), s.up)
}

// metric is the sum of a node's series that begin with the name.
func (s *site) metric(node int, name string) float64 {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.nodes[node].AdminURL()+"/metrics", http.NoBody)
	require.NoError(s.t, err)
	resp, err := s.client.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	sum := 0.0
	for _, m := range regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(name)+`(?:\{.*\})? ([0-9.e+]+)$`).FindAllSubmatch(body, -1) {
		value, err := strconv.ParseFloat(string(m[1]), 64)
		require.NoError(s.t, err)
		sum += value
	}
	if !bytes.Contains(body, []byte(name)) {
		return -1
	}
	return sum
}

func (s *site) wait(node int, name string, value float64) {
	s.t.Helper()
	require.Eventually(s.t, func() bool { return s.metric(node, name) == value }, 30*time.Second, 50*time.Millisecond,
		"node %d: %s is %v, not %v", node+1, name, s.metric(node, name), value)
}

func (s *site) do(ctx context.Context, method, url string, header http.Header) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, url, http.NoBody)
	if err != nil {
		return nil, "", err
	}
	req.Header = header
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, string(body), err
}
