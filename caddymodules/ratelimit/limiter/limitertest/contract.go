package limitertest

import (
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// TestStore runs the contract of limiter.Store against stores that open makes.
func TestStore(t *testing.T, open func(t *testing.T, clock *Clock) limiter.Store) {
	tests := []struct {
		name string
		run  func(*fixture)
	}{
		{"numbers of gcra", numbersGCRA},
		{"numbers of log", numbersLog},
		{"numbers of slices", numbersSlices},
		{"no claims", noClaims},
		{"keys and ordinals are apart", keysApart},
		{"state outlives the policy value", stateOutlivesPolicy},
		{"cost 0 looks", costZeroLooks},
		{"cost above capacity is never", costAboveCapacity},
		{"rate 0 refuses all", rateZero},
		{"refusals cost nothing", refusalsCostNothing},
		{"all or nothing", allOrNothing},
		{"order does not matter", orderDoesNotMatter},
		{"many claims in one call", manyClaims},
		{"reset is exact", resetIsExact},
		{"wait is exact", waitIsExact},
		{"raised limit keeps tokens used", raisedLimit},
		{"lowered limit keeps tokens used", loweredLimit},
		{"changed period reaches live keys", changedPeriod},
		{"raised rate is felt at once", raisedRate},
		{"refusals do not change the limit of a key", refusalsDoNotRescale},
		{"refund gives back", refundGivesBack},
		{"refund gives no more than there is", refundTwice},
		{"refund of an expired charge gives nothing", refundExpired},
		{"refund takes the charge's own events", refundOwnEvents},
		{"refund after a changed limit", refundAfterChange},
		{"time moving back gives nothing", timeMovingBack},
		{"time moving back in slices", timeMovingBackInSlices},
		{"300,000 per second", func(f *fixture) { highRate(f, 300_000) }},
		{"700,000 per second", func(f *fixture) { highRate(f, 700_000) }},
		{"never over in any window", neverOver},
		{"parallel calls admit exactly the limit", parallelExact},
		{"parallel calls over several limits", parallelSeveral},
		{"context already ended", contextEnded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.run(newFixture(t, open)) })
	}
}

// step is one take on one key after the clock has moved.
type step struct {
	after time.Duration
	cost  int64
	want  limiter.Decision
}

func (f *fixture) steps(p *limiter.Policy, steps []step) {
	f.t.Helper()
	for i, s := range steps {
		f.clock.Advance(s.after)
		want := s.want
		want.Decided, want.At = true, f.clock.Now().UnixMicro()
		want.Quota, want.Window = p.Capacity(), p.Window()
		if got := f.one(p, s.cost); got != want {
			f.t.Fatalf("step %d, take %d of %s:\n got %s\nwant %s", i+1, s.cost, p, describe(got), describe(want))
		}
	}
}

func allow(remaining int64, reset time.Duration) limiter.Decision {
	return limiter.Decision{Allowed: true, Remaining: remaining, ResetAfter: reset}
}

func refuse(remaining int64, retry, reset time.Duration) limiter.Decision {
	return limiter.Decision{Remaining: remaining, RetryAfter: retry, ResetAfter: reset}
}

const ms = time.Millisecond

// A token a second, five at once.
func numbersGCRA(f *fixture) {
	f.steps(f.policy(1, gcra(10, 10*time.Second, 5)), []step{
		{0, 0, allow(5, 0)},
		{0, 3, allow(2, 3*time.Second)},
		{500 * ms, 2, allow(0, 4500*ms)},
		{0, 1, refuse(0, 500*ms, 4500*ms)},
		{0, 4, refuse(0, 3500*ms, 4500*ms)},
		{0, 6, refuse(0, limiter.Never, 4500*ms)},
		{499999 * time.Microsecond, 1, refuse(0, time.Microsecond, 4000001*time.Microsecond)},
		{time.Microsecond, 1, allow(0, 5*time.Second)},
		{3 * time.Second, 0, allow(3, 2*time.Second)},
		{time.Hour, 5, allow(0, 5*time.Second)},
	})
}

