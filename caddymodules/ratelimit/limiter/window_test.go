package limiter

import (
	"math/rand/v2"
	stdslices "slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// admission is something that passed, at a moment in microseconds.
type admission struct{ at, cost int64 }

// window is a windowed limit under test: Log or Slices.
type window struct {
	p      *Policy
	times  []int64
	slices Slices60
}

// look decides without charging.
func (w *window) look(now, cost int64, f RemoteUsage) Decision {
	if w.p.Algorithm == Log {
		_, d := TakeLog(w.times, w.p, now, cost, f)
		return d
	}
	s := w.slices
	s.Advance(w.p, now)
	return s.Take(w.p, now, cost, f)
}

func (w *window) take(now, cost int64, f RemoteUsage) Decision {
	d := w.look(now, cost, f)
	switch {
	case !d.Allowed:
	case w.p.Algorithm == Log:
		w.times = w.times[ExpiredLog(w.times, now-w.p.window):]
		w.times = append(w.times, stdslices.Repeat([]int64{now}, int(cost))...)
	default:
		w.slices.Advance(w.p, now)
		w.slices.Add(now, cost)
	}
	return d
}

// reference counts by definition: what counts at the moment now of the admissions so far.
func (w *window) reference(passed []admission, now int64) (used int64) {
	for _, a := range passed {
		counts := a.at > now-w.p.window
		if w.p.Algorithm == Slices {
			// A slice counts in full as long as a part of it is in the window.
			counts = a.at/w.p.width >= (now-w.p.window)/w.p.width
		}
		if counts {
			used += a.cost
		}
	}
	return used
}

func windows(t *testing.T) []*Policy {
	t.Helper()
	return []*Policy{
		policy(t, Log, 1, time.Microsecond, 0),
		policy(t, Log, 5, time.Second, 0),
		policy(t, Log, 100, time.Minute, 0),
		policy(t, Log, 7, 999_983*time.Microsecond, 0),
		policy(t, Slices, 1, 60*time.Microsecond, 0),
		policy(t, Slices, 5, time.Second, 0),
		policy(t, Slices, 500, time.Minute, 0),
		policy(t, Slices, 7, 999_983*time.Microsecond, 0),
		policy(t, Slices, 40, LargestPeriod, 0),
	}
}

// Traps 3 and 29: random arrivals are decided as the definition says, and no window of any position
// holds more than the limit.
func TestWindows_countByDefinition(t *testing.T) {
	for i, p := range windows(t) {
		t.Run(p.String(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(2, uint64(i)))
			w := &window{p: p}
			var passed []admission
			now := start
			for range 3000 {
				steps := []int64{0, 0, 1, p.window / p.Rate, p.window / 60, p.window / 3, p.window}
				now += random.Int64N(steps[random.IntN(len(steps))] + 1)
				cost := random.Int64N(min(p.Rate, 5) + 1)
				used := w.reference(passed, now)
				d := w.take(now, cost, RemoteUsage{})
				if want := cost == 0 || used+cost <= p.Rate; d.Allowed != want {
					t.Fatalf("cost %d with %d of %d used: allowed %t", cost, used, p.Rate, d.Allowed)
				}
				if d.Allowed && cost > 0 {
					passed, used = append(passed, admission{now, cost}), used+cost
				}
				if want := max(0, p.Rate-used); d.Remaining != want {
					t.Fatalf("%d remaining, want %d", d.Remaining, want)
				}
			}
			require.Greater(t, len(passed), 100)
			for first := range passed {
				var sum int64
				for _, a := range passed[first:] {
					if a.at-passed[first].at >= p.window {
						break
					}
					if sum += a.cost; sum > p.Rate {
						t.Fatalf("%d passed within %d µs", sum, a.at-passed[first].at)
					}
				}
			}
		})
	}
}

