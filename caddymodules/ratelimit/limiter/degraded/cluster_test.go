package degraded_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// handOver is how long the stores of these tests hand over, by the wall clock. Everything else goes by
// the test clock, which stands still meanwhile.
const handOver = 20 * time.Millisecond

// cluster is some nodes that share one model of a store, and a clock.
type cluster struct {
	t     *testing.T
	clock *limitertest.Clock
	model *limitertest.Model
	nodes []*node
	// admitted are the moments of all admissions by any node, in microseconds.
	admitted []int64
}

// node is one process: its store, and what its connection to the shared store does.
type node struct {
	*degraded.Store
	link *link
}

// link is a Primary whose connection can be cut. It decides through the model, or fails as told.
type link struct {
	*limitertest.Model
	fails atomic.Pointer[error]
	calls atomic.Int64
	// holdsMerges fails Merge alone, as if the pace of the hand-over were slow.
	holdsMerges atomic.Bool
	// refusesTakes executes the merges of a TakeMerging, and then refuses.
	refusesTakes atomic.Bool
}

func (l *link) cut(err error) {
	if err == nil {
		l.fails.Store(nil)
		return
	}
	l.fails.Store(&err)
}

func (l *link) failure() error {
	l.calls.Add(1)
	if err := l.fails.Load(); err != nil {
		return *err
	}
	return nil
}

func (l *link) Take(ctx context.Context, claims []limiter.Claim) error {
	if err := l.failure(); err != nil {
		return err
	}
	return l.Model.Take(ctx, claims)
}

func (l *link) Merge(ctx context.Context, merges []limiter.Merge) error {
	if err := l.failure(); err != nil {
		return err
	}
	if l.holdsMerges.Load() {
		return limiter.ErrUnavailable
	}
	return l.Model.Merge(ctx, merges)
}

func (l *link) TakeMerging(ctx context.Context, merges []limiter.Merge, claims []limiter.Claim) error {
	if err := l.failure(); err != nil {
		return err
	}
	if l.refusesTakes.Load() {
		if err := l.Model.Merge(ctx, merges); err != nil {
			return err
		}
		return errors.New("the claims were refused")
	}
	return l.Model.TakeMerging(ctx, merges, claims)
}

// place is a Census that knows.
type place struct{ nodes, rank int }

func (p place) Share() (nodes, rank int) { return p.nodes, p.rank }

func newCluster(t *testing.T, nodes int) *cluster {
	clock := limitertest.NewClock()
	c := &cluster{t: t, clock: clock, model: limitertest.NewModel(clock.Now)}
	for rank := range nodes {
		l := &link{Model: c.model}
		s := degraded.New(l, localstore.New(localstore.Options{Now: clock.Now}), place{nodes, rank},
			degraded.Options{HandOver: handOver})
		t.Cleanup(s.Close)
		s.LinkUp(true)
		require.Equal(t, degraded.Exact, s.Mode(), "a first connection has nothing to hand over")
		c.nodes = append(c.nodes, &node{Store: s, link: l})
	}
	return c
}

// newHandingOver is a cluster whose first node has lost its link and found it again, and hands over
// until the test ends. before runs while the link is lost.
func newHandingOver(t *testing.T, kept, slow bool, before func(c *cluster)) (*cluster, *node) {
	c := newCluster(t, 2)
	l := &link{Model: c.model}
	l.holdsMerges.Store(slow)
	n := &node{link: l, Store: degraded.New(l, localstore.New(localstore.Options{Now: c.clock.Now}), place{2, 0},
		degraded.Options{HandOver: time.Hour})}
	t.Cleanup(n.Close)
	n.LinkUp(true)
	n.LinkDown()
	c.nodes[0] = n
	before(c)
	n.LinkUp(kept)
	require.Equal(t, degraded.HandOver, n.Mode())
	return c, n
}

// down cuts all nodes off.
func (c *cluster) down() {
	for _, n := range c.nodes {
		n.link.cut(limiter.ErrUnavailable)
		n.LinkDown()
	}
}

// up brings the shared store back for all nodes.
func (c *cluster) up(kept bool) {
	for _, n := range c.nodes {
		n.link.cut(nil)
		n.LinkUp(kept)
	}
}

// settled waits for the hand-over of all nodes to end.
func (c *cluster) settled() {
	c.t.Helper()
	for _, n := range c.nodes {
		require.Eventually(c.t, func() bool { return n.Mode() == degraded.Exact }, 10*time.Second, time.Millisecond)
	}
}

func (c *cluster) take(n *node, p *limiter.Policy, key string) limiter.Decision {
	c.t.Helper()
	claims := []limiter.Claim{{Key: limitertest.Key(c.t, key), Policy: p, Cost: 1}}
	require.NoError(c.t, n.Take(context.Background(), claims))
	if limiter.Allowed(claims) {
		c.admitted = append(c.admitted, c.clock.Now().UnixMicro())
	}
	return claims[0].Decision
}

// traffic sends rate requests a second for d, spread evenly and at random over the nodes.
func (c *cluster) traffic(r *rand.Rand, p *limiter.Policy, key string, rate int, d time.Duration) {
	gap := time.Second / time.Duration(rate)
	for end := c.clock.Now().Add(d); c.clock.Now().Before(end); c.clock.Advance(gap) {
		c.take(c.nodes[r.IntN(len(c.nodes))], p, key)
	}
}

// most is the largest number of admissions in any window.
func (c *cluster) most(window time.Duration, from, to int64) (n int) {
	first := 0
	for i, t := range c.admitted {
		if t >= to {
			break
		}
		for c.admitted[first] < from || t-c.admitted[first] >= window.Microseconds() {
			if first++; first > i {
				break
			}
		}
		if first <= i {
			n = max(n, i-first+1)
		}
	}
	return n
}

func (c *cluster) micros() int64 { return c.clock.Now().UnixMicro() }

// count is the number of admissions in [from, to).
func (c *cluster) count(from, to int64) (n int) {
	for _, t := range c.admitted {
		if t >= from && t < to {
			n++
		}
	}
	return n
}

func policy(t testing.TB, limit limiter.Limit, on limiter.OnFailure) *limiter.Policy {
	t.Helper()
	p, err := limiter.NewPolicy("zone", 1, limit)
	require.NoError(t, err)
	p.OnFailure = on
	return p
}
