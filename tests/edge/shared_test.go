package edge

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// zones in which everything is counted by one header, so that each part of a test has its own key.
const algorithms = `
op_timeout 10s
zone log {
	match {
		path /log
	}
	key    {http.request.header.X-Key}
	events 100
	window 1h
}
zone slices {
	match {
		path /slices
	}
	key    {http.request.header.X-Key}
	events 700
	window 1h
}
zone gcra {
	match {
		path /gcra
	}
	key   {http.request.header.X-Key}
	limit 500/24h
}
`

// Two nodes share a limit to the request, whatever the algorithm.
func TestShared_exactUnder2000ParallelRequests(t *testing.T) {
	e := start(t, settings{zones: algorithms})
	for _, test := range []struct {
		path  string
		limit int
	}{{"/log", 100}, {"/slices", 700}, {"/gcra", 500}} {
		t.Run(test.path[1:], func(t *testing.T) {
			before := e.upstream.Served()
			s := sum(e.parallel(2000, test.path, "X-Key", "k"))
			t.Log(s)
			s.onlyLimited(t)
			require.Equal(t, test.limit, s.statuses[http.StatusOK])
			require.EqualValues(t, test.limit, e.upstream.Served()-before)
		})
	}
}

// Several limits of one request are all taken or none, over two nodes.
func TestShared_allOrNothing(t *testing.T) {
	e := start(t, settings{race: true, zones: `
op_timeout 10s
zone narrow {
	match {
		path /narrow
	}
	key    {http.request.header.X-Key}
	events 30
	window 1h
}
zone wide {
	key    {http.request.header.X-Key}
	events 100
	window 1h
}`})
	s := sum(e.parallel(200, "/narrow", "X-Key", "k"))
	s.onlyLimited(t)
	require.Equal(t, 30, s.statuses[http.StatusOK])
	s = sum(e.parallel(200, "/other", "X-Key", "k"))
	s.onlyLimited(t)
	require.Equal(t, 70, s.statuses[http.StatusOK], "what the narrow zone refused took nothing of the wide one")
}

// SCRIPT FLUSH, as an operator or a failover may cause it, is nobody's failure.
func TestShared_scriptFlush(t *testing.T) {
	e := start(t, settings{race: true, zones: algorithms})
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				if _, err := e.redis.CLI("SCRIPT", "FLUSH"); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	s := sum(e.parallel(1000, "/gcra", "X-Key", "k"))
	close(stop)
	<-done
	t.Log(s)
	s.onlyLimited(t)
	require.Equal(t, 500, s.statuses[http.StatusOK])
	for i := range e.nodes {
		v, _ := e.metric(i, "gatehouse_rate_limit_degraded_total")
		require.Zero(t, v, "node %d decided alone", i+1)
	}
}

// A client that nobody trusts cannot choose the address by which it is limited; one behind a trusted
// proxy is limited by the address that the proxy saw.
func TestShared_spoofedForwardingHeaders(t *testing.T) {
	zones := `
op_timeout 10s
zone ip {
	key    {client_ip}
	events 20
	window 1h
}`
	t.Run("untrusted", func(t *testing.T) {
		e := start(t, settings{zones: zones})
		count := 0
		for i := range 100 {
			spoofed := fmt.Sprintf("203.0.113.%d", i)
			count += e.admitted(i%2, 1, "/", "X-Forwarded-For", spoofed, "X-Real-Ip", spoofed,
				"Forwarded", "for="+spoofed, "True-Client-Ip", spoofed, "Cf-Connecting-Ip", spoofed)
		}
		require.Equal(t, 20, count)
	})
	t.Run("trusted proxy", func(t *testing.T) {
		e := start(t, settings{zones: zones, servers: "trusted_proxies static 127.0.0.1/32\ntrusted_proxies_strict"})
		count := 0
		for i := range 100 {
			// The client writes what it likes, the proxy appends what it saw.
			count += e.admitted(i%2, 1, "/", "X-Forwarded-For", fmt.Sprintf("203.0.113.%d, 198.51.100.7", i))
		}
		require.Equal(t, 20, count)
		require.Equal(t, 1, e.admitted(0, 1, "/", "X-Forwarded-For", "198.51.100.8"), "somebody else")
	})
}
