package degraded_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// A lone node degrades to the whole limit, so in each mode it is a store like any other.
func TestStore_isAStoreInEveryMode(t *testing.T) {
	lone := func(clock *limitertest.Clock, opts degraded.Options) (*degraded.Store, *link) {
		l := &link{Model: limitertest.NewModel(clock.Now)}
		s := degraded.New(l, localstore.New(localstore.Options{Now: clock.Now}), place{1, 0}, opts)
		t.Cleanup(s.Close)
		return s, l
	}
	t.Run("exact", func(t *testing.T) {
		limitertest.TestStore(t, func(_ *testing.T, clock *limitertest.Clock) limiter.Store {
			s, _ := lone(clock, degraded.Options{})
			s.LinkUp(true)
			return s
		})
	})
	t.Run("alone", func(t *testing.T) {
		limitertest.TestStore(t, func(_ *testing.T, clock *limitertest.Clock) limiter.Store {
			s, l := lone(clock, degraded.Options{})
			l.cut(limiter.ErrUnavailable)
			return unmarked{s}
		})
	})
	t.Run("failing", func(t *testing.T) {
		limitertest.TestStore(t, func(_ *testing.T, clock *limitertest.Clock) limiter.Store {
			s, l := lone(clock, degraded.Options{})
			s.LinkUp(true)
			l.cut(limiter.ErrUnavailable)
			return unmarked{s}
		})
	})
}

// unmarked takes the mark off decisions that are Degraded, which the contract does not ask for.
type unmarked struct{ *degraded.Store }

func (u unmarked) Take(ctx context.Context, claims []limiter.Claim) error {
	err := u.Store.Take(ctx, claims)
	mark(claims, false)
	return err
}

func (u unmarked) Refund(ctx context.Context, claims []limiter.Claim) error {
	mark(claims, true)
	defer mark(claims, false)
	return u.Store.Refund(ctx, claims)
}

func mark(claims []limiter.Claim, degraded bool) {
	for i := range claims {
		claims[i].Decision.Degraded = degraded
	}
}

func TestStore_decidesAtOnceWhenACallFails(t *testing.T) {
	for _, test := range []struct {
		name string
		err  error
		// owed: the shared store has to be told later.
		unsynced bool
	}{
		{"unavailable", limiter.ErrUnavailable, true},
		{"given up", limiter.ErrUnanswered, false},
		{"connection lost", limiter.ErrConnectionLost, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, 2)
			p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 10, Period: time.Hour}, limiter.Share)
			n := c.nodes[0]
			n.link.cut(test.err)
			for i := range 8 {
				d := c.take(n, p, "k")
				require.True(t, d.Degraded)
				require.EqualValues(t, 5, d.Quota, "the share")
				require.Equal(t, i < 5, d.Allowed)
			}
			require.EqualValues(t, 8, n.link.calls.Load(), "the breaker's business, not the store's: each call asked")
			n.link.cut(nil)
			d := c.take(n, p, "k")
			require.True(t, d.Allowed)
			require.False(t, d.Degraded)
			if test.unsynced {
				require.EqualValues(t, 10-5-1, d.Remaining)
			} else {
				require.EqualValues(t, 10-1, d.Remaining, "it will be executed when the store wakes")
			}
		})
	}
}

func TestStore_asksNothingWhileTheLinkIsDown(t *testing.T) {
	c := newCluster(t, 2)
	p := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 10, Period: time.Hour}, limiter.Share)
	c.down()
	for range 10 {
		c.take(c.nodes[0], p, "k")
	}
	require.Zero(t, c.nodes[0].link.calls.Load())
}

func TestStore_onFailure(t *testing.T) {
	limit := limiter.Limit{Algorithm: limiter.GCRA, Rate: 10, Period: time.Hour}
	for _, test := range []struct {
		on   limiter.OnFailure
		want int
		err  error
	}{
		{limiter.Share, 5, nil},
		{limiter.PerNode, 10, nil},
		{limiter.FailOpen, 30, nil},
		{limiter.FailClosed, 0, limiter.ErrClosed},
	} {
		c := newCluster(t, 2)
		p := policy(t, limit, test.on)
		c.down()
		admitted := 0
		for range 30 {
			claims := []limiter.Claim{{Key: limitertest.Key(t, "k"), Policy: p, Cost: 1}}
			err := c.nodes[0].Take(context.Background(), claims)
			require.ErrorIs(t, err, test.err)
			if err == nil && limiter.Allowed(claims) {
				admitted++
			}
		}
		require.Equal(t, test.want, admitted, "on_failure %d", test.on)
	}
}

// A policy that fails closed is decided by the shared store as soon as that can be asked.
func TestStore_failClosedDuringHandOver(t *testing.T) {
	clock := limitertest.NewClock()
	l := &link{Model: limitertest.NewModel(clock.Now)}
	s := degraded.New(l, localstore.New(localstore.Options{Now: clock.Now}), place{2, 0}, degraded.Options{HandOver: time.Hour})
	t.Cleanup(s.Close)
	s.LinkUp(true)
	s.LinkDown()
	s.LinkUp(true)
	require.Equal(t, degraded.HandOver, s.Mode())
	p := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 1, Period: time.Hour}, limiter.FailClosed)
	claims := []limiter.Claim{{Key: limitertest.Key(t, "k"), Policy: p, Cost: 1}}
	require.NoError(t, s.Take(context.Background(), claims))
	require.True(t, limiter.Allowed(claims))
	require.NoError(t, s.Take(context.Background(), claims))
	require.False(t, limiter.Allowed(claims))
	l.cut(limiter.ErrUnavailable)
	require.ErrorIs(t, s.Take(context.Background(), claims), limiter.ErrClosed)
}

