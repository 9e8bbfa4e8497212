package limiter

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSlices60_Advance(t *testing.T) {
	p := policy(t, Slices, 100, time.Minute, 0)
	var s Slices60
	require.True(t, s.Empty())
	s.Advance(p, start)
	s.Add(start, 3)
	s.Advance(p, start+60_000_000)
	require.Equal(t, int64(3), s.Total(), "60 slices on it is the oldest")
	s.Advance(p, start+61_000_000)
	require.True(t, s.Empty())

	s.Add(start+61_000_000, 5)
	s.Advance(p, start)
	require.Equal(t, (start+61_000_000)/s.Width, s.Newest, "never moves back")
	require.Equal(t, int64(5), s.Total())
	s.Advance(p, start+1e12)
	require.True(t, s.Empty(), "far on")
}

// A changed window: no admission counts for less long than it would have from its own moment on.
func TestSlices60_rescaleKeepsWhatCounts(t *testing.T) {
	periods := []time.Duration{60 * time.Microsecond, time.Millisecond, 999_983 * time.Microsecond, time.Second, 7 * time.Second, time.Minute, time.Hour}
	random := rand.New(rand.NewPCG(5, 5))
	for range 2000 {
		old := policy(t, Slices, 1000, periods[random.IntN(len(periods))], 0)
		changed := policy(t, Slices, 1000, periods[random.IntN(len(periods))], 0)
		var s Slices60
		var passed []admission
		now := start + random.Int64N(1e9)
		for range 20 {
			now += random.Int64N(old.window/10 + 1)
			s.Advance(old, now)
			s.Add(now, 1)
			passed = append(passed, admission{now, 1})
		}
		now += random.Int64N(changed.window/10 + 1)
		var want int64
		for _, a := range passed {
			// Certainly known: it is in the new window and was in the old ring at the last charge.
			if a.at > now-changed.window && a.at > passed[19].at-old.window {
				want++
			}
		}
		s.Advance(changed, now)
		d := s.Take(changed, now, 0, RemoteUsage{})
		if used := d.Quota - d.Remaining; used < want || used > 20 {
			t.Fatalf("from %s to %s: %d used, want %d to 20", old.Period, changed.Period, used, want)
		}
	}
}

func TestSlices60_rescaleWhileTimeMovesBack(t *testing.T) {
	s := Slices60{}
	minute, hour := policy(t, Slices, 5, time.Minute, 0), policy(t, Slices, 5, time.Hour, 0)
	s.Advance(hour, start)
	s.Add(start, 5)
	s.Advance(minute, start-10*3_600_000_000)
	d := s.Take(minute, start+59_000_000, 1, RemoteUsage{})
	require.False(t, d.Allowed, "what was admitted ahead of the clock counts from then on")
}

// Time in the store never moves back, so what had left the window does not come into it again.
func TestSlices60_TakeWhileTimeMovesBack(t *testing.T) {
	p := policy(t, Slices, 5, 61*time.Microsecond, 0) // of 61 slices that are kept 31 count
	var s Slices60
	s.Advance(p, start)
	s.Add(start, 2)
	s.Advance(p, start+100)
	s.Add(start+100, 1)
	d := s.Take(p, start+50, 1, RemoteUsage{})
	require.Equal(t, int64(3), d.Remaining)
	require.Equal(t, 113*time.Microsecond, d.ResetAfter, "waits are told by the clock")
}

func TestSlices60_AddSaturates(t *testing.T) {
	p := policy(t, Slices, 100, time.Minute, 0)
	var s Slices60
	s.Advance(p, start)
	for range 5 {
		s.Add(start, LargestRate)
	}
	require.Equal(t, int64(math.MaxUint32), s.Total(), "more than can be counted is not less")
	s.Add(start-61_000_000, 1)
	s.Add(start+1_000_000, 1)
	s.Add(-1e12, 1)
	require.Equal(t, int64(math.MaxUint32), s.Total(), "outside of the ring nothing is counted")
}