func numbersLog(f *fixture) {
	f.steps(f.policy(1, events(limiter.Log, 5, time.Minute)), []step{
		{0, 0, allow(5, 0)},
		{0, 3, allow(2, time.Minute)},
		{30500 * ms, 2, allow(0, time.Minute)},
		{0, 1, refuse(0, 29500*ms, time.Minute)},
		{0, 4, refuse(0, time.Minute, time.Minute)},
		{0, 6, refuse(0, limiter.Never, time.Minute)},
		{29499999 * time.Microsecond, 1, refuse(0, time.Microsecond, 30500001*time.Microsecond)},
		{time.Microsecond, 1, allow(2, time.Minute)},
		{30500 * ms, 0, allow(4, 29500*ms)},
		{time.Hour, 5, allow(0, time.Minute)},
	})
}

// Slices of one second; each counts until a minute after its end.
func numbersSlices(f *fixture) {
	f.steps(f.policy(1, events(limiter.Slices, 5, time.Minute)), []step{
		{0, 0, allow(5, 0)},
		{0, 3, allow(2, 61*time.Second)},
		{30500 * ms, 2, allow(0, 60500*ms)},
		{0, 1, refuse(0, 30500*ms, 60500*ms)},
		{0, 4, refuse(0, 60500*ms, 60500*ms)},
		{0, 6, refuse(0, limiter.Never, 60500*ms)},
		{30499999 * time.Microsecond, 1, refuse(0, time.Microsecond, 30000001*time.Microsecond)},
		{time.Microsecond, 1, allow(2, 61*time.Second)},
		{30 * time.Second, 0, allow(4, 31*time.Second)},
		{time.Hour, 5, allow(0, 61*time.Second)},
	})
}

func noClaims(f *fixture) { f.take() }

func keysApart(f *fixture) {
	for _, limit := range perMinute(1) {
		first, second := f.policy(1, limit), f.policy(2, limit)
		for _, c := range []limiter.Claim{f.claim("a", first, 1), f.claim("b", first, 1), f.claim("a", second, 1)} {
			if got := f.take(c)[0].Decision; !got.Allowed {
				f.t.Errorf("first take of %s: got %s, want it allowed", limit, describe(got))
			}
		}
		if got := f.take(f.claim("a", first, 1))[0].Decision; got.Allowed {
			f.t.Errorf("second take of %s: got %s, want it refused", limit, describe(got))
		}
	}
}

func stateOutlivesPolicy(f *fixture) {
	for _, limit := range perMinute(3) {
		f.allowed(f.policy(1, limit), 2, 1)
		f.allowed(f.policy(1, limit), 1, 0)
	}
}

func costZeroLooks(f *fixture) {
	for _, limit := range perMinute(3) {
		p := f.policy(1, limit)
		for range 10 {
			f.allowed(p, 0, 3)
		}
		f.allowed(p, 3, 0)
		f.allowed(p, 0, 0)
		// A look at a limit that was lowered below what is used passes too.
		limit.Rate = 1
		f.allowed(f.policy(1, limit), 0, 0)
	}
}

func costAboveCapacity(f *fixture) {
	for _, limit := range perMinute(3) {
		p := f.policy(1, limit)
		f.refused(p, 4, limiter.Never)
		f.refused(p, limiter.LargestRate, limiter.Never)
		f.refused(p, 1<<62, limiter.Never)
		f.allowed(p, 3, 0)
		f.refused(p, 4, limiter.Never)
	}
	p := f.policy(2, gcra(1, time.Second, 7))
	f.refused(p, 8, limiter.Never)
	f.allowed(p, 7, 0)
}

func rateZero(f *fixture) {
	for _, a := range []limiter.Algorithm{limiter.Log, limiter.Slices} {
		p := f.policy(1, events(a, 0, time.Minute))
		f.refused(p, 1, limiter.Never)
		f.refused(p, 100, limiter.Never)
		f.allowed(p, 0, 0)
	}
}

// Trap 4: a client that keeps knocking is let in when its time has come.
func refusalsCostNothing(f *fixture) {
	for _, limit := range perMinute(2) {
		p := f.policy(1, limit)
		f.allowed(p, 2, 0)
		wait := f.one(p, 1).RetryAfter
		for range 5 {
			f.clock.Advance(wait / 10)
			for range 10 {
				f.one(p, 1)
				f.one(p, 2)
				f.one(p, 3)
			}
		}
		f.clock.Advance(wait - 5*(wait/10))
		if d := f.one(p, 1); !d.Allowed {
			f.t.Errorf("%s after the first wait of %s: got %s, want it allowed", limit, wait, describe(d))
		}
	}
}
