package localstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// node is a local store beside a shared one.
type node struct {
	t      *testing.T
	clock  *limitertest.Clock
	local  *localstore.Store
	shared *limitertest.Model
	whole  *limiter.Policy
	nodes  int
}

func newNode(t *testing.T, limit limiter.Limit, nodes int) *node {
	clock := limitertest.NewClock()
	return &node{
		t: t, clock: clock, nodes: nodes, whole: policy(t, limit),
		local:  localstore.New(localstore.Options{Now: clock.Now}),
		shared: limitertest.NewModel(clock.Now),
	}
}

// ask takes from the shared store, and mirrors what it said.
func (n *node) ask() limiter.Decision {
	claims := []limiter.Claim{{Key: keyOf(1), Policy: n.whole, Cost: 1}}
	require.NoError(n.t, n.shared.Take(context.Background(), claims))
	n.local.Observe(claims, n.nodes, false)
	return claims[0].Decision
}

// degraded takes at the node's share until it refuses, and counts.
func (n *node) degraded() (admitted int) {
	claims := []limiter.Claim{{Key: keyOf(1), Policy: n.whole.ShareOf(n.nodes, 0), Cost: 1}}
	for {
		if n.local.TakeDegraded(claims); !limiter.Allowed(claims) {
			return admitted
		}
		admitted++
	}
}

func (n *node) drain(lost uint32) []limiter.Merge {
	merges, done := n.local.DrainSome(nil, 100, localstore.Clock{Offset: 7, Lost: lost})
	require.True(n.t, done)
	require.Zero(n.t, n.local.Unsynced())
	return merges
}

func TestObserve_shareStartsWhereTheWholeStood(t *testing.T) {
	for _, test := range []struct {
		name  string
		limit limiter.Limit
		want  int
	}{
		// 40 of 100 are used: of its 50 a node has 20 less, or its own 40 where it keeps count.
		{"gcra", limiter.Limit{Algorithm: limiter.GCRA, Rate: 100, Period: time.Hour}, 30},
		{"log", limiter.Limit{Algorithm: limiter.Log, Rate: 100, Period: time.Hour}, 10},
		{"slices", limiter.Limit{Algorithm: limiter.Slices, Rate: 100, Period: time.Hour}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNode(t, test.limit, 2)
			for range 40 {
				require.True(t, n.ask().Allowed)
			}
			require.Equal(t, test.want, n.degraded())
		})
	}
}

func TestObserve_othersAdmissionsFade(t *testing.T) {
	for _, algorithm := range []limiter.Algorithm{limiter.Log, limiter.Slices} {
		t.Run(algorithm.String(), func(t *testing.T) {
			n := newNode(t, limiter.Limit{Algorithm: algorithm, Rate: 100, Period: time.Hour}, 2)
			others := []limiter.Claim{{Key: keyOf(1), Policy: n.whole, Cost: 59}}
			require.NoError(t, n.shared.Take(context.Background(), others))
			n.ask() // 60 used, one of them here: 29 are this node's part of the others'
			require.Equal(t, 50-30, n.degraded())
			n.clock.Advance(30 * time.Minute)
			require.InDelta(t, 15, n.degraded(), 1, "half of the others' part has faded")
		})
	}
}

func TestDrain_tellsWhatWasAdmittedAlone(t *testing.T) {
	for _, test := range []struct {
		name      string
		algorithm limiter.Algorithm
		events    func(limiter.Merge) int64
	}{
		{"gcra", limiter.GCRA, func(m limiter.Merge) int64 { token, _ := m.Policy.Scale(); return m.Debt / token }},
		{"log", limiter.Log, func(m limiter.Merge) int64 { return int64(len(m.Times)) }},
		{"slices", limiter.Slices, slicesEvents},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := newNode(t, limiter.Limit{Algorithm: test.algorithm, Rate: 100, Period: time.Hour}, 2)
			for range 20 {
				n.ask()
			}
			admitted := n.degraded()
			require.Positive(t, admitted)
			merges := n.drain(0)
			require.Len(t, merges, 1)
			require.Equal(t, n.whole, merges[0].Policy, "the whole policy, not the share")
			require.EqualValues(t, admitted, test.events(merges[0]))
			require.Zero(t, merges[0].Floor)
			require.Empty(t, n.drain(0), "it is told once")

			n.local.Restore(merges, localstore.Clock{Offset: 7})
			again := n.drain(0)
			require.Len(t, again, 1, "what could not be delivered is still owed")
			require.EqualValues(t, admitted, test.events(again[0]))
		})
	}
}

// A store that came back empty is told of what it once held, too.
func TestDrain_tellsAStoreThatLostItsDataEverything(t *testing.T) {
	n := newNode(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 100, Period: time.Hour}, 2)
	for range 20 {
		n.ask()
	}
	n.local.BeginHandOver()
	merges := n.drain(1)
	require.Len(t, merges, 1)
	token, _ := n.whole.Scale()
	require.EqualValues(t, 20*token, merges[0].Floor)
	require.Zero(t, merges[0].Debt)
	require.Empty(t, n.drain(1), "once")

	w := newNode(t, limiter.Limit{Algorithm: limiter.Log, Rate: 100, Period: time.Hour}, 2)
	for range 20 {
		w.ask()
	}
	admitted := w.degraded()
	w.local.BeginHandOver()
	merges = w.drain(1)
	require.Len(t, merges, 1)
	require.Len(t, merges[0].Times, 20+admitted)
	require.Equal(t, w.clock.Now().UnixMicro()+7, merges[0].Times[0], "on the shared store's clock")
}

