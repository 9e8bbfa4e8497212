package degraded_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// The first request for a key takes along what the key owes, however slow the rest is.
func TestHandOver_firstTouchTakesTheDebtAlong(t *testing.T) {
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 20, Period: time.Hour}, limiter.Share)
	c, n := newHandingOver(t, true, true, func(c *cluster) {
		for range 5 {
			require.True(t, c.take(c.nodes[0], p, "k").Degraded)
		}
	})
	d := c.take(n, p, "k")
	require.True(t, d.Allowed)
	require.False(t, d.Degraded)
	require.EqualValues(t, 20-5-1, d.Remaining)
	require.EqualValues(t, 20-5-2, c.take(n, p, "k").Remaining, "once")
}

// What the shared store refuses is given back to the share.
func TestHandOver_aRefusalByTheSharedStoreIsGivenBackToTheShare(t *testing.T) {
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 10, Period: time.Hour}, limiter.Share)
	c, n := newHandingOver(t, true, false, func(c *cluster) {
		for range 10 {
			require.True(t, c.take(c.nodes[1], p, "k").Allowed)
		}
	})
	c.clock.Advance(30 * time.Minute)
	for range 8 {
		require.False(t, c.take(n, p, "k").Allowed)
	}
	c.clock.Advance(31 * time.Minute)
	require.True(t, c.take(n, p, "k").Allowed)
}

// A key that is new after the return is known to the shared store, even to one that lost its data.
func TestHandOver_newKeysAreNotToldTwice(t *testing.T) {
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 20, Period: time.Hour}, limiter.Share)
	c, n := newHandingOver(t, false, false, func(c *cluster) { c.model.Clear() })
	for i := range 5 {
		require.EqualValues(t, 20-1-i, c.take(n, p, "k").Remaining)
	}
}

// A store that took the merges and refused the rest is not sent them again.
func TestHandOver_mergesThatWereExecutedAreNotRepeated(t *testing.T) {
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 20, Period: time.Hour}, limiter.Share)
	c, n := newHandingOver(t, true, true, func(c *cluster) {
		for range 5 {
			c.take(c.nodes[0], p, "k")
		}
	})
	n.link.refusesTakes.Store(true)
	require.True(t, c.take(n, p, "k").Degraded)
	n.link.refusesTakes.Store(false)
	require.EqualValues(t, 20-5-1-1, c.take(n, p, "k").Remaining)
}

// A reload that signs in otherwise makes a new store over the counts of the old one. What was new after the
// old one's outages is told in the new one's, if the shared store loses its data then.
func TestHandOver_outagesAreCountedOverReloads(t *testing.T) {
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 20, Period: time.Hour}, limiter.Share)
	c := newCluster(t, 1)
	local := localstore.New(localstore.Options{Now: c.clock.Now})
	open := func() *node {
		l := &link{Model: c.model}
		l.holdsMerges.Store(true)
		n := &node{link: l, Store: degraded.New(l, local, place{1, 0}, degraded.Options{HandOver: time.Hour})}
		t.Cleanup(n.Close)
		n.LinkUp(true)
		return n
	}
	before := open()
	before.LinkDown()
	before.LinkUp(true)
	for range 5 {
		require.True(t, c.take(before, p, "k").Allowed)
	}

	after := open()
	after.LinkDown()
	c.model.Clear()
	after.LinkUp(false)
	require.EqualValues(t, 20-5-1, c.take(after, p, "k").Remaining)
}
