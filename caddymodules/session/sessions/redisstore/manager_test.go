package redisstore_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/redisstore"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// site is a node's Manager over a link of its own.
type site struct {
	*sessions.Manager
	node *sessions.Node
	link *counter
}

func newSite(t testing.TB, server *stack.Redis, ns string, keys *sessions.Keys, clock func() time.Time, test bool) *site {
	t.Helper()
	link := &counter{Link: connect(t, server, 8<<20)}
	config := redisstore.Config{Link: link, Namespace: ns}
	if test {
		config.TestClock = clock
	}
	s := &site{link: link}
	s.node = sessions.NewNode(sessions.NodeConfig{Store: open(t, config), Now: clock})
	var err error
	s.Manager, err = sessions.New(sessions.Config{
		Namespace: ns, Node: s.node, Keys: keys, Issuers: map[string]string{"corp": sessionstest.Person().Issuer},
		Rotation: time.Hour, RideThrough: 10 * time.Minute,
	})
	require.NoError(t, err)
	return s
}

func signIn(t testing.TB, s *site) sessions.Request {
	t.Helper()
	var cookies sessions.Cookies
	// Again, should a loaded machine's disk have taken longer than the deadline.
	require.Eventually(t, func() (done bool) {
		_, made, err := s.Login(t.Context(), sessions.Request{Host: "a"}, sessionstest.Person())
		cookies = made
		return err == nil
	}, 30*time.Second, time.Millisecond)
	return sessions.Request{Cookie: cookies.Session, Ticket: cookies.Ticket, Host: "a", Safe: true}
}

// TestManager_costsFewCommands: 2 requests a second on 3 nodes for 10 minutes, in no time at all.
func TestManager_costsFewCommands(t *testing.T) {
	clock, ns, keys := sessionstest.NewClock(), namespace(), sessions.RandomKeys()
	var sites []*site
	for range 3 {
		sites = append(sites, newSite(t, redis, ns, keys, clock.Now, true))
	}
	jar := signIn(t, sites[0])
	asked := func() (n int64) {
		for _, s := range sites {
			n += s.link.asked.Load()
		}
		return n
	}
	before := asked()
	const requests = 1200
	for i := range requests {
		clock.Advance(500 * time.Millisecond)
		for _, s := range sites {
			require.NoError(t, s.node.FlushDue(t.Context()))
		}
		s := sites[i%3]
		v := s.Check(t.Context(), jar)
		require.Equal(t, sessions.SignedIn, v.Status, "request %d: %s %v", i, v.Reason, v.Err)
		cookies, _ := s.Cookies(t.Context(), &v)
		if cookies.Ticket != "" {
			jar.Ticket = cookies.Ticket
		}
	}
	cost := float64(asked()-before) / requests
	t.Logf("%.4f commands a request", cost)
	assert.LessOrEqual(t, cost, 0.05)
}