// Zones that each node counts for itself stay out of the shared store, whatever that has lost.
func TestDrain_tellsNobodyOfLocalPolicies(t *testing.T) {
	n := newNode(t, limiter.Limit{Algorithm: limiter.Log, Rate: 100, Period: time.Hour}, 2)
	n.whole.Local = true
	require.NoError(t, n.local.Take(context.Background(), []limiter.Claim{{Key: keyOf(1), Policy: n.whole, Cost: 1}}))
	require.Empty(t, n.drain(n.local.BeginHandOver()))
	merges, done := n.local.DrainSome(nil, 10, localstore.Clock{Lost: n.local.BeginHandOver()})
	require.Empty(t, merges)
	require.True(t, done)
}

// A call that was given up, or charged by both stores, is not told of again.
func TestDrain_doesNotTellOfWhatTheSharedStoreCounts(t *testing.T) {
	for _, algorithm := range []limiter.Algorithm{limiter.GCRA, limiter.Log, limiter.Slices} {
		t.Run(algorithm.String(), func(t *testing.T) {
			n := newNode(t, limiter.Limit{Algorithm: algorithm, Rate: 100, Period: time.Hour}, 2)
			claims := []limiter.Claim{{Key: keyOf(1), Policy: n.whole.ShareOf(2, 0), Cost: 1}}
			for range 10 {
				require.NoError(t, n.local.Take(context.Background(), claims))
			}
			n.local.TakeDegraded(claims)
			for range 10 {
				require.NoError(t, n.local.Take(context.Background(), claims))
			}
			merges := n.drain(0)
			require.Len(t, merges, 1)
			switch algorithm {
			case limiter.GCRA:
				token, _ := n.whole.Scale()
				require.EqualValues(t, token, merges[0].Debt)
			case limiter.Log:
				require.Len(t, merges[0].Times, 1)
			case limiter.Slices:
				require.EqualValues(t, 1, slicesEvents(merges[0]))
			}
		})
	}
}

func TestOwe_makesADebtOfAChargeThatWasNotShared(t *testing.T) {
	for _, algorithm := range []limiter.Algorithm{limiter.GCRA, limiter.Log, limiter.Slices} {
		t.Run(algorithm.String(), func(t *testing.T) {
			n := newNode(t, limiter.Limit{Algorithm: algorithm, Rate: 100, Period: time.Hour}, 2)
			for range 5 {
				n.ask()
			}
			claims := []limiter.Claim{{Key: keyOf(1), Policy: n.whole.ShareOf(2, 0), Cost: 3}}
			require.NoError(t, n.local.Take(context.Background(), claims))
			require.Zero(t, n.local.Unsynced())
			n.local.AddUnsynced(claims)
			merges := n.drain(0)
			require.Len(t, merges, 1)
			switch algorithm {
			case limiter.GCRA:
				token, _ := n.whole.Scale()
				require.EqualValues(t, 3*token, merges[0].Debt)
			case limiter.Log:
				require.Len(t, merges[0].Times, 3)
			case limiter.Slices:
				require.EqualValues(t, 3, slicesEvents(merges[0]))
			}
		})
	}
}

func slicesEvents(m limiter.Merge) (n int64) {
	for _, c := range m.Slices {
		n += c.Count
	}
	return n
}

// What one key of a shared cell has spent is not given back by what is heard of another.
func TestObserve_keysThatShareACellDoNotFreeEachOther(t *testing.T) {
	clock := limitertest.NewClock()
	s := localstore.New(localstore.Options{MaxKeys: 64, Now: clock.Now})
	p := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 1, Period: time.Hour})
	for n := range 5000 {
		take(t, s, p, n) // full, and every key in it is being refused
	}
	p2 := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 10, Period: time.Hour})
	p2.Zone = "another" // whose shared cells are still unused
	heard := func(key limiter.Key, reset time.Duration) []limiter.Claim {
		return []limiter.Claim{{Key: key, Policy: p2, Cost: 1, Decision: limiter.Decision{Decided: true, Allowed: true, ResetAfter: reset}}}
	}
	spent := keyOf(1_000_000)
	other := spent
	for n := 1_000_001; other == spent; n++ {
		if k := keyOf(n); k[0]%64 == spent[0]%64 && k[1]%16 == spent[1]%16 {
			other = k
		}
	}
	s.Observe(heard(spent, time.Hour), 1, false)
	s.Observe(heard(other, time.Minute), 1, false)
	claims := []limiter.Claim{{Key: spent, Policy: p2, Cost: 1}}
	s.TakeDegraded(claims)
	require.False(t, claims[0].Decision.Allowed)
}
