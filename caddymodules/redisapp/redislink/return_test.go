package redislink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// awaitBeat waits until a healthy link has written a beat, which is what Kept goes by.
func awaitBeat(t *testing.T, r *stack.Redis) {
	t.Helper()
	require.Eventually(t, func() bool {
		got, err := r.CLI("GET", "gh:{test}:beat:limits:node-1")
		return err == nil && got != ""
	}, patience, 10*time.Millisecond)
}

func TestArrival(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		opts          stack.RedisOptions
		fail          func(t *testing.T, r *stack.Redis)
		sameRun, kept bool
	}{
		{
			name: "the connection was cut",
			fail: func(t *testing.T, r *stack.Redis) {
				t.Helper()
				_, err := r.CLI("CLIENT", "KILL", "TYPE", "normal")
				require.NoError(t, err)
			},
			sameRun: true, kept: true,
		},
		{
			name: "restarted with everything",
			opts: stack.RedisOptions{AppendOnly: true},
			fail: func(t *testing.T, r *stack.Redis) {
				t.Helper()
				require.NoError(t, r.Kill())
				require.NoError(t, r.Restart(t.Context()))
			},
			sameRun: false, kept: true,
		},
		{
			name: "restarted empty",
			fail: func(t *testing.T, r *stack.Redis) {
				t.Helper()
				require.NoError(t, r.Kill())
				require.NoError(t, r.Restart(t.Context()))
			},
			sameRun: false, kept: false,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := stack.RedisForTest(t, tt.opts)
			_, j, at := healthy(t, optionsFor(r), Settings{})
			first := j.changes[at-1]
			require.NotEmpty(t, first.Arrival.RunID)
			awaitBeat(t, r)
			tt.fail(t, r)
			_, at = j.awaitState(t, at, StateOpen)
			change, _ := j.awaitState(t, at, StateClosed)
			assert.Equal(t, tt.sameRun, change.Arrival.SameRun)
			assert.Equal(t, tt.sameRun, change.Arrival.RunID == first.Arrival.RunID)
			assert.Equal(t, tt.kept, change.Arrival.DataIntact)
			half, _ := j.awaitState(t, at, StateHalfOpen)
			assert.Equal(t, change.Arrival, half.Arrival)
		})
	}
}

// An old dump: the key is there, but what was acknowledged after the dump is gone.
func TestArrival_olderDataIsNotKept(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	_, j, at := healthy(t, optionsFor(r), Settings{})
	awaitBeat(t, r)
	_, err := r.CLI("SAVE")
	require.NoError(t, err)
	dumped, err := r.CLI("GET", "gh:{test}:beat:limits:node-1")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		now, err := r.CLI("GET", "gh:{test}:beat:limits:node-1")
		return err == nil && now != dumped
	}, patience, 10*time.Millisecond)
	require.NoError(t, r.Kill())
	_, at = j.awaitState(t, at, StateOpen)
	require.NoError(t, r.Restart(t.Context()))
	change, _ := j.awaitState(t, at, StateClosed)
	assert.False(t, change.Arrival.DataIntact)
}

func TestLink_flushIsToldWhileTheConnectionHolds(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, _ := healthy(t, optionsFor(r), Settings{})
	awaitBeat(t, r)
	require.NoError(t, r.Flush())
	j.awaitWarning(t, DataLost)
	assert.Equal(t, StateClosed, l.State(), "a command is no outage")
}

func TestLink_flushBeforeTheReturnIsNotKept(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	_, j, at := healthy(t, optionsFor(r), Settings{})
	awaitBeat(t, r)
	require.NoError(t, r.Flush())
	_, err := r.CLI("CLIENT", "KILL", "TYPE", "normal")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateOpen)
	change, _ := j.awaitState(t, at, StateClosed)
	assert.True(t, change.Arrival.SameRun)
	if change.Arrival.DataIntact { // a beat came between the two commands, and told it
		j.awaitWarning(t, DataLost)
	}
}

func TestLink_evictingPolicyIsToldOnce(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{Config: []string{"maxmemory 64mb", "maxmemory-policy volatile-lru"}})
	_, j, at := healthy(t, optionsFor(r), Settings{})
	assert.Equal(t, "volatile-lru", j.awaitWarning(t, Evicting).Detail)
	_, err := r.CLI("CLIENT", "KILL", "TYPE", "normal")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateOpen)
	j.awaitState(t, at, StateClosed)
	assert.Len(t, j.warnings, 1)
}

func TestLink_policyWithoutALimitIsNoDanger(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{Config: []string{"maxmemory-policy allkeys-lru"}})
	_, j, _ := healthy(t, optionsFor(r), Settings{})
	assert.Empty(t, j.warnings)
}