// Claims of this node's own and shared ones are all or nothing together, in every mode, and the own
// ones are never told to the shared store.
func TestStore_localAndSharedClaimsTogether(t *testing.T) {
	c := newCluster(t, 2)
	own := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 6, Period: time.Hour}, limiter.Share)
	own.Local = true
	shared := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 8, Period: time.Hour}, limiter.Share)
	n := c.nodes[0]
	take := func(f func(context.Context, []limiter.Claim) error) (own1, shared1 limiter.Decision, allowed bool) {
		claims := []limiter.Claim{
			{Key: limitertest.Key(t, "shared"), Policy: shared, Cost: 1},
			{Key: limitertest.Key(t, "own"), Policy: own, Cost: 1},
		}
		require.NoError(t, f(context.Background(), claims))
		return claims[1].Decision, claims[0].Decision, limiter.Allowed(claims)
	}
	o, s, allowed := take(n.Take)
	require.True(t, allowed)
	require.EqualValues(t, 5, o.Remaining)
	require.EqualValues(t, 7, s.Remaining)
	require.False(t, o.Degraded)

	c.down()
	for range 3 {
		_, s, allowed = take(n.Take)
		require.True(t, allowed)
		require.True(t, s.Degraded)
	}
	o, s, allowed = take(n.TakeDegraded)
	require.False(t, allowed, "the share of the shared limit is 4")
	require.True(t, o.Allowed)
	require.EqualValues(t, 2, o.Remaining, "it was given back")
	require.False(t, s.Allowed)

	c.up(true)
	c.settled()
	o, s, allowed = take(n.Take)
	require.True(t, allowed)
	require.EqualValues(t, 1, o.Remaining, "a refusal by the shared limit took nothing of the own one")
	require.EqualValues(t, 3, s.Remaining)
	_, _, allowed = take(n.Take)
	require.True(t, allowed)
	o, s, allowed = take(n.Take)
	require.False(t, allowed)
	require.False(t, o.Allowed)
	require.False(t, s.Decided, "not asked: the own limit had refused")
	require.True(t, s.Allowed)
}

func TestStore_tellsEachChangeOfMode(t *testing.T) {
	var mu sync.Mutex
	var modes []degraded.Mode
	clock := limitertest.NewClock()
	s := degraded.New(&link{Model: limitertest.NewModel(clock.Now)}, localstore.New(localstore.Options{Now: clock.Now}),
		place{2, 0}, degraded.Options{HandOver: handOver, OnMode: func(m degraded.Mode) {
			mu.Lock()
			defer mu.Unlock()
			modes = append(modes, m)
		}})
	require.Equal(t, degraded.Degraded, s.Mode())
	s.LinkDown()
	s.LinkUp(true)
	s.LinkUp(true)
	s.LinkDown()
	s.LinkDown()
	s.LinkUp(true)
	require.Eventually(t, func() bool { return s.Mode() == degraded.Exact }, 10*time.Second, time.Millisecond)
	s.Close()
	s.LinkDown()
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, []degraded.Mode{degraded.Exact, degraded.Degraded, degraded.HandOver, degraded.Exact}, modes)
}

// Whatever happens in between, the total over all nodes is exact once all is handed over: for -race.
func TestStore_parallelThroughOutages(t *testing.T) {
	const limit = 900
	c := newCluster(t, 3)
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: limit, Period: time.Hour}, limiter.Share)
	key := limitertest.Key(t, "k")
	var wg sync.WaitGroup
	counts := make([]int, 12)
	stop := make(chan struct{})
	for i := range counts {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				claims := []limiter.Claim{{Key: key, Policy: p, Cost: 1}}
				if err := c.nodes[i%3].Take(context.Background(), claims); err != nil {
					t.Error(err)
					return
				}
				if limiter.Allowed(claims) {
					counts[i]++
				}
			}
		})
	}
	for range 5 {
		time.Sleep(3 * time.Millisecond)
		c.down()
		time.Sleep(3 * time.Millisecond)
		c.up(true)
		c.settled()
	}
	close(stop)
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n
	}
	// How many requests the scheduler let through in between is its own affair. Whatever is left is there to be taken.
	for _, n := range c.nodes {
		for c.take(n, p, "k").Allowed {
			total++
		}
	}
	// A node that is cut off goes on from what it last heard. How old that is, in requests of the others, the scheduler
	// decides: the bound is the one that holds whatever happens, one share more for each other node.
	require.LessOrEqual(t, total, limit+limit*2/3)
	require.GreaterOrEqual(t, total, limit, "nothing is counted twice")
}

func BenchmarkTake_alone(b *testing.B) {
	clock := limitertest.NewClock()
	s := degraded.New(&link{Model: limitertest.NewModel(clock.Now)}, localstore.New(localstore.Options{}), place{3, 0}, degraded.Options{})
	p := policy(b, limiter.Limit{Algorithm: limiter.GCRA, Rate: 1_000_000, Period: time.Millisecond}, limiter.Share)
	claims := []limiter.Claim{{Policy: p, Cost: 1}}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Take(context.Background(), claims); err != nil {
			b.Fatal(err)
		}
	}
}
