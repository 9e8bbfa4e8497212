package degraded_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// windows are the algorithms that promise never more than N in any window.
var windows = []limiter.Algorithm{limiter.Log, limiter.Slices}

// A whole outage with even traffic at twice the limit, as the targets state it.
func TestStore_holdsTheLimitThroughAnOutage(t *testing.T) {
	const limit = 300
	const window = 60 * time.Second
	for _, kept := range []bool{true, false} {
		for _, algorithm := range windows {
			name := algorithm.String() + map[bool]string{true: "/kept", false: "/empty"}[kept]
			t.Run(name, func(t *testing.T) {
				c := newCluster(t, 3)
				r := rand.New(rand.NewPCG(1, 2))
				p := policy(t, limiter.Limit{Algorithm: algorithm, Rate: limit, Period: window}, limiter.Share)

				c.traffic(r, p, "k", 10, 3*window)
				require.Equal(t, limit, c.most(window, 0, c.micros()), "exact, before")

				failed := c.micros()
				c.down()
				c.traffic(r, p, "k", 10, 4*window)
				back := c.micros()
				require.LessOrEqual(t, c.most(window, failed, back), limit, "inside the outage")
				require.LessOrEqual(t, c.most(window, failed-window.Microseconds(), failed+window.Microseconds()), limit*110/100,
					"a window that holds the failover")
				// The first window still has the admissions of before; after it, nearly all of the limit.
				got := c.count(failed+window.Microseconds(), back)
				require.GreaterOrEqual(t, got, 3*limit*90/100, "capacity while degraded")

				if !kept {
					c.model.Clear()
				}
				c.up(kept)
				c.settled()
				c.traffic(r, p, "k", 10, 3*window)
				require.LessOrEqual(t, c.most(window, failed+window.Microseconds(), c.micros()), limit,
					"never over, from the outage into the time after it")
				require.GreaterOrEqual(t, c.count(back+window.Microseconds(), c.micros()), 2*limit*98/100, "exact again")
			})
		}
	}
}

// GCRA promises the rate: no more than B + R·L in any interval L.
func TestStore_holdsTheRateThroughAnOutage(t *testing.T) {
	for _, kept := range []bool{true, false} {
		t.Run(map[bool]string{true: "kept", false: "empty"}[kept], func(t *testing.T) {
			c := newCluster(t, 3)
			r := rand.New(rand.NewPCG(3, 4))
			const rate, burst = 300, 60
			p := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: rate, Period: time.Minute, Burst: burst}, limiter.Share)
			within := func(d time.Duration) int { return burst + int(d.Minutes()*rate) + 1 }

			c.traffic(r, p, "k", 10, 2*time.Minute)
			require.LessOrEqual(t, len(c.admitted), within(2*time.Minute))
			failed := c.micros()
			c.down()
			c.traffic(r, p, "k", 10, 5*time.Minute)
			back := c.micros()
			// Buckets were empty: nothing but the refill, and at least nine tenths of it.
			require.LessOrEqual(t, c.count(failed, back), 5*rate+3)
			require.GreaterOrEqual(t, c.count(failed, back), 5*rate*90/100)

			if !kept {
				c.model.Clear()
			}
			c.up(kept)
			c.settled()
			c.traffic(r, p, "k", 10, 5*time.Minute)
			require.LessOrEqual(t, c.count(failed, c.micros()), 10*rate+3)
			require.GreaterOrEqual(t, c.count(back, c.micros()), 5*rate*98/100)
			require.LessOrEqual(t, c.most(time.Minute, 0, c.micros()), within(time.Minute))
		})
	}
}

// A key that was spent before the outage is not given back by it, whichever node is asked, nor by a
// shared store that comes back empty.
func TestStore_anOutageForgivesNothing(t *testing.T) {
	for _, algorithm := range []limiter.Algorithm{limiter.GCRA, limiter.Log, limiter.Slices} {
		t.Run(algorithm.String(), func(t *testing.T) {
			c := newCluster(t, 2)
			p := policy(t, limiter.Limit{Algorithm: algorithm, Rate: 40, Period: time.Hour}, limiter.Share)
			for i := range 100 {
				c.take(c.nodes[i%2], p, "k")
			}
			require.Len(t, c.admitted, 40)
			c.down()
			for i := range 100 {
				c.take(c.nodes[i%2], p, "k")
			}
			c.model.Clear()
			c.up(false)
			c.settled()
			for i := range 100 {
				c.take(c.nodes[i%2], p, "k")
			}
			// GCRA refilled nothing either: the clock has not moved.
			require.Len(t, c.admitted, 40)
		})
	}
}