// The wait is the least: refused one microsecond before, admitted then; with and without a part that
// fades because other nodes had admitted it.
func TestWindows_waitIsMinimal(t *testing.T) {
	for i, p := range windows(t) {
		t.Run(p.String(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(3, uint64(i)))
			w := &window{p: p}
			now := start
			refused, both := 0, 0
			for refused < 2000 {
				now += random.Int64N(p.window/p.Rate + 2)
				var f RemoteUsage
				if random.IntN(3) > 0 {
					f = RemoteUsage{Count: random.Int64N(2*p.Rate + 1), At: now - random.Int64N(p.window+1)}
				}
				cost := 1 + random.Int64N(p.Rate)
				d := w.look(now, cost, f)
				if d.Allowed {
					w.take(now, 1+random.Int64N(cost), f)
					continue
				}
				refused++
				if f.at(now, p.window) > 0 && d.Remaining < p.Rate {
					both++
				}
				wait := d.RetryAfter.Microseconds()
				if wait < 1 || wait > 2*p.window+p.width {
					t.Fatalf("waits %d µs", wait)
				}
				if early := w.look(now+wait-1, cost, f); early.Allowed {
					t.Fatalf("cost %d, %+v: passes before its wait of %d µs", cost, f, wait)
				}
				if then := w.look(now+wait, cost, f); !then.Allowed {
					t.Fatalf("cost %d, %+v: refused after its wait of %d µs: %+v", cost, f, wait, then)
				}
			}
			require.Positive(t, both, "own and foreign events were waited for")
		})
	}
}

// ResetAfter is when the whole capacity is there, and one microsecond before it is not.
func TestWindows_resetIsExact(t *testing.T) {
	for i, p := range windows(t) {
		t.Run(p.String(), func(t *testing.T) {
			random := rand.New(rand.NewPCG(4, uint64(i)))
			w := &window{p: p}
			now := start
			for n := range 500 {
				now += random.Int64N(p.window/p.Rate + 2)
				var f RemoteUsage
				if n%2 == 0 {
					f = RemoteUsage{Count: random.Int64N(p.Rate + 1), At: now - random.Int64N(p.window)}
				}
				d := w.take(now, random.Int64N(p.Rate+1), f)
				reset := d.ResetAfter.Microseconds()
				if reset == 0 {
					require.Equal(t, p.Rate, d.Remaining)
					continue
				}
				if early := w.look(now+reset-1, 0, f); early.Remaining == p.Rate {
					t.Fatalf("all is there before the reset in %d µs", reset)
				}
				require.Equal(t, p.Rate, w.look(now+reset, 0, f).Remaining)
			}
		})
	}
}

func TestForeign_fades(t *testing.T) {
	const w = 999_983
	for _, count := range []int64{0, 1, 2, 7, 1000, LargestRate} {
		f := RemoteUsage{Count: count, At: start}
		require.Equal(t, count, f.at(start, w))
		require.Equal(t, count, f.at(start-5, w), "a moment before it counts in full")
		require.Zero(t, f.at(start+w, w))
		last := count
		for now := start; now <= start+w; now += 997 {
			got := f.at(now, w)
			require.LessOrEqual(t, got, last, "never grows")
			require.GreaterOrEqual(t, float64(got), float64(count)*float64(start+w-now)/w-1e-6, "never less than its part")
			last = got
		}
		for room := range min(count, 20) {
			until := f.until(room, w)
			require.LessOrEqual(t, f.at(until, w), room)
			require.Greater(t, f.at(until-1, w), room, "count %d, room %d", count, room)
		}
		require.Equal(t, start, f.until(count, w))
	}
	p := policy(t, Slices, 100, LargestPeriod, 0)
	require.Equal(t, int64(LargestRate/2), RemoteUsage{Count: LargestRate, At: start}.Left(start+p.window/2, p), "no overflow")
}

// A refusal in an outage finds its wait by bisection, not event by event.
func TestWindows_waitOfManyEvents(t *testing.T) {
	p := policy(t, Slices, 900_000_000, time.Minute, 0)
	w := &window{p: p}
	now := start
	for range 60 {
		require.True(t, w.take(now, 10_000_000, RemoteUsage{}).Allowed)
		now += p.width
	}
	steps := 0
	f := RemoteUsage{Count: 850_000_000, At: now}
	d := windowDecision(p, now, 800_000_000, 600_000_000, f, func(n int64) int64 {
		steps++
		return start + (n-1)/10_000_000*p.width + p.width + p.window
	})
	require.Positive(t, d.RetryAfter)
	require.Less(t, steps, 100)
	require.Equal(t, d.RetryAfter, w.look(now, 800_000_000, f).RetryAfter)
}
