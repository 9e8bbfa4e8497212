package limitertest

import (
	"math/rand/v2"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// odd are limits whose numbers divide badly.
func odd() []limiter.Limit {
	return append(perMinute(7),
		gcra(7, 3*time.Second, 3),
		gcra(3, 7*time.Second+3*time.Microsecond, 0),
		gcra(700_000, time.Second, 1),
		gcra(1, 366*24*time.Hour, 2),
		events(limiter.Log, 3, 999_983*time.Microsecond),
		events(limiter.Log, 1, time.Microsecond),
		events(limiter.Slices, 5, 999_983*time.Microsecond),
		events(limiter.Slices, 2, 60*time.Microsecond),
		events(limiter.Slices, 3, 366*24*time.Hour),
	)
}

// waitIsExact: whoever waits for RetryAfter passes, and one microsecond earlier does not.
func waitIsExact(f *fixture) {
	random := rand.New(rand.NewPCG(1, 1))
	for i, limit := range odd() {
		p := f.policy(i+1, limit)
		waits := 0
		for waits < 12 {
			cost := 1 + random.Int64N(p.Capacity())
			d := f.one(p, cost)
			if d.Allowed {
				f.clock.Advance(time.Duration(random.Int64N(int64(p.Window())/p.Capacity() + 1)))
				continue
			}
			waits++
			f.clock.Advance(d.RetryAfter - time.Microsecond)
			f.refused(p, cost, time.Microsecond)
			f.clock.Advance(time.Microsecond)
			if after := f.one(p, cost); !after.Allowed {
				f.t.Fatalf("%s after a wait of %s: got %s, want it allowed", limit, d.RetryAfter, describe(after))
			}
		}
	}
}

// resetIsExact: after ResetAfter the whole capacity is there, and one microsecond earlier it is not.
func resetIsExact(f *fixture) {
	random := rand.New(rand.NewPCG(2, 2))
	for i, limit := range odd() {
		p := f.policy(i+1, limit)
		for range 8 {
			for range 1 + random.IntN(4) {
				f.one(p, 1+random.Int64N(p.Capacity()))
				f.clock.Advance(time.Duration(random.Int64N(int64(p.Window()))) / 4)
			}
			d := f.one(p, 0)
			if d.ResetAfter == 0 {
				continue
			}
			f.clock.Advance(d.ResetAfter - time.Microsecond)
			if early := f.one(p, 0); early.Remaining >= p.Capacity() || early.ResetAfter != time.Microsecond {
				f.t.Fatalf("%s just before its reset in %s: got %s", limit, d.ResetAfter, describe(early))
			}
			f.clock.Advance(time.Microsecond)
			f.allowed(p, 0, p.Capacity())
		}
	}
}

// timeMovingBack: a clock that is set back frees nothing, and the wait told then is the true one.
func timeMovingBack(f *fixture) {
	for _, limit := range perMinute(3) {
		p := f.policy(1, limit)
		f.allowed(p, 3, 0)
		wait := f.one(p, 1).RetryAfter
		for _, back := range []time.Duration{time.Microsecond, time.Second, time.Hour, 24 * time.Hour} {
			f.clock.Advance(-back)
			f.refused(p, 1, wait+back)
			f.clock.Advance(wait + back - time.Microsecond)
			f.refused(p, 1, time.Microsecond)
			f.clock.Advance(time.Microsecond - wait)
		}
		// What is admitted while the clock is behind counts at least as long.
		f.clock.Advance(wait)
		f.one(p, 1)
		f.clock.Advance(-10 * time.Second)
		for f.one(p, 1).Allowed {
		}
		d := f.one(p, 1)
		f.clock.Advance(10 * time.Second)
		f.refused(p, 1, d.RetryAfter-10*time.Second)
		f.clock.Advance(2 * time.Hour)
	}
}

// timeMovingBackInSlices: what had left the window before the clock was set back does not come into it
// again, since time in the store does not move back.
func timeMovingBackInSlices(f *fixture) {
	p := f.policy(1, events(limiter.Slices, 5, 61*time.Microsecond))
	f.allowed(p, 2, 3)
	f.clock.Advance(100 * time.Microsecond)
	f.allowed(p, 1, 4)
	f.clock.Advance(-50 * time.Microsecond)
	f.allowed(p, 0, 4)
}

// highRate: the interval between tokens is a fraction of a microsecond, or not a whole number of
// them; what is admitted is the rate all the same, to the token (trap 13).
func highRate(f *fixture, rate int64) {
	const burst = 1000
	p := f.policy(1, gcra(rate, time.Second, burst))
	random := rand.New(rand.NewPCG(3, 3))
	f.allowed(p, burst, 0)
	var elapsed, admitted int64
	for range 1000 {
		// Below burst/rate, so that the bucket is never full.
		d := 1 + random.Int64N(1_000)
		f.clock.Advance(time.Duration(d) * time.Microsecond)
		elapsed += d
		available := f.one(p, 0).Remaining
		if want := elapsed*rate/1_000_000 - admitted; available != want {
			f.t.Fatalf("%d µs after the burst, %d admitted: %d remaining, want %d", elapsed, admitted, available, want)
		}
		// A few stay, so that the parts of a token are carried on too.
		cost := available - random.Int64N(min(available, 200)+1)
		f.allowed(p, cost, available-cost)
		admitted += cost
	}
}

// admission is something that passed, at a moment in microseconds.
type admission struct{ at, cost int64 }

// neverOver is traps 3 and 29: whatever the pattern of arrivals, no window holds more than the
// limit, and no interval more than GCRA's burst and what refills in it.
func neverOver(f *fixture) {
	for i, limit := range odd() {
		p := f.policy(i+1, limit)
		random := rand.New(rand.NewPCG(4, uint64(i)))
		period := limit.Period.Microseconds()
		var passed []admission
		for range 150 {
			// Bursts, even arrivals and pauses.
			step := []int64{0, 1, period / 300, period / p.Capacity(), period / 3, period + 1}[random.IntN(6)]
			f.clock.Advance(time.Duration(random.Int64N(step+1)) * time.Microsecond)
			for range 1 + random.IntN(3) {
				cost := 1 + random.Int64N(min(3, p.Capacity()))
				if d := f.one(p, cost); d.Allowed {
					passed = append(passed, admission{d.At, cost})
				}
			}
		}
		if len(passed) < 10 {
			f.t.Fatalf("%s: only %d of the arrivals passed", limit, len(passed))
		}
		checkNeverOver(f, p, passed)
	}
}

func checkNeverOver(f *fixture, p *limiter.Policy, passed []admission) {
	f.t.Helper()
	for first := range passed {
		var sum int64
		for _, a := range passed[first:] {
			length := a.at - passed[first].at
			most := p.Rate
			if p.Algorithm == limiter.GCRA {
				token, repay := p.Scale()
				most = p.Capacity() + length*repay/token
			} else if length >= p.Period.Microseconds() {
				break
			}
			if sum += a.cost; sum > most {
				f.t.Fatalf("%s: %d passed within %d µs, want at most %d", p, sum, length, most)
			}
		}
	}
}
