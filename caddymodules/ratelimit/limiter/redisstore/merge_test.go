package redisstore

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// admitted is what a node tells that let n pass at the moment at.
func admitted(c limiter.Claim, n int64, at time.Time) limiter.Merge {
	m := limiter.Merge{Key: c.Key, Policy: c.Policy}
	switch c.Policy.Algorithm {
	case limiter.GCRA:
		token, _ := c.Policy.Scale()
		m.Debt = n * token
	case limiter.Log:
		for range n {
			m.Times = append(m.Times, at.UnixMicro())
		}
	case limiter.Slices:
		m.Slices = []limiter.SliceCount{{At: at.UnixMicro(), Count: n}}
	}
	return m
}

func TestMerge_countsOnTop(t *testing.T) {
	s, server := open(t)
	for _, a := range algorithms {
		c := claim(t, a.String(), perMinute(a, 10), 3)
		take(t, s, c)
		require.NoError(t, s.Merge(within(t), []limiter.Merge{admitted(c, 4, time.Now())}))
		c.Cost = 0
		d := take(t, s, c)
		require.Equal(t, int64(3), d.Remaining, "%s", a)
		end := number(t, server, "PEXPIRETIME", stateKey(s, c))
		require.GreaterOrEqual(t, end*1000, d.At+d.ResetAfter.Microseconds(), "%s: lives until all is back", a)
		require.Less(t, end*1000, d.At+62_000_000, "%s: and not much longer", a)

		// More than fits is as good as full.
		require.NoError(t, s.Merge(within(t), []limiter.Merge{admitted(c, 400, time.Now())}))
		require.Zero(t, take(t, s, c).Remaining, "%s", a)
	}
}

func TestMerge_floorIsNotAdded(t *testing.T) {
	s, _ := open(t)
	c := claim(t, "key", perMinute(limiter.GCRA, 10), 3)
	take(t, s, c)
	token, _ := c.Policy.Scale()
	merge := limiter.Merge{Key: c.Key, Policy: c.Policy, Floor: 2 * token}
	require.NoError(t, s.Merge(within(t), []limiter.Merge{merge}))
	c.Cost = 0
	require.Equal(t, int64(7), take(t, s, c).Remaining, "the store holds more than the floor")
	merge.Floor, merge.Debt = 5*token, token
	require.NoError(t, s.Merge(within(t), []limiter.Merge{merge}))
	require.Equal(t, int64(4), take(t, s, c).Remaining, "floor, then debt")
}

// What the outage admitted above the limit is not made less of: a node's times are kept, in order.
func TestMerge_timesInOrder(t *testing.T) {
	clock := limitertest.NewClock()
	s := New(connect(t, standalone(start(t))), Options{TestClock: clock.Now})
	c := claim(t, "key", perMinute(limiter.Log, 3), 1)
	first := clock.Now()
	clock.Advance(10 * time.Second)
	take(t, s, c)
	clock.Advance(10 * time.Second)
	m := limiter.Merge{Key: c.Key, Policy: c.Policy, Times: []int64{
		first.Add(-time.Hour).UnixMicro(), first.UnixMicro(), first.Add(15 * time.Second).UnixMicro(), first.Add(time.Hour).UnixMicro(),
	}}
	require.NoError(t, s.Merge(within(t), []limiter.Merge{m}))
	for cost, want := range map[int64]time.Duration{1: 50 * time.Second, 2: 55 * time.Second, 3: time.Minute} {
		c.Cost = cost
		d := take(t, s, c)
		require.False(t, d.Allowed, "cost %d", cost)
		require.Equal(t, want, d.RetryAfter, "cost %d waits for 0 s and 10 s, 15 s, 20 s", cost)
	}
}

// More times than any limit counts are not kept.
func TestMerge_boundsTheLog(t *testing.T) {
	s, server := open(t)
	c := claim(t, "key", perMinute(limiter.Log, 10), 1)
	for range 3 {
		require.NoError(t, s.Merge(within(t), []limiter.Merge{admitted(c, 400, time.Now())}))
	}
	require.Equal(t, int64(8*limiter.LargestLog), number(t, server, "STRLEN", stateKey(s, c)))
}

// A count that is more than four bytes hold stays as large as they can: it does not begin anew.
func TestMerge_countsSaturate(t *testing.T) {
	clock := limitertest.NewClock()
	s := New(connect(t, standalone(start(t))), Options{TestClock: clock.Now})
	minute := claim(t, "key", perMinute(limiter.Slices, limiter.LargestRate), 0)
	hour := claim(t, "key", limiter.Limit{Algorithm: limiter.Slices, Rate: limiter.LargestRate, Period: time.Hour}, 0)
	merge := func(c limiter.Claim, n int64) {
		require.NoError(t, s.Merge(within(t), []limiter.Merge{admitted(c, n, clock.Now())}))
	}
	for range 5 {
		merge(minute, limiter.LargestRate)
	}
	require.Zero(t, take(t, s, minute).Remaining)
	// The slices of a minute become one of the hour.
	clock.Advance(time.Second)
	merge(minute, limiter.LargestRate)
	merge(hour, 0)
	require.Zero(t, take(t, s, hour).Remaining)
}

// Many merges go in several calls, in a Cluster by key.
func TestMerge_many(t *testing.T) {
	for name, opts := range map[string]redislink.Options{"standalone": standalone(start(t)), "cluster": startCluster(t)} {
		t.Run(name, func(t *testing.T) {
			s := New(connect(t, opts), Options{})
			var claims []limiter.Claim
			var merges []limiter.Merge
			for i := range 3*mergesPerCall + 1 {
				c := claim(t, time.Duration(i).String(), perMinute(algorithms[i%3], 10), 0)
				claims = append(claims, c)
				merges = append(merges, admitted(c, 4, time.Now()), admitted(c, 1, time.Now()))
			}
			require.NoError(t, s.Merge(within(t), merges))
			require.NoError(t, s.Merge(within(t), nil))
			require.NoError(t, s.Take(within(t), claims))
			for _, c := range claims {
				require.Equal(t, int64(5), c.Decision.Remaining, "%s", c.Policy)
			}
		})
	}
}

func TestTakeMerging_mergesFirst(t *testing.T) {
	for name, opts := range map[string]redislink.Options{"standalone": standalone(start(t)), "cluster": startCluster(t)} {
		t.Run(name, func(t *testing.T) {
			s := New(connect(t, opts), Options{})
			var claims []limiter.Claim
			var merges []limiter.Merge
			for _, a := range algorithms {
				c := claim(t, a.String(), perMinute(a, 10), 2)
				claims = append(claims, c)
				merges = append(merges, admitted(c, 7, time.Now()))
			}
			require.NoError(t, s.TakeMerging(within(t), merges, claims))
			for _, c := range claims {
				require.True(t, c.Decision.Allowed, "%s", c.Policy)
				require.Equal(t, int64(1), c.Decision.Remaining, "%s", c.Policy)
			}
			require.NoError(t, s.TakeMerging(within(t), nil, claims))
			require.False(t, limiter.Allowed(claims))
			require.NoError(t, s.TakeMerging(within(t), merges, nil))
		})
	}
}
