package limiter

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func policy(t testing.TB, a Algorithm, rate int64, period time.Duration, burst int64) *Policy {
	t.Helper()
	p, err := NewPolicy("zone", 1, Limit{Algorithm: a, Rate: rate, Period: period, Burst: burst})
	require.NoError(t, err)
	return p
}

func TestNewPolicy_names(t *testing.T) {
	limit := Limit{Algorithm: Log, Rate: 5, Period: time.Minute}
	for ordinal, want := range map[int]struct{ name, id string }{
		1: {"zone", "log1"}, 2: {"zone/2", "log2"}, 255: {"zone/255", "log255"},
	} {
		p, err := NewPolicy("zone", ordinal, limit)
		require.NoError(t, err)
		require.Equal(t, want.name, p.Name)
		require.Equal(t, want.id, p.ID())
		require.Equal(t, "zone", p.Zone)
		require.Same(t, p, p.Parent())
	}
	for _, ordinal := range []int{0, -1, 256} {
		_, err := NewPolicy("zone", ordinal, limit)
		require.ErrorContains(t, err, "at most 255")
	}
	_, err := NewPolicy("zone", 1, Limit{})
	require.Error(t, err)
}

// The state of a key goes by kind and place, not by numbers: a changed limit finds it again.
func TestPolicy_IDoutlivesNumbers(t *testing.T) {
	require.Equal(t, policy(t, GCRA, 5, time.Minute, 0).ID(), policy(t, GCRA, 900, time.Hour, 7).ID())
	require.NotEqual(t, policy(t, Log, 5, time.Minute, 0).ID(), policy(t, Slices, 5, time.Minute, 0).ID())
}

func TestPolicy_Window(t *testing.T) {
	for _, tt := range []struct {
		p    *Policy
		want time.Duration
	}{
		{policy(t, GCRA, 10, time.Second, 0), time.Second},
		{policy(t, GCRA, 10, time.Second, 50), 5 * time.Second},
		{policy(t, GCRA, 3, time.Second, 1), 333_334 * time.Microsecond}, // up
		{policy(t, GCRA, 700_000, time.Second, 1), 2 * time.Microsecond},
		{policy(t, Log, 3, time.Minute, 0), time.Minute},
		{policy(t, Slices, 300, time.Minute, 0), time.Minute},
	} {
		require.Equal(t, tt.want, tt.p.Window(), "%s", tt.p)
	}
	require.Equal(t, int64(1_000_000), policy(t, Slices, 1, time.Minute, 0).SliceWidth())
	require.Equal(t, int64(2), policy(t, Slices, 1, 61*time.Microsecond, 0).SliceWidth(), "60 slices cover the window")
}

// The shares of all ranks add up to the limit, in capacity and in rate.
func TestShareOf_addsUp(t *testing.T) {
	for nodes := 2; nodes <= 12; nodes++ {
		for rate := int64(nodes); rate < 40; rate++ {
			for _, whole := range []*Policy{
				policy(t, GCRA, rate, time.Minute, 0),
				policy(t, GCRA, 7, time.Minute, rate),
				policy(t, Log, rate, time.Minute, 0),
				policy(t, Slices, rate, time.Minute, 0),
			} {
				var capacity int64
				for rank := range nodes {
					share := whole.ShareOf(nodes, rank)
					capacity += share.Capacity()
					require.Same(t, whole, share.Parent())
					require.Equal(t, whole.ID(), share.ID())
					if whole.Algorithm == GCRA {
						token, repay := share.Scale()
						wholeToken, wholeRepay := whole.Scale()
						require.Equal(t, wholeRepay*token, repay*wholeToken*int64(nodes), "%s refills a %dth", share, nodes)
					} else {
						require.Equal(t, whole.Period, share.Period)
					}
				}
				require.Equal(t, whole.Capacity(), capacity, "%s over %d nodes", whole, nodes)
				require.LessOrEqual(t, whole.ShareOf(nodes, -1).Capacity()*int64(nodes), whole.Capacity(), "a node without a rank")
			}
		}
	}
}

// Trap 22: a limit below the number of nodes. Together they keep the rate: one event each in W·N/L.
func TestShareOf_lessThanNodes(t *testing.T) {
	for _, a := range []Algorithm{Log, Slices} {
		share := policy(t, a, 3, time.Minute, 0).ShareOf(7, 5)
		require.Equal(t, int64(1), share.Rate)
		require.Equal(t, 140*time.Second, share.Period)
		share = policy(t, a, 2, 61*time.Microsecond, 0).ShareOf(3, 0)
		require.Equal(t, 92*time.Microsecond, share.Period, "up")
		require.Zero(t, policy(t, a, 0, time.Minute, 0).ShareOf(3, 0).Rate)
	}
	share := policy(t, GCRA, 2, time.Minute, 0).ShareOf(5, 4)
	require.Equal(t, int64(1), share.Capacity())
	require.Equal(t, 150*time.Second, share.Window())
}

func TestShareOf_isKept(t *testing.T) {
	p := policy(t, GCRA, 10, time.Minute, 0)
	p.Local, p.OnFailure = true, FailClosed
	require.Same(t, p, p.ShareOf(1, 0))
	require.Same(t, p, p.ShareOf(0, -1))
	three := p.ShareOf(3, 1)
	require.Same(t, three, p.ShareOf(3, 1))
	require.NotSame(t, three, p.ShareOf(3, 2))
	require.True(t, three.Local)
	require.Equal(t, FailClosed, three.OnFailure)
	require.Equal(t, p.Name, three.Name)
}

// Hundreds of nodes stretch a period of a year beyond what a Duration holds.
func TestShareOf_longestPeriods(t *testing.T) {
	for _, nodes := range []int{290, 291, 100_000} {
		for _, whole := range []*Policy{
			policy(t, GCRA, 1, LargestPeriod, 284), policy(t, Log, 1, LargestPeriod, 0), policy(t, Slices, 1, LargestPeriod, 0),
		} {
			share := whole.ShareOf(nodes, 0)
			require.Positive(t, share.Period, "%s over %d nodes", whole, nodes)
			require.Positive(t, share.Window(), "%s over %d nodes", whole, nodes)
			checkDecisions(t, share, 1)
		}
	}
}

func TestClaim_Refundable(t *testing.T) {
	c := Claim{Cost: 2, Decision: Decision{Allowed: true, At: 1000, ResetAfter: 50 * time.Microsecond}}
	require.True(t, c.Refundable(1000))
	require.True(t, c.Refundable(1049))
	require.False(t, c.Refundable(1050), "all of it has come back by itself")
	c.Decision.Allowed = false
	require.False(t, c.Refundable(1000))
	c.Decision.Allowed, c.Cost = true, 0
	require.False(t, c.Refundable(1000))
}

func TestAllowed(t *testing.T) {
	yes, no := Claim{Decision: Decision{Allowed: true}}, Claim{}
	require.True(t, Allowed(nil))
	require.True(t, Allowed([]Claim{yes, yes}))
	require.False(t, Allowed([]Claim{yes, no}))
}