// Keys that nobody asks for during the hand-over are told as well.
func TestStore_handsOverKeysNobodyAsksFor(t *testing.T) {
	c := newCluster(t, 2)
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 10, Period: time.Hour}, limiter.Share)
	keys := make([]string, 3000)
	for i := range keys {
		keys[i] = "k" + string(rune('a'+i%26)) + time.Duration(i).String()
	}
	c.down()
	for _, k := range keys {
		for i := range 4 {
			require.True(t, c.take(c.nodes[i%2], p, k).Allowed)
		}
	}
	c.up(true)
	c.settled()
	for _, k := range keys {
		d := c.take(c.nodes[0], p, k)
		require.EqualValues(t, 5, d.Remaining, "4 were admitted alone, and one now")
		require.False(t, d.Degraded)
	}
}

// Each node hands over at its own moment; until all have, both the share and the shared store decide.
func TestStore_handOverAdmitsOnlyWhatBothAdmit(t *testing.T) {
	c := newCluster(t, 2)
	p := policy(t, limiter.Limit{Algorithm: limiter.Log, Rate: 20, Period: time.Hour}, limiter.Share)
	c.down()
	for range 30 {
		c.take(c.nodes[0], p, "k")
		c.take(c.nodes[1], p, "k")
	}
	require.Len(t, c.admitted, 20)
	// Node 0 is back; node 1 has told the shared store nothing yet.
	c.nodes[0].link.cut(nil)
	c.nodes[0].LinkUp(true)
	for range 30 {
		c.take(c.nodes[0], p, "k")
	}
	require.Len(t, c.admitted, 20, "the shared store knows only of 10: the share holds")
	c.nodes[1].link.cut(nil)
	c.nodes[1].LinkUp(true)
	c.settled()
	for range 30 {
		c.take(c.nodes[0], p, "k")
		c.take(c.nodes[1], p, "k")
	}
	require.Len(t, c.admitted, 20)
}

// A link that flaps: whatever happens between, nothing is forgotten and nothing counted twice for good.
func TestStore_flapping(t *testing.T) {
	for _, algorithm := range windows {
		t.Run(algorithm.String(), func(t *testing.T) {
			const limit = 120
			const window = 30 * time.Second
			c := newCluster(t, 3)
			r := rand.New(rand.NewPCG(5, 6))
			p := policy(t, limiter.Limit{Algorithm: algorithm, Rate: limit, Period: window}, limiter.Share)
			for range 12 {
				c.traffic(r, p, "k", 12, time.Duration(1+r.IntN(10))*time.Second)
				c.down()
				c.traffic(r, p, "k", 12, time.Duration(1+r.IntN(10))*time.Second)
				c.up(true)
				c.traffic(r, p, "k", 12, 100*time.Millisecond)
				if r.IntN(2) == 0 {
					c.settled()
				}
			}
			require.LessOrEqual(t, c.most(window, 0, c.micros()), limit*125/100)
			c.settled()
			from := c.micros()
			c.traffic(r, p, "k", 12, 4*window)
			require.LessOrEqual(t, c.most(window, from, c.micros()), limit)
			require.GreaterOrEqual(t, c.count(from+window.Microseconds(), c.micros()), 3*limit*97/100)
		})
	}
}

// Limits smaller than the number of nodes keep their rate.
func TestStore_limitsBelowTheNumberOfNodes(t *testing.T) {
	for _, algorithm := range []limiter.Algorithm{limiter.GCRA, limiter.Log} {
		t.Run(algorithm.String(), func(t *testing.T) {
			c := newCluster(t, 5)
			r := rand.New(rand.NewPCG(7, 8))
			p := policy(t, limiter.Limit{Algorithm: algorithm, Rate: 2, Period: time.Minute}, limiter.Share)
			c.down()
			c.traffic(r, p, "k", 5, 30*time.Minute)
			require.LessOrEqual(t, len(c.admitted), 60+5, "the rate, and a burst of one a node")
			require.GreaterOrEqual(t, len(c.admitted), 50)
		})
	}
}
