package ratelimit

import (
	"context"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
)

// redisDouble says how it was asked, and admits everything.
type redisDouble struct {
	mode     degraded.Mode
	degraded bool

	taken, alone int
	left         time.Duration // until the deadline of the last Take
}

func (d *redisDouble) Take(ctx context.Context, claims []limiter.Claim) error {
	d.taken++
	if err := ctx.Err(); err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		d.left = time.Until(deadline)
	}
	return d.admit(claims)
}

func (d *redisDouble) TakeDegraded(_ context.Context, claims []limiter.Claim) error {
	d.alone++
	return d.admit(claims)
}

func (d *redisDouble) admit(claims []limiter.Claim) error {
	for i := range claims {
		claims[i].Decision = limiter.Decision{Decided: true, Allowed: true, Degraded: d.degraded, Quota: 1}
	}
	return nil
}

func (d *redisDouble) Refund(context.Context, []limiter.Claim) error { return nil }
func (d *redisDouble) Mode() degraded.Mode                           { return d.mode }

// undecided is a store in a Cluster: it refuses the first claim and comes to no other.
type undecided struct{ redisDouble }

func (*undecided) Take(_ context.Context, claims []limiter.Claim) error {
	for i := range claims {
		claims[i].Decision = limiter.Decision{}
	}
	claims[0].Decision = limiter.Decision{Decided: true, Quota: 5, Window: time.Minute, RetryAfter: time.Second}
	return nil
}

const patientZone = "rate_limit {\n zone z {\n events 1\n window 1m\n}\n op_timeout 1s\n}"

func TestTake_waitsForRedisWithinTheBudget(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spent time.Duration
		// most and least are what the call may wait; none: Redis is not asked.
		least, most time.Duration
	}{
		{"nothing was spent", 0, 900 * time.Millisecond, time.Second},
		{"what the grace covers", 10 * time.Millisecond, 900 * time.Millisecond, time.Second},
		{"some was spent", 510 * time.Millisecond, 400 * time.Millisecond, 500 * time.Millisecond},
		{"all was spent", 1010 * time.Millisecond, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, redis := open(t, patientZone), new(redisDouble)
			f.redis = redis
			r := client("192.0.2.1")
			if tt.spent > 0 {
				caddyhttp.SetVar(r.Context(), waitedKey, waited{spent: tt.spent})
			}
			require.Equal(t, passed, f.do(r).Code)
			if tt.most == 0 {
				require.Zero(t, redis.taken)
				require.Equal(t, 1, redis.alone)
				return
			}
			require.Equal(t, 1, redis.taken)
			require.GreaterOrEqual(t, redis.left, tt.least)
			require.LessOrEqual(t, redis.left, tt.most)
		})
	}
}

func TestTake_laterHandlersDoNotTryAgain(t *testing.T) {
	f, redis := open(t, patientZone), &redisDouble{degraded: true}
	f.redis = redis
	r := client("192.0.2.1")
	require.Equal(t, passed, f.do(r).Code)
	require.Equal(t, 1, redis.taken)
	require.Equal(t, passed, f.do(r).Code, "another handler of the same request")
	require.Equal(t, 1, redis.taken)
	require.Equal(t, 1, redis.alone)
	require.Equal(t, passed, f.status("192.0.2.1"), "another request")
	require.Equal(t, 2, redis.taken)
	require.InDelta(t, 3, counterValue(t, f.zones[0].metrics.degraded), 0)
}

func TestTake_asksNobodyWhileTheBreakerIsOpen(t *testing.T) {
	f, redis := open(t, patientZone), &redisDouble{mode: degraded.Degraded}
	f.redis = redis
	require.Equal(t, passed, f.status("192.0.2.1"))
	require.Zero(t, redis.taken)
	require.Equal(t, 1, redis.alone)
}

func TestTake_localZonesDoNotAskRedis(t *testing.T) {
	f, redis := open(t, "rate_limit {\n zone z {\n events 1\n window 1m\n mode local\n}\n}"), new(redisDouble)
	f.redis = redis
	require.Equal(t, []int{passed, tooMany}, f.statuses(2, "192.0.2.1"))
	require.Zero(t, redis.taken+redis.alone)
}

// A machine so busy that the time had run out before the store began is no reason for a 5xx.
func TestTake_decidesWhenNoTimeWasLeft(t *testing.T) {
	f, redis := open(t, "rate_limit {\n zone z {\n events 1\n window 1m\n}\n op_timeout 1ns\n}"), new(redisDouble)
	f.redis = redis
	require.Equal(t, passed, f.status("192.0.2.1"))
	require.Equal(t, 1, redis.taken)
	require.Equal(t, 1, redis.alone)
}

func TestServeHTTP_reportsOnlyWhatWasDecided(t *testing.T) {
	f := open(t, "rate_limit {\n zone a {\n limit 5/1m\n}\n zone b {\n limit 5/1m\n}\n}")
	f.redis = new(undecided)
	r := client("192.0.2.1")
	w := f.do(r)
	require.Equal(t, tooMany, w.Code)
	require.Equal(t, `"a";q=5;w=60`, w.Header().Get("RateLimit-Policy"))
	require.Equal(t, `"a";r=0;t=1`, w.Header().Get("RateLimit"))
	require.Equal(t, `["a"]`, value(r, "http.rate_limit.violated_policies"))
	require.InDelta(t, 1, counterValue(t, f.zones[0].metrics.refused), 0)
	require.InDelta(t, 0, counterValue(t, f.zones[1].metrics.refused), 0)
}

// failsOpen admits without a decision, as zones with on_failure open are.
type failsOpen struct{ redisDouble }

func (*failsOpen) Take(_ context.Context, claims []limiter.Claim) error {
	for i := range claims {
		claims[i].Decision = limiter.Decision{Allowed: true, Degraded: true}
	}
	return nil
}

func TestServeHTTP_failOpenHasNoFields(t *testing.T) {
	f := open(t, "rate_limit {\n zone a {\n limit 5/1m\n on_failure open\n}\n}")
	f.redis = new(failsOpen)
	w := f.do(client("192.0.2.1"))
	require.Equal(t, passed, w.Code)
	require.NotContains(t, w.Header(), "Ratelimit")
	require.NotContains(t, w.Header(), "Ratelimit-Policy")
}
