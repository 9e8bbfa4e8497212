package edge

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// settings of an edge. The zero value is two nodes, and a Redis that forgets.
type settings struct {
	nodes int
	redis stack.RedisOptions
	// redisDown stops Redis before the nodes start.
	redisDown bool
	// wire has the nodes reach Redis through edge.wire, which can lose packets.
	wire bool
	// race runs the nodes under the race detector, several times slower.
	race bool
	// census is the `nodes` of the redis option. Default: auto.
	census string
	// zones are the lines inside rate_limit.
	zones string
	// servers are the lines inside the servers option.
	servers string
}

// edge is some nodes, their Redis, and the upstream behind them.
type edge struct {
	t     *testing.T
	redis *stack.Redis
	// wire is how the nodes reach Redis, if settings.wire says so.
	wire     *stack.Wire
	nodes    []*stack.Gateway
	urls     []string
	files    []string // their Caddyfiles
	upstream *upstream.Upstream
	client   *http.Client
	// retries counts requests that were sent again, see askAgain.
	retries atomic.Int64
}

func start(t *testing.T, s settings) *edge {
	t.Helper()
	if s.nodes == 0 {
		s.nodes = 2
	}
	if s.census == "" {
		s.census = "auto"
	}
	e := &edge{t: t, redis: stack.RedisForTest(t, s.redis)}
	if s.redisDown {
		require.NoError(t, e.redis.Kill())
	}
	address := e.redis.Addr()
	if s.wire {
		e.wire = stack.WireForTest(t, address)
		address = e.wire.Addr()
	}
	var up string
	e.upstream, up = upstream.Start(t, "app")
	binary := stack.BuildGatehouse(t, s.race)
	for i := range s.nodes {
		addr := stack.PortForTest(t).Addr()
		file := e.caddyfile(s, address, addr, up)
		e.urls = append(e.urls, "http://"+addr)
		e.files = append(e.files, file)
		e.nodes = append(e.nodes, stack.GatewayForTest(t, stack.GatewayOptions{
			Name: fmt.Sprintf("node %d", i+1), Binary: binary, Caddyfile: file,
			Listen: []string{addr}, Health: "http://" + addr + "/health",
		}))
	}
	e.client = &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{
			MaxIdleConns: 4096, MaxIdleConnsPerHost: 2048,
			DialContext: (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
		},
	}
	t.Cleanup(e.client.CloseIdleConnections)
	if !s.redisDown {
		e.waitMode(exact)
		e.waitNodes(s.nodes)
	}
	return e
}

func (e *edge) caddyfile(s settings, redis, addr, up string) string {
	return fmt.Sprintf(`{
	auto_https off
	persist_config off
	grace_period 5s
	metrics
	redis {
		address %s
		nodes   %s
	}
	servers {
		%s
	}
}
http://%s {
	bind 127.0.0.1
	@counted not path /health
	rate_limit @counted {
		%s
	}
	reverse_proxy %s
}
`, redis, s.census, indent(s.servers, 2), addr, indent(s.zones, 2), up)
}

func indent(lines string, tabs int) string {
	return strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n"+strings.Repeat("\t", tabs))
}

// get sends a request to a node and returns its status. See askAgain for connections that break.
func (e *edge) get(node int, path string, header ...string) int {
	e.t.Helper()
	a := e.askAgain(node, path, header...)
	require.NoError(e.t, a.err)
	return a.status
}

// admitted asks a node n times, one after another, and counts the 200s; anything but 200 and 429 fails.
func (e *edge) admitted(node, n int, path string, header ...string) (count int) {
	e.t.Helper()
	for range n {
		switch status := e.get(node, path, header...); status {
		case http.StatusOK:
			count++
		case http.StatusTooManyRequests:
		default:
			e.t.Fatalf("GET %s: status %d", path, status)
		}
	}
	return count
}
