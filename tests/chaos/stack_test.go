//go:build chaos

package chaos

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

const (
	limit  = 60
	window = 3 * time.Second
	// burst is that of the bucket, which refills as fast as the windows do.
	burst = 20
	// exactLimit is counted in a window that outlasts the run, by keys that are used once.
	exactLimit = 100
)

// site is what every node serves.
var site = fmt.Sprintf(`
	@limited path /log /slices /gcra /exact
	rate_limit @limited {
		zone log {
			match {
				path /log
			}
			key    {http.request.header.X-Key}
			events %[1]d
			window %[2]s
		}
		zone slices {
			match {
				path /slices
			}
			key       {http.request.header.X-Key}
			events    %[1]d
			window    %[2]s
			algorithm slices
		}
		zone gcra {
			match {
				path /gcra
			}
			key   {http.request.header.X-Key}
			limit %[1]d/%[2]s burst %[3]d
		}
		zone exact {
			match {
				path /exact
			}
			key    {http.request.header.X-Key}
			events %[4]d
			window 1h
		}
	}
`, limit, window, burst, exactLimit)

// system is some nodes before an app, and what they share.
type system struct {
	t     *testing.T
	name  string
	redis *stack.Redis
	op    *idp.Server
	// wires are how the nodes reach Redis, one each; none where they reach it themselves.
	wires  []*stack.Wire
	nodes  []*stack.Gateway
	files  []string
	urls   []string
	client *http.Client

	// up tells which nodes a load balancer would send to.
	up []atomic.Bool
	// down are the times in which a node was killed or stopped, and not up again.
	mu   sync.Mutex
	down []outage
}

// outage is when a node could not be asked.
type outage struct {
	node     int
	from, to time.Time
}

func start(t *testing.T, name string, nodes int) *system {
	t.Helper()
	s := &system{t: t, name: name, up: make([]atomic.Bool, nodes)}
	options := stack.RedisOptions{AppendOnly: name == kept}
	if name == kept {
		// The kernel has taken every write before its reply, so a killed process loses none. To wait for the disk as
		// well, which a power cut alone would ask for, is slower than op_timeout on a busy machine.
		options.Config = []string{"appendfsync no"}
	}
	s.redis = stack.RedisForTest(t, options)
	op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	s.op = op
	_, app := upstream.Start(t, "app")
	app1 := idp.Client{ID: "app", Secret: "hush"}
	var addrs []string
	for range nodes {
		addr := stack.PortForTest(t).Addr()
		addrs = append(addrs, addr)
		app1.RedirectURIs = append(app1.RedirectURIs, "http://"+addr+"/_auth/callback/dev")
	}
	require.NoError(t, op.SetClient(app1))
	for i, addr := range addrs {
		redis := s.redis.Addr()
		if name == kept {
			s.wires = append(s.wires, stack.WireForTest(t, redis))
			redis = s.wires[i].Addr()
		}
		s.urls = append(s.urls, "http://"+addr)
		s.files = append(s.files, s.caddyfile(redis, s.urls[i], app))
		s.nodes = append(s.nodes, stack.GatewayForTest(t, stack.GatewayOptions{
			Name: fmt.Sprintf("node %d", i+1), Caddyfile: s.files[i],
			Listen: []string{addr}, Health: s.urls[i] + "/health",
		}))
		s.up[i].Store(true)
	}
	s.client = &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			MaxIdleConns: 2048, MaxIdleConnsPerHost: 1024,
			DialContext: (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
		},
	}
	t.Cleanup(s.client.CloseIdleConnections)
	for i := range s.nodes {
		require.Eventually(t, func() bool {
			m := s.metrics(i)
			return m.sum("gatehouse_redis_nodes") == float64(nodes) && m.sum("gatehouse_session_provider_ready") == 1 && s.exact(i)
		}, patience, lookEvery, "node %d is not ready", i+1)
	}
	return s
}

func (s *system) caddyfile(redis, url, app string) string {
	return fmt.Sprintf(`{
	auto_https off
	persist_config off
	grace_period 5s
	redis %s
}
%s {
	bind 127.0.0.1
	%s
	session {
		secret k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
		provider dev {
			issuer        %s
			client_id     app
			client_secret hush
		}
		public /health /log /slices /gcra /exact
		idle         30s
		rotation     10s
		ride_through 15m
	}
	reverse_proxy %s
}
`, redis, url, strings.TrimSpace(site), s.op.Issuer(), app)
}

// lookEvery is how often nodes are asked how they are.
const lookEvery = 100 * time.Millisecond

// patience is how long a change of state may take on a busy machine.
const patience = 30 * time.Second

// exact tells whether a node counts together with the others.
func (s *system) exact(node int) bool {
	m := s.metrics(node)
	return m.sum(`gatehouse_rate_limit_mode{mode="exact"}`) == 1 && m.sum("gatehouse_session_degraded") == 0
}

// metrics are what a node says of itself; empty while it is down. Rendering them costs a node milliseconds.
type metrics string

func (s *system) metrics(node int) metrics {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.nodes[node].AdminURL()+"/metrics", http.NoBody)
	if err != nil {
		return ""
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body) // what a node that is killed meanwhile has said is not enough, and asked for again
	return metrics(text)
}

// sum is that of the series that begin with the name; -1 without one.
func (m metrics) sum(name string) float64 {
	sum, found := 0.0, false
	for line := range strings.Lines(string(m)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		if value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64); err == nil {
			sum, found = sum+value, true
		}
	}
	if !found {
		return -1
	}
	return sum
}
