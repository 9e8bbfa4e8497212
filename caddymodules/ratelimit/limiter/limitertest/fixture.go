package limitertest

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Open makes an empty store that decides by the clock. It registers its own clean-up with t.
type Open func(t *testing.T, clock *Clock) limiter.Store

// settler is a store that does some of its work after Take has returned: one that decides claims one
// by one, and gives back what it had charged before the one that was refused.
type settler interface {
	// Settle waits until all of it is done.
	Settle()
}

// deadline is far beyond what any single call takes: a call that meets it hangs.
const deadline = 30 * time.Second

// fixture is one store under test with its clock.
type fixture struct {
	t     *testing.T
	clock *Clock
	store limiter.Store
}

func newFixture(t *testing.T, open Open) *fixture {
	t.Helper()
	clock := NewClock()
	return &fixture{t: t, clock: clock, store: open(t, clock)}
}

// run distinguishes the keys of repeated runs, should a store outlive a test.
var run = time.Now().UnixNano()

// Key is a key of the test alone.
func Key(t testing.TB, name string) limiter.Key {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %s", t.Name(), run, name))
	return limiter.Key(sum[:])
}

// Policy compiles a limit of zone "test", or fails the test.
func Policy(t testing.TB, ordinal int, limit limiter.Limit) *limiter.Policy {
	t.Helper()
	p, err := limiter.NewPolicy("test", ordinal, limit)
	if err != nil {
		t.Fatalf("policy for %s: %v", limit, err)
	}
	return p
}

func gcra(rate int64, period time.Duration, burst int64) limiter.Limit {
	return limiter.Limit{Algorithm: limiter.GCRA, Rate: rate, Period: period, Burst: burst}
}

func events(a limiter.Algorithm, rate int64, window time.Duration) limiter.Limit {
	return limiter.Limit{Algorithm: a, Rate: rate, Period: window}
}

// perMinute is the same limit by each of the algorithms.
func perMinute(rate int64) []limiter.Limit {
	return []limiter.Limit{
		gcra(rate, time.Minute, 0),
		events(limiter.Log, rate, time.Minute),
		events(limiter.Slices, rate, time.Minute),
	}
}

func (f *fixture) policy(ordinal int, limit limiter.Limit) *limiter.Policy {
	f.t.Helper()
	return Policy(f.t, ordinal, limit)
}

func (f *fixture) claim(key string, p *limiter.Policy, cost int64) limiter.Claim {
	return limiter.Claim{Key: Key(f.t, key), Policy: p, Cost: cost}
}

// take decides the claims together and returns them with their decisions.
func (f *fixture) take(claims ...limiter.Claim) []limiter.Claim {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := f.store.Take(ctx, claims); err != nil {
		f.t.Fatalf("take: %v", err)
	}
	if !limiter.Allowed(claims) {
		f.settle()
	}
	return claims
}

// one decides one claim on the key "key".
func (f *fixture) one(p *limiter.Policy, cost int64) limiter.Decision {
	f.t.Helper()
	return f.take(f.claim("key", p, cost))[0].Decision
}

func (f *fixture) refund(claims ...limiter.Claim) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if err := f.store.Refund(ctx, claims); err != nil {
		f.t.Fatalf("refund: %v", err)
	}
	f.settle()
}

func (f *fixture) settle() {
	if s, ok := f.store.(settler); ok {
		s.Settle()
	}
}

// allowed takes one claim on the key "key" and wants it to pass with so much remaining.
func (f *fixture) allowed(p *limiter.Policy, cost, remaining int64) {
	f.t.Helper()
	d := f.one(p, cost)
	if !d.Allowed || d.Remaining != remaining {
		f.t.Fatalf("take %d of %s: got %s, want it allowed with %d remaining", cost, p, describe(d), remaining)
	}
}

// refused takes one claim on the key "key" and wants it to wait for so long.
func (f *fixture) refused(p *limiter.Policy, cost int64, wait time.Duration) {
	f.t.Helper()
	d := f.one(p, cost)
	if d.Allowed || d.RetryAfter != wait {
		f.t.Fatalf("take %d of %s: got %s, want it refused with a wait of %s", cost, p, describe(d), wait)
	}
}

func describe(d limiter.Decision) string {
	if !d.Decided {
		return "undecided"
	}
	word := "refused"
	if d.Allowed {
		word = "allowed"
	}
	return fmt.Sprintf("%s (remaining %d of %d in %s, retry %s, reset %s, at %d)",
		word, d.Remaining, d.Quota, d.Window, d.RetryAfter, d.ResetAfter, d.At)
}