// TestManager_survivesRedis: while Redis hangs, is killed and comes back, people on three nodes stay
// signed in, and no request waits for long.
func TestManager_survivesRedis(t *testing.T) {
	server, err := stack.StartRedis(t.Context(), stack.RedisOptions{AppendOnly: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	keys := sessions.RandomKeys()
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	t.Cleanup(func() { stop(); wg.Wait() })
	var sites []*site
	for range 3 {
		link := redislink.Open(
			redislink.Options{Addresses: []string{server.Addr()}, NodeID: t.Name()}, "sessions",
			redislink.Settings{OpTimeout: redisstore.DefaultTimeout, CacheBytes: 8 << 20},
		)
		t.Cleanup(func() { _ = link.Close() })
		require.Eventually(t, func() bool { return link.State() == redislink.StateClosed }, 30*time.Second, time.Millisecond)
		store, err := redisstore.New(redisstore.Config{Link: link, Namespace: "outage"})
		require.NoError(t, err)
		s := &site{}
		s.node = sessions.NewNode(sessions.NodeConfig{Store: store})
		t.Cleanup(link.Subscribe(func(c redislink.Change) {
			if c.State == redislink.StateClosed {
				wg.Go(func() { _ = s.node.LinkUp(ctx) })
			} else {
				s.node.LinkDown(c.Reason)
			}
		}))
		wg.Go(func() { s.node.Run(ctx) })
		s.Manager, err = sessions.New(sessions.Config{
			Namespace: "outage", Node: s.node, Keys: keys, Issuers: map[string]string{"corp": sessionstest.Person().Issuer},
			Rotation: time.Hour, RideThrough: 10 * time.Minute,
		})
		require.NoError(t, err)
		sites = append(sites, s)
	}

	var asked, degraded, undecided, signedOut, slowest atomic.Int64
	users, usersDone := context.WithCancel(ctx)
	var people sync.WaitGroup
	for i := range 20 {
		jar := signIn(t, sites[i%3])
		people.Go(func() {
			for n := i; users.Err() == nil; n++ {
				s := sites[n%3]
				began := time.Now()
				v := s.Check(ctx, jar)
				took := time.Since(began)
				for old := slowest.Load(); took.Nanoseconds() > old && !slowest.CompareAndSwap(old, took.Nanoseconds()); {
					old = slowest.Load()
				}
				cookies, _ := s.Cookies(ctx, &v)
				if cookies.Ticket != "" {
					jar.Ticket = cookies.Ticket
				}
				asked.Add(1)
				switch {
				case v.Status == sessions.SignedOut:
					signedOut.Add(1)
				case v.Status == sessions.Undecided:
					undecided.Add(1)
				case v.Source.Degraded():
					degraded.Add(1)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	rest := func(d time.Duration) { time.Sleep(d) }
	back := func() {
		t.Helper()
		require.Eventually(t, func() bool {
			for _, s := range sites {
				if s.node.Away() {
					return false
				}
			}
			return true
		}, 30*time.Second, 10*time.Millisecond)
	}
	rest(300 * time.Millisecond)
	require.NoError(t, server.Pause())
	rest(2 * time.Second)
	require.NoError(t, server.Resume())
	back()
	hung := degraded.Load()
	require.NoError(t, server.Kill())
	rest(2 * time.Second)
	require.NoError(t, server.Restart(t.Context()))
	back()
	rest(time.Second)
	usersDone()
	people.Wait()

	t.Logf("%d requests, %d of them degraded (%d in the hang), %d undecided, slowest %s",
		asked.Load(), degraded.Load(), hung, undecided.Load(), time.Duration(slowest.Load()))
	assert.Zero(t, signedOut.Load())
	assert.LessOrEqual(t, float64(undecided.Load()), 0.001*float64(asked.Load()))
	assert.Positive(t, hung)
	assert.Greater(t, degraded.Load(), hung)
	// With room for a machine under load; the deadline is 150 ms.
	assert.Less(t, time.Duration(slowest.Load()), 2*time.Second)
}

// TestManager_rotatesOnceOverRedis: a hundred requests at once on three nodes when a rotation is due.
func TestManager_rotatesOnceOverRedis(t *testing.T) {
	clock, ns, keys := sessionstest.NewClock(), namespace(), sessions.RandomKeys()
	var sites []*site
	for range 3 {
		sites = append(sites, newSite(t, redis, ns, keys, clock.Now, true))
	}
	jar := signIn(t, sites[0])
	for range 6 {
		clock.Advance(10 * time.Minute)
		v := sites[0].Check(t.Context(), jar)
		require.Equal(t, sessions.SignedIn, v.Status)
	}
	var won atomic.Int64
	var mu sync.Mutex
	successors := map[string]bool{}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			s := sites[i%3]
			v := s.Check(t.Context(), jar)
			assert.Equal(t, sessions.SignedIn, v.Status)
			cookies, result := s.Cookies(t.Context(), &v)
			if result == sessions.RotationWon {
				won.Add(1)
			}
			if cookies.Session != "" {
				mu.Lock()
				successors[cookies.Session] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, int64(1), won.Load())
	assert.Len(t, successors, 1, "every response carries the same successor")
	for successor := range successors {
		jar.Cookie = successor
	}
	for _, s := range sites {
		v := s.Check(t.Context(), jar)
		require.Equal(t, sessions.SignedIn, v.Status)
	}
}

func BenchmarkCheck_fromTheCopy(b *testing.B) {
	s := newSite(b, redis, namespace(), sessions.RandomKeys(), time.Now, false)
	jar := signIn(b, s)
	for range 3 { // learns the copy and that the ticket is fresh
		s.Check(b.Context(), jar)
	}
	b.ReportAllocs()
	for b.Loop() {
		if v := s.Check(b.Context(), jar); v.Status != sessions.SignedIn {
			b.Fatal(v.Reason, v.Err)
		}
	}
}

func BenchmarkCheck_fromRedis(b *testing.B) {
	s := newSite(b, redis, namespace(), sessions.RandomKeys(), time.Now, false)
	jar := signIn(b, s)
	jar.Outage = sessions.StrictAlways
	b.ReportAllocs()
	for b.Loop() {
		if v := s.Check(b.Context(), jar); v.Status != sessions.SignedIn {
			b.Fatal(v.Reason, v.Err)
		}
	}
}

func BenchmarkCheck_fromRedisInParallel(b *testing.B) {
	s := newSite(b, redis, namespace(), sessions.RandomKeys(), time.Now, false)
	jar := signIn(b, s)
	jar.Outage = sessions.StrictAlways
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if v := s.Check(context.Background(), jar); v.Status != sessions.SignedIn {
				b.Error(v.Reason, v.Err)
			}
		}
	})
}
