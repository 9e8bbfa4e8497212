package ratelimit

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// decided makes a call of which each limit was decided so.
func decided(t *testing.T, zone string, limits []limiter.Limit, decisions []limiter.Decision) *call {
	t.Helper()
	c := new(call)
	for i, l := range limits {
		p, err := limiter.NewPolicy(zone, i+1, l)
		require.NoError(t, err)
		d := decisions[i]
		d.Decided = true
		if d.Quota == 0 {
			d.Quota, d.Window = p.Capacity(), p.Window()
		}
		f := newLimitField(p)
		c.claims = append(c.claims, limiter.Claim{Policy: p, Cost: 1, Decision: d})
		c.fields = append(c.fields, &f)
	}
	return c
}

func TestFields_exactBytes(t *testing.T) {
	gcra := limiter.Limit{Algorithm: limiter.GCRA, Rate: 500, Period: 15 * time.Minute}
	burst := limiter.Limit{Algorithm: limiter.GCRA, Rate: 500, Period: 15 * time.Minute, Burst: 50}
	events := limiter.Limit{Algorithm: limiter.Log, Rate: 10, Period: time.Minute}
	short := limiter.Limit{Algorithm: limiter.Log, Rate: 10, Period: 500 * time.Millisecond}
	uneven := limiter.Limit{Algorithm: limiter.Slices, Rate: 200, Period: 1500 * time.Millisecond}
	tests := []struct {
		name           string
		zone           string
		limit          limiter.Limit
		decision       limiter.Decision
		policy, limit2 string
	}{
		{"whole", "ip", gcra, limiter.Decision{Allowed: true, Remaining: 499, ResetAfter: 1800 * time.Millisecond},
			`"ip";q=500;w=900`, `"ip";r=499;t=2`},
		{"burst fills in its own time", "ip", burst, limiter.Decision{Allowed: true, Remaining: 0, ResetAfter: 90 * time.Second},
			`"ip";q=50;w=90`, `"ip";r=0;t=90`},
		{"full", "ip", events, limiter.Decision{Allowed: true, Remaining: 10},
			`"ip";q=10;w=60`, `"ip";r=10`},
		{"refused", "ip", events, limiter.Decision{RetryAfter: 1, ResetAfter: time.Minute},
			`"ip";q=10;w=60`, `"ip";r=0;t=1`},
		{"never", "ip", events, limiter.Decision{RetryAfter: limiter.Never, Remaining: 10},
			`"ip";q=10;w=60`, `"ip";r=10`},
		{"below a second", "ip", short, limiter.Decision{Allowed: true, Remaining: 9, ResetAfter: 500 * time.Millisecond},
			`"ip";q=10`, `"ip";r=9;t=1`},
		{"rounded up", "ip", uneven, limiter.Decision{Allowed: true, Remaining: 9, ResetAfter: 1001 * time.Millisecond},
			`"ip";q=200;w=2`, `"ip";r=9;t=2`},
		{"a share", "ip", events, limiter.Decision{Allowed: true, Degraded: true, Quota: 3, Window: 2 * time.Minute, Remaining: 2, ResetAfter: time.Minute},
			`"ip";q=3;w=120`, `"ip";r=2;t=60`},
		{"a name to quote", `a "b" \c`, events, limiter.Decision{Allowed: true, Remaining: 10},
			`"a \"b\" \\c";q=10;w=60`, `"a \"b\" \\c";r=10`},
		{"a name beyond ASCII", "zürich\n", events, limiter.Decision{Allowed: true, Remaining: 10},
			`"z%C3%BCrich%0A";q=10;w=60`, `"z%C3%BCrich%0A";r=10`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values := decided(t, tt.zone, []limiter.Limit{tt.limit}, []limiter.Decision{tt.decision}).values()
			require.Equal(t, tt.policy, values[0])
			require.Equal(t, tt.limit2, values[1])
		})
	}
}

func TestFields_severalLimits(t *testing.T) {
	c := decided(t, "api", []limiter.Limit{
		{Algorithm: limiter.GCRA, Rate: 10, Period: time.Second},
		{Algorithm: limiter.Log, Rate: 100, Period: time.Hour},
	}, []limiter.Decision{
		{Allowed: true, Remaining: 9, ResetAfter: 100 * time.Millisecond},
		{Allowed: true, Remaining: 99, ResetAfter: time.Hour},
	})
	require.Equal(t, [2]string{
		`"api";q=10;w=1, "api/2";q=100;w=3600`,
		`"api";r=9;t=1, "api/2";r=99;t=3600`,
	}, c.values())

	// In a Cluster the store stops at the first refusal: nothing is known of the others.
	c.claims[0].Decision.Decided = false
	require.Equal(t, [2]string{`"api/2";q=100;w=3600`, `"api/2";r=99;t=3600`}, c.values())
}

// What we append by hand a structured-fields library reads back as what was meant.
func TestFields_areStructuredFields(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + random.IntN(4)
		var limits []limiter.Limit
		var decisions []limiter.Decision
		for range n {
			limits = append(limits, limiter.Limit{
				Algorithm: limiter.Slices, Rate: 1 + random.Int64N(limiter.LargestRate), Period: time.Millisecond + time.Duration(random.Int64N(int64(1000*time.Hour)/1000)*1000),
			})
			decisions = append(decisions, limiter.Decision{
				Allowed: random.IntN(2) == 0, Remaining: random.Int64N(limiter.LargestRate),
				RetryAfter: time.Duration(random.Int64N(int64(time.Hour))), ResetAfter: time.Duration(random.Int64N(int64(time.Hour))),
			})
		}
		name := randomName(random)
		c := decided(t, name, limits, decisions)
		values := c.values()
		policies, err := httpsfv.UnmarshalList([]string{values[0]})
		require.NoError(t, err, values[0])
		states, err := httpsfv.UnmarshalList([]string{values[1]})
		require.NoError(t, err, values[1])
		require.Len(t, policies, n)
		require.Len(t, states, n)
		for i := range c.claims {
			d := c.claims[i].Decision
			policy, state := policies[i].(httpsfv.Item), states[i].(httpsfv.Item)
			require.Equal(t, c.claims[i].Policy.Name, policy.Value)
			require.Equal(t, c.claims[i].Policy.Name, state.Value)
			require.Equal(t, d.Quota, param(policy, "q"))
			if d.Window >= time.Second {
				require.Equal(t, seconds(d.Window), param(policy, "w"))
			} else {
				require.Nil(t, param(policy, "w"))
			}
			require.Equal(t, d.Remaining, param(state, "r"))
		}
		// The library writes the same bytes.
		again, err := httpsfv.Marshal(policies)
		require.NoError(t, err)
		require.Equal(t, again, values[0])
	}
}

func randomName(random *rand.Rand) string {
	var b strings.Builder
	for range 1 + random.IntN(12) {
		b.WriteByte(byte(' ' + random.IntN('~'-' '+1)))
	}
	return b.String()
}

func param(item httpsfv.Item, name string) any {
	v, _ := item.Params.Get(name)
	return v
}
