package redisstore

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// patience bounds what only happens in time on an idle machine.
const patience = 20 * time.Second

// connect opens a link to the server and waits until it carries calls. A call that takes long on a
// busy machine is no failure here.
func connect(tb testing.TB, opts redislink.Options) *redislink.Link {
	tb.Helper()
	link := redislink.Open(opts, "limits", redislink.Settings{OpTimeout: patience})
	tb.Cleanup(func() { require.NoError(tb, link.Close()) })
	require.Eventually(tb, func() bool { return link.State() == redislink.StateClosed }, patience, time.Millisecond,
		"no connection to %v", opts.Addresses)
	return link
}

func standalone(server *stack.Redis) redislink.Options {
	return redislink.Options{Addresses: []string{server.Addr()}, NodeID: "test"}
}

func start(tb testing.TB, config ...string) *stack.Redis {
	tb.Helper()
	return stack.RedisForTest(tb, stack.RedisOptions{Config: config})
}

// open starts a server and returns a store on it that goes by its clock.
func open(tb testing.TB, config ...string) (*Store, *stack.Redis) {
	tb.Helper()
	server := start(tb, config...)
	return New(connect(tb, standalone(server)), Options{}), server
}

// startCluster starts a Cluster of one node that owns all slots.
func startCluster(tb testing.TB) redislink.Options {
	tb.Helper()
	bus, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	port := bus.Addr().(*net.TCPAddr).Port
	require.NoError(tb, bus.Close())
	server := start(tb, "cluster-enabled yes", "cluster-port "+strconv.Itoa(port))
	cli(tb, server, "CLUSTER", "ADDSLOTSRANGE", "0", "16383")
	require.Eventually(tb, func() bool { return strings.Contains(cli(tb, server, "CLUSTER", "INFO"), "cluster_state:ok") },
		patience, 10*time.Millisecond)
	opts := standalone(server)
	opts.Cluster = true
	return opts
}

func cli(tb testing.TB, server *stack.Redis, args ...string) string {
	tb.Helper()
	reply, err := server.CLI(args...)
	require.NoError(tb, err)
	return reply
}

func number(tb testing.TB, server *stack.Redis, args ...string) int64 {
	tb.Helper()
	n, err := strconv.ParseInt(cli(tb, server, args...), 10, 64)
	require.NoError(tb, err)
	return n
}

func within(tb testing.TB) context.Context {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	return ctx
}

func perMinute(a limiter.Algorithm, rate int64) limiter.Limit {
	return limiter.Limit{Algorithm: a, Rate: rate, Period: time.Minute}
}

var algorithms = []limiter.Algorithm{limiter.GCRA, limiter.Log, limiter.Slices}

func claim(tb testing.TB, key string, limit limiter.Limit, cost int64) limiter.Claim {
	tb.Helper()
	return limiter.Claim{Key: limitertest.Key(tb, key), Policy: limitertest.Policy(tb, 1, limit), Cost: cost}
}

// take decides one claim.
func take(tb testing.TB, s *Store, c limiter.Claim) limiter.Decision {
	tb.Helper()
	claims := []limiter.Claim{c}
	require.NoError(tb, s.Take(within(tb), claims))
	return claims[0].Decision
}

// stateKey is where the claim's state is.
func stateKey(s *Store, c limiter.Claim) string { return s.wires.of(c.Policy).key(c.Key) }

func TestStore(t *testing.T) {
	link := connect(t, standalone(start(t)))
	limitertest.TestStore(t, func(_ *testing.T, clock *limitertest.Clock) limiter.Store {
		return New(link, Options{TestClock: clock.Now})
	})
}

func TestStore_agreesWithModel(t *testing.T) {
	link := connect(t, standalone(start(t)))
	limitertest.Differential(t, func(_ *testing.T, clock *limitertest.Clock) limiter.Store {
		return New(link, Options{TestClock: clock.Now})
	})
}

func TestStore_inCluster(t *testing.T) {
	link := connect(t, startCluster(t))
	limitertest.TestStore(t, func(_ *testing.T, clock *limitertest.Clock) limiter.Store {
		return New(link, Options{TestClock: clock.Now})
	})
}

func ExampleNew() {
	link := redislink.Open(redislink.Options{Addresses: []string{"127.0.0.1:7379"}, NodeID: "edge-1"}, "limits", redislink.Settings{})
	defer func() { _ = link.Close() }()
	store := New(link, Options{})

	policy, err := limiter.NewPolicy("api", 1, limiter.Limit{Algorithm: limiter.GCRA, Rate: 100, Period: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	claims := []limiter.Claim{{Key: limiter.Key{1}, Policy: policy, Cost: 1}}
	if err := store.Take(context.Background(), claims); err != nil {
		fmt.Println("decide it on this node: nothing was charged, or it is not known")
		return
	}
	fmt.Println(claims[0].Decision.Allowed, claims[0].Decision.Remaining)
}
