//go:build bench

package bench

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/tests/devstack"
	"github.com/gatehouse-proxy/gatehouse/tests/upstream"
)

// How long and how often; GATEHOUSE_BENCH_ROUNDS changes the latter. The first round warms up and does
// not count.
const (
	defaultRounds = 7
	roundTime     = 2 * time.Second
)

// bench is one way to run the edge.
type bench struct {
	name string
	// site are the lines of the site before reverse_proxy; redis says whether Redis is configured.
	site  string
	redis bool
	keys  uint64
	// refused: the answers are expected to be 429.
	refused bool
	// session: somebody signs in first. The site may say ISSUER.
	session bool
}

const noLimit = "limit 1000000000/1s"

const (
	sessionSite = `session {
	secret k1 MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
	provider dev {
		issuer ISSUER
		client_id app
		client_secret hush
	}
	public /health
}
`
	identitySite = "assert_identity {\n audience app\n}\n"
)

func limitSite(limit string) string {
	return "rate_limit {\n op_timeout 1s\n zone z {\n key {http.request.header.X-Key}\n " + limit + "\n }\n}"
}

// benches begin with what the others are compared with.
var benches = []bench{
	{name: "bare", keys: 1},
	{name: "limit, Redis, one key", site: limitSite(noLimit), redis: true, keys: 1},
	{name: "limit, Redis, 10,000 keys", site: limitSite(noLimit), redis: true, keys: 10_000},
	{name: "limit, in process", site: limitSite(noLimit), keys: 10_000},
	{name: "session, node's copy", site: sessionSite, redis: true, keys: 1, session: true},
	{name: "session, limit in process, identity", site: sessionSite + identitySite + limitSite(noLimit+"\n mode local"), redis: true, keys: 1, session: true},
	{name: "session, limit in Redis, identity", site: sessionSite + identitySite + limitSite(noLimit), redis: true, keys: 1, session: true},
	{name: "refused, Redis", site: limitSite("limit 1/24h"), redis: true, keys: 1, refused: true},
	{name: "refused, in process", site: limitSite("limit 1/24h"), keys: 1, refused: true},
}

// running is a bench with its process.
type running struct {
	bench
	addr, cookie string
	node         *devstack.Gateway
}

// sample is one run of one bench.
type sample struct {
	Result
	// cpu is the edge's time on a processor a request.
	cpu time.Duration
}

func TestPaired(t *testing.T) {
	rounds := defaultRounds
	if s := os.Getenv("GATEHOUSE_BENCH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err, "GATEHOUSE_BENCH_ROUNDS")
		rounds = n
	}
	redis := devstack.RedisForTest(t, devstack.RedisOptions{})
	app, up := upstream.Start(t, "app")
	binary := devstack.BuildGatehouse(t, false)
	addrs := make([]string, len(benches))
	for i := range benches {
		addrs[i] = devstack.PortForTest(t).Addr()
	}
	idp := startProvider(t, addrs)
	nodes := make([]running, len(benches))
	for i, b := range benches {
		b.site = strings.ReplaceAll(b.site, "ISSUER", idp.Issuer())
		nodes[i] = running{bench: b, addr: addrs[i], node: devstack.GatewayForTest(t, devstack.GatewayOptions{
			Name: b.name, Binary: binary, Caddyfile: caddyfile(b, i, redis.Addr(), addrs[i], up),
			Listen: []string{addrs[i]}, Health: "http://" + addrs[i] + "/health",
		})}
	}
	// All have found Redis and the provider, and none takes what Redis says for provisional any more.
	time.Sleep(8 * time.Second)
	for i := range nodes {
		if nodes[i].session {
			nodes[i].cookie = idp.signIn(t, nodes[i].addr)
		}
	}

	for _, connections := range []int{1, 32} {
		samples := make([][]sample, len(nodes))
		for round := range rounds + 1 {
			order := nodes
			if round%2 == 1 {
				order = slices.Clone(nodes)
				slices.Reverse(order)
			}
			for _, n := range order {
				served := app.Served()
				s := measure(t, n, connections)
				if !n.refused {
					require.EqualValues(t, s.Requests, app.Served()-served, "%s: not all came from the upstream", n.name)
				}
				if round > 0 {
					i := slices.IndexFunc(nodes, func(m running) bool { return m.name == n.name })
					samples[i] = append(samples[i], s)
				}
			}
		}
		report(t, connections, nodes, samples)
	}
}