func TestSlices60_Refund(t *testing.T) {
	p := policy(t, Slices, 100, time.Minute, 0)
	var s Slices60
	s.Refund(start, 1) // nothing is there yet
	s.Advance(p, start)
	s.Add(start, 3)
	s.Advance(p, start+30_000_000)
	s.Add(start+30_000_000, 4)
	s.Refund(start+999_999, 2)
	require.Equal(t, int64(5), s.Total())
	s.Refund(start, 2)
	require.Equal(t, int64(4), s.Total(), "never more than the slice holds")
	s.Refund(start-61_000_000, 1)
	s.Refund(start+31_000_000, 1)
	require.Equal(t, int64(4), s.Total())
}

func TestSlices60_MergeOfCounts(t *testing.T) {
	p := policy(t, Slices, 100, time.Minute, 0)
	const offset = 5_000_000
	var node, store Slices60
	for _, a := range []admission{{start, 3}, {start + 10_000_000, 4}, {start + 59_500_000, 5}} {
		node.Advance(p, a.at)
		node.Add(a.at, a.cost)
	}
	counts := node.AppendCounts(nil, start+59_500_000, offset)
	require.Equal(t, []SliceCount{
		{start + 999_999 + offset, 3}, {start + 10_999_999 + offset, 4}, {start + 59_500_000 + offset, 5},
	}, counts)

	// The store's clock shows a little less than the node believes.
	now := start + 58_900_000 + offset
	store.Merge(p, now, &Merge{Slices: counts})
	require.Equal(t, int64(12), store.Total(), "what is ahead counts as now")
	store.Merge(p, now, &Merge{Slices: []SliceCount{{start - 1e9, 7}, {now, 1}}})
	require.Equal(t, int64(13), store.Total(), "what has left the window does not count")
}

func TestBucket_Merge(t *testing.T) {
	p := policy(t, GCRA, 10, time.Second, 0)
	token, _ := p.Scale()
	used, _ := Bucket{}.Take(p, start, 4)
	for _, tt := range []struct {
		floor, debt int64
		want        int64
	}{{0, 0, 6}, {3, 0, 6}, {5, 0, 5}, {0, 2, 4}, {5, 2, 3}, {20, 0, 0}, {0, 1 << 30, 0}} {
		b := used.Merge(p, start, &Merge{Floor: tt.floor * token, Debt: tt.debt * token})
		_, d := b.Take(p, start, 0)
		require.Equal(t, tt.want, d.Remaining, "floor %d, debt %d", tt.floor, tt.debt)
	}
}

func BenchmarkWindows_Take(b *testing.B) {
	b.Run("log of 100", func(b *testing.B) {
		p := policy(b, Log, 100, time.Second, 0)
		times := make([]int64, 100)
		for i := range times {
			times[i] = start + int64(i)*10_000
		}
		b.ReportAllocs()
		for b.Loop() {
			TakeLog(times, p, start+1_200_000, 1, RemoteUsage{})
		}
	})
	b.Run("slices", func(b *testing.B) {
		p := policy(b, Slices, 1_000_000, time.Minute, 0)
		var s Slices60
		now := start
		b.ReportAllocs()
		for b.Loop() {
			s.Advance(p, now)
			if s.Take(p, now, 1, RemoteUsage{}).Allowed {
				s.Add(now, 1)
			}
			now += 700
		}
	})
}

func TestTake_allocatesNothing(t *testing.T) {
	bucket, log, sliced := policy(t, GCRA, 10, time.Second, 0), policy(t, Log, 10, time.Second, 0), policy(t, Slices, 10, time.Second, 0)
	times := []int64{start, start + 1, start + 2}
	var b Bucket
	var s Slices60
	f := RemoteUsage{Count: 9, At: start}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b, _ = b.Take(bucket, start, 1)
		TakeLog(times, log, start+5, 1, f)
		TakeLog(times, log, start+5, 9, f)
		s.Advance(sliced, start+5)
		s.Take(sliced, start+5, 9, f)
		s.Add(start+5, 1)
	}))
}
