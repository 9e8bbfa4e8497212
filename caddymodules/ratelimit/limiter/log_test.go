package limiter

import (
	stdslices "slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTakeLog_countsHalfOpenWindow(t *testing.T) {
	p := policy(t, Log, 1, time.Second, 0)
	times := []int64{start}
	expired, d := TakeLog(times, p, start+999_999, 1, RemoteUsage{})
	require.False(t, d.Allowed)
	require.Equal(t, time.Microsecond, d.RetryAfter)
	require.Zero(t, expired)
	expired, d = TakeLog(times, p, start+1_000_000, 1, RemoteUsage{})
	require.True(t, d.Allowed, "two that are a window apart never share one")
	require.Equal(t, 1, expired)
}

func TestTakeLog_timeMovesBack(t *testing.T) {
	p := policy(t, Log, 2, time.Second, 0)
	_, d := TakeLog([]int64{start, start}, p, start-300_000, 1, RemoteUsage{})
	require.False(t, d.Allowed)
	require.Equal(t, 1300*time.Millisecond, d.RetryAfter)
	_, d = TakeLog([]int64{start}, p, start-300_000, 1, RemoteUsage{})
	require.True(t, d.Allowed)
	require.Equal(t, 1300*time.Millisecond, d.ResetAfter, "it counts from the newest time on")
}

func TestExpiredLog(t *testing.T) {
	times := []int64{5, 5, 7, 9}
	for since, want := range map[int64]int{-1: 0, 4: 0, 5: 2, 6: 2, 7: 3, 8: 3, 9: 4, 100: 4} {
		require.Equal(t, want, ExpiredLog(times, since), "since %d", since)
	}
	require.Zero(t, ExpiredLog(nil, 5))
}

func TestRefundLog(t *testing.T) {
	for _, tt := range []struct {
		at, n int64
		want  []int64
	}{
		{5, 1, []int64{5, 7, 9, 9, 9}},
		{5, 2, []int64{7, 9, 9, 9}},
		{5, 3, []int64{7, 9, 9, 9}},
		{9, 2, []int64{5, 5, 7, 9}},
		{7, 9, []int64{5, 5, 9, 9, 9}},
		{6, 1, []int64{5, 5, 7, 9, 9, 9}},
		{1, 1, []int64{5, 5, 7, 9, 9, 9}},
		{20, 1, []int64{5, 5, 7, 9, 9, 9}},
	} {
		require.Equal(t, tt.want, RefundLog([]int64{5, 5, 7, 9, 9, 9}, tt.at, tt.n), "%d of moment %d", tt.n, tt.at)
	}
	require.Empty(t, RefundLog(nil, 5, 1))
}

func TestMergeLog(t *testing.T) {
	p := policy(t, Log, 3, time.Second, 0)
	now := start + 1_000_000
	merged := MergeLog([]int64{start - 5, start + 10, start + 30}, p, now, &Merge{
		Times: []int64{start, start + 1, start + 20, now + 500},
	})
	require.Equal(t, []int64{start + 1, start + 10, start + 20, start + 30, now}, merged,
		"in order, what has left the window dropped, what is ahead counts as now")

	many := stdslices.Repeat([]int64{start + 10}, 3*LargestLog)
	require.Len(t, MergeLog(many, p, now, &Merge{Times: many}), LargestLog)

	// The server's clock was set back: what it has stored stays, and nothing of the window is lost.
	ahead := now + 5_000_000
	require.Equal(t, []int64{start + 1, now, ahead}, MergeLog([]int64{start + 1, ahead}, p, now, &Merge{Times: []int64{now}}))
}