func caddyfile(b bench, n int, redis, addr, up string) string {
	var global string
	if b.redis {
		// A namespace of its own: all run side by side, and each is one node of one.
		global = fmt.Sprintf("redis {\n address %s\n namespace bench%d\n nodes 1\n }", redis, n)
	}
	return fmt.Sprintf("{\n auto_https off\n persist_config off\n %s\n}\nhttp://%s {\n bind 127.0.0.1\n %s\n reverse_proxy %s\n}\n",
		global, addr, b.site, up)
}

func measure(t *testing.T, n running, connections int) sample {
	t.Helper()
	before := cpuTime(t, n.node)
	r, err := Run(context.Background(), n.addr, connections, roundTime, func(i uint64) []byte {
		return fmt.Appendf(nil, "GET /plain HTTP/1.1\r\nHost: %s\r\nX-Key: k%d\r\nCookie: %s\r\n\r\n", n.addr, i%n.keys, n.cookie)
	})
	require.NoError(t, err)
	want := 200
	if n.refused {
		want = 429
	}
	// A refused key has one request to begin with, and a health check has gone before.
	require.GreaterOrEqual(t, r.Statuses[want], r.Requests-2, "%s: statuses %v", n.name, r.Statuses)
	return sample{Result: r, cpu: (cpuTime(t, n.node) - before) / time.Duration(r.Requests)}
}

// cpuTime is what the process has used so far, by the kernel's account: ticks of 10 ms.
func cpuTime(t *testing.T, g *devstack.Gateway) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", g.Process().Pid()))
	require.NoError(t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] { // utime, stime
		n, err := strconv.ParseInt(f, 10, 64)
		require.NoError(t, err)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// report prints medians of the rounds, each round compared with the bare edge of the same round.
func report(t *testing.T, connections int, nodes []running, samples [][]sample) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\treq/s\tratio\t(spread)\tCPU a request\tratio\tp50\tadded\tp99\tadded\t")
	for i, n := range nodes {
		value := func(f func(sample) float64) float64 {
			return median(samples[i], func(k int) float64 { return f(samples[i][k]) })
		}
		ratio := func(f func(sample) float64) func(int) float64 {
			return func(k int) float64 { return f(samples[i][k]) / f(samples[0][k]) }
		}
		added := func(f func(sample) float64) float64 {
			return median(samples[i], func(k int) float64 { return f(samples[i][k]) - f(samples[0][k]) })
		}
		low, high := spread(samples[i], ratio(rate))
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f–%.2f\t%.0f µs\t%.2f\t%.0f µs\t%+.0f µs\t%.0f µs\t%+.0f µs\t\n", n.name,
			value(rate), median(samples[i], ratio(rate)), low, high,
			value(cpu), median(samples[i], ratio(cpu)), value(p50), added(p50), value(p99), added(p99))
	}
	_ = w.Flush()
	t.Logf("%d connections, %d rounds of %s, %d processors\n%s", connections, len(samples[0]), roundTime, runtime.NumCPU(), b.String())
}

func rate(s sample) float64 { return s.Rate() }
func cpu(s sample) float64  { return float64(s.cpu) / 1e3 }
func p50(s sample) float64  { return float64(s.P50) / 1e3 }
func p99(s sample) float64  { return float64(s.P99) / 1e3 }

func median(samples []sample, f func(int) float64) float64 {
	v := values(samples, f)
	return v[len(v)/2]
}

func spread(samples []sample, f func(int) float64) (low, high float64) {
	v := values(samples, f)
	return v[0], v[len(v)-1]
}

func values(samples []sample, f func(int) float64) []float64 {
	v := make([]float64, len(samples))
	for i := range samples {
		v[i] = f(i)
	}
	slices.Sort(v)
	return v
}
