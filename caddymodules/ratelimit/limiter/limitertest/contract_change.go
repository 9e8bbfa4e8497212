package limitertest

import (
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

func raisedLimit(f *fixture) {
	for _, limit := range perMinute(10) {
		f.allowed(f.policy(1, limit), 8, 2)
		limit.Rate = 100
		f.allowed(f.policy(1, limit), 0, 92)
		f.allowed(f.policy(1, limit), 90, 2)
	}
}

func loweredLimit(f *fixture) {
	for _, limit := range perMinute(10) {
		f.allowed(f.policy(1, limit), 8, 2)
		limit.Rate = 5
		p := f.policy(1, limit)
		f.allowed(p, 0, 0)
		if d := f.one(p, 1); d.Allowed || d.RetryAfter <= 0 || d.RetryAfter > 61*time.Second {
			f.t.Errorf("%s after 8 were used: got %s, want it refused for up to a window", limit, describe(d))
		}
	}
	// A burst alone is lowered: the scale of the state stays.
	f.allowed(f.policy(3, gcra(10, time.Minute, 0)), 8, 2)
	f.allowed(f.policy(3, gcra(10, time.Minute, 5)), 0, 0)
	f.refused(f.policy(3, gcra(10, time.Minute, 5)), 1, 6*time.Second)
	// A bucket is clamped to its new capacity, so that the first token comes after one interval.
	p := f.policy(2, gcra(10, time.Minute, 0))
	f.allowed(p, 10, 0)
	p = f.policy(2, gcra(6, time.Minute, 3))
	f.refused(p, 1, 10*time.Second)
	f.refused(p, 3, 30*time.Second)
}

// changedPeriod is trap 28.
func changedPeriod(f *fixture) {
	for _, limit := range perMinute(4) {
		minute := f.policy(1, limit)
		f.allowed(minute, 2, 2)
		f.clock.Advance(20 * time.Second)
		remaining := int64(1)
		if limit.Algorithm == limiter.GCRA {
			remaining = 2 // one and a third have come back
		}
		f.allowed(minute, 1, remaining)

		limit.Period = time.Hour
		hour := f.policy(1, limit)
		f.clock.Advance(10 * time.Second)
		switch limit.Algorithm {
		case limiter.GCRA:
			// One and two thirds are two used tokens of a quarter of an hour, less ten seconds.
			f.allowed(hour, 2, 0)
			f.refused(hour, 1, 15*time.Minute-10*time.Second)
		default:
			f.allowed(hour, 1, 0)
			f.clock.Advance(30 * time.Minute)
			f.refused(hour, 1, f.one(hour, 1).RetryAfter)
		}

		limit.Period = 10 * time.Second
		short := f.policy(1, limit)
		if limit.Algorithm == limiter.GCRA {
			f.refused(short, 1, 2500*ms)
			f.clock.Advance(10 * time.Second)
		}
		f.allowed(short, 4, 0)
		f.clock.Advance(2 * time.Hour)
	}
}

// raisedRate is trap 30: one token an hour became sixty, so nobody waits for that hour.
func raisedRate(f *fixture) {
	slow := f.policy(1, gcra(1, time.Hour, 0))
	f.allowed(slow, 1, 0)
	f.refused(slow, 1, time.Hour)
	fast := f.policy(1, gcra(60, time.Hour, 1))
	f.refused(fast, 1, time.Minute)
	f.clock.Advance(time.Minute)
	f.allowed(fast, 1, 0)

	for _, a := range []limiter.Algorithm{limiter.Log, limiter.Slices} {
		f.allowed(f.policy(1, events(a, 1, time.Hour)), 1, 0)
		f.allowed(f.policy(1, events(a, 60, time.Hour)), 1, 58)
		f.clock.Advance(2 * time.Minute)
		f.allowed(f.policy(1, events(a, 1, time.Minute)), 1, 0)
	}
}

// refusalsDoNotRescale: a refused or looking request writes nothing, so a limit that was lowered by
// mistake and put back has forgotten nothing.
func refusalsDoNotRescale(f *fixture) {
	for _, limit := range perMinute(10) {
		p := f.policy(1, limit)
		f.allowed(p, 8, 2)
		low := limit
		low.Rate, low.Period = 2, time.Second
		f.one(f.policy(1, low), 3)
		f.one(f.policy(1, low), 0)
		f.allowed(p, 0, 2)
	}
}
