package redislink

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// margin is what a busy machine may add to a deadline. A caller that is held by a hung Redis waits for ever, or
// for the second that a redial takes at least, many times over.
const margin = 500 * time.Millisecond

// hammer calls from many goroutines until stop closes, each call with the deadline, and keeps the longest call
// and the errors that are none of ours.
type hammer struct {
	longest atomic.Int64
	strange sync.Map
	wg      sync.WaitGroup
}

func (h *hammer) run(l *Link, callers int, deadline time.Duration, stop <-chan struct{}) {
	for range callers {
		h.wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(context.Background(), deadline)
				began := time.Now()
				_, err := evalEcho(ctx, l, "x")
				took := int64(time.Since(began))
				cancel()
				for old := h.longest.Load(); took > old && !h.longest.CompareAndSwap(old, took); old = h.longest.Load() {
				}
				if err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnanswered) {
					h.strange.Store(err.Error(), true)
				}
				if err != nil {
					time.Sleep(time.Millisecond) // a held call costs nothing: leave the processor to Redis
				}
			}
		})
	}
}

func (h *hammer) check(t *testing.T, deadline time.Duration) {
	t.Helper()
	assert.Less(t, time.Duration(h.longest.Load()), deadline+margin, "no call outlives its deadline")
	h.strange.Range(func(err, _ any) bool {
		assert.Fail(t, "an error that callers do not know", err)
		return true
	})
}

func TestLink_hungRedisHoldsNobody(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	const deadline = 250 * time.Millisecond
	l, j, at := healthy(t, optionsFor(r), Settings{OpTimeout: deadline})
	var h hammer
	stop := make(chan struct{})
	h.run(l, 200, deadline, stop)
	t.Cleanup(h.wg.Wait)

	for range 2 {
		// Not before somebody was answered, or there is nothing to hang.
		before := j.count(Answered)
		require.Eventually(t, func() bool { return l.State() == StateClosed && j.count(Answered) > before }, patience, time.Millisecond)
		require.NoError(t, r.Pause())
		var change Change
		change, at = j.awaitState(t, at, StateOpen)
		assert.True(t, errors.Is(change.Reason, ErrTimeout) || errors.Is(change.Reason, errPingTimeout), "%v", change.Reason)
		time.Sleep(1500 * time.Millisecond) // the supervisor dials a server that accepts and is silent
		assert.NotEqual(t, StateClosed, l.State())
		require.NoError(t, r.Resume())
		change, at = j.awaitState(t, at, StateClosed)
		assert.True(t, change.Arrival.SameRun)
		assert.True(t, change.Arrival.DataIntact)
	}
	close(stop)
	h.wg.Wait()
	h.check(t, deadline)
	assert.Positive(t, j.count(Answered))
	assert.Positive(t, j.count(Rejected), "while it is open, nothing is sent")
}

func TestLink_hungRedisWithoutTrafficIsNoticed(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, at := healthy(t, optionsFor(r), Settings{OpTimeout: 100 * time.Millisecond})
	require.NoError(t, r.Pause())
	change, at := j.awaitState(t, at, StateOpen)
	assert.ErrorIs(t, change.Reason, errPingTimeout)
	began := time.Now()
	_, err := evalEcho(t.Context(), l, "x")
	require.ErrorIs(t, err, ErrUnavailable)
	assert.Less(t, time.Since(began), margin)
	require.NoError(t, r.Resume())
	j.awaitState(t, at, StateClosed)
}

func TestLink_killedRedisOpensAtOnce(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	const deadline = 2 * time.Second
	l, j, at := healthy(t, optionsFor(r), Settings{OpTimeout: deadline})
	var h hammer
	stop := make(chan struct{})
	h.run(l, 200, deadline, stop)
	require.NoError(t, r.Kill())
	_, at = j.awaitState(t, at, StateOpen)
	require.NoError(t, r.Restart(t.Context()))
	j.awaitState(t, at, StateClosed)
	close(stop)
	h.wg.Wait()
	h.check(t, deadline)
	assert.Zero(t, j.count(TimedOut), "who waited was told at once")
}

func TestLink_callsInFlightEndWithTheConnection(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, _, _ := healthy(t, optionsFor(r), Settings{OpTimeout: 5 * time.Second})
	require.NoError(t, r.Pause())
	errs := make(chan error, 10)
	for range cap(errs) {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			_, err := evalEcho(ctx, l, "x")
			errs <- err
		}()
	}
	require.Eventually(t, func() bool { return l.conn.Load().inflight.open.Load() == int64(cap(errs)) }, patience, time.Millisecond)
	require.NoError(t, r.Kill())
	for range cap(errs) {
		err := <-errs
		require.ErrorIs(t, err, ErrConnectionLost)
		require.ErrorIs(t, err, ErrUnanswered)
		require.NotErrorIs(t, err, ErrTimeout)
	}
}

func TestLink_startsWithRedisDown(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	require.NoError(t, r.Kill())
	began := time.Now()
	l, j := openFor(t, optionsFor(r), Settings{})
	_, err := evalEcho(t.Context(), l, "x")
	require.ErrorIs(t, err, ErrUnavailable)
	assert.Less(t, time.Since(began), margin, "nobody waits for the connection")
	change, at := j.awaitState(t, 0, StateOpen)
	require.Error(t, change.Reason, "the first failure is told")

	require.NoError(t, r.Restart(t.Context()))
	change, _ = j.awaitState(t, at, StateClosed)
	assert.False(t, change.Arrival.SameRun, "the first arrival has nothing to compare with")
	assert.True(t, change.Arrival.DataIntact, "nothing was acknowledged before it")
	_, err = evalEcho(t.Context(), l, "x")
	require.NoError(t, err)
	for _, c := range j.changes {
		assert.NotEqual(t, StateHalfOpen, c.State, "one probe is enough for the first connection")
	}
}

func TestLink_fullServerIsHeldBackUntilItTakesWrites(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, at := healthy(t, optionsFor(r), Settings{OpTimeout: 100 * time.Millisecond})
	write := NewScript(`return redis.call('SET', KEYS[1], ARGV[1], 'PX', 60000)`)
	_, err := r.CLI("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
	require.NoError(t, err)
	for l.State() == StateClosed {
		_, err = l.Eval(t.Context(), Call{Script: write, Keys: []string{"k"}, Args: []string{"v"}})
		require.ErrorIs(t, err, ErrUnavailable)
		time.Sleep(5 * time.Millisecond)
	}
	change, at := j.awaitState(t, at, StateOpen)
	require.ErrorContains(t, change.Reason, "OOM")
	time.Sleep(1500 * time.Millisecond) // six probes: PINGs alone would have closed it
	assert.Equal(t, StateOpen, l.State())

	_, err = r.CLI("CONFIG", "SET", "maxmemory", "0")
	require.NoError(t, err)
	change, _ = j.awaitState(t, at, StateClosed)
	assert.True(t, change.Arrival.SameRun && change.Arrival.DataIntact, "%+v", j.changes)
}

func TestLink_readOnlyServerIsHeldBack(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, at := healthy(t, optionsFor(r), Settings{OpTimeout: 100 * time.Millisecond})
	_, err := r.CLI("CONFIG", "SET", "replica-serve-stale-data", "yes")
	require.NoError(t, err)
	_, err = r.CLI("REPLICAOF", "127.0.0.1", "1")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateOpen)
	change, at := j.await(t, at-1, "READONLY", func(c Change) bool { return code(c.Reason) == "READONLY" })
	assert.Equal(t, StateOpen, change.State)
	_, err = evalEcho(t.Context(), l, "x")
	require.ErrorIs(t, err, ErrUnavailable)
	_, err = r.CLI("REPLICAOF", "NO", "ONE")
	require.NoError(t, err)
	j.awaitState(t, at, StateClosed)
}

func TestLink_callersThatGoAwayAreNoFailure(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, at := healthy(t, optionsFor(r), Settings{OpTimeout: 5 * time.Second})
	require.NoError(t, r.Pause())
	for range 30 {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Millisecond, cancel)
		_, err := evalEcho(ctx, l, "x")
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, ErrUnanswered)
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(5*time.Millisecond, cancel)
	for _, reply := range l.Pipeline(ctx, []Call{{Script: echo}, {Script: echo}}) {
		require.ErrorIs(t, reply.Err, context.Canceled)
	}
	require.NoError(t, r.Resume())
	_, err := evalEcho(t.Context(), l, "x")
	require.NoError(t, err)
	j.mu.Lock()
	defer j.mu.Unlock()
	assert.Len(t, j.changes, at, "the breaker has not moved")
	assert.Equal(t, 31, j.calls[Abandoned], "a pipeline is one call")
	assert.EqualValues(t, 0, l.conn.Load().inflight.open.Load(), "their places are free again")
}

func TestLink_refusesTheCallThatIsOneTooMany(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, _ := healthy(t, optionsFor(r), Settings{OpTimeout: patience})
	require.NoError(t, r.Pause())
	t.Cleanup(func() { _ = r.Resume() })
	var wg sync.WaitGroup
	var failed atomic.Int64
	for range maxInFlight {
		wg.Go(func() {
			if _, err := evalEcho(context.Background(), l, "x"); err != nil {
				failed.Add(1)
			}
		})
	}
	inflight := &l.conn.Load().inflight
	require.Eventually(t, func() bool { return inflight.open.Load() == maxInFlight }, patience, time.Millisecond)
	began := time.Now()
	_, err := evalEcho(t.Context(), l, "x")
	require.ErrorIs(t, err, ErrUnavailable)
	assert.Less(t, time.Since(began), margin)
	assert.Equal(t, 1, j.count(Full))
	require.NoError(t, r.Resume())
	wg.Wait()
	assert.Zero(t, failed.Load(), "those that were in time are answered")
	assert.EqualValues(t, 0, inflight.open.Load())
}

// A hung Redis and short deadlines: rueidis keeps the abandoned calls in its ring, and whoever found that full
// would wait without a deadline.
func TestLink_abandonedCallsDoNotFillTheRing(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, _, _ := healthy(t, optionsFor(r), Settings{OpTimeout: 20 * time.Second})
	l.breaker.setGroup(time.Hour) // the breaker shall not save us here
	require.NoError(t, r.Pause())
	inflight := &l.conn.Load().inflight
	var h hammer
	stop := make(chan struct{})
	h.run(l, 2000, 20*time.Millisecond, stop)
	assert.Eventually(t, func() bool { return inflight.open.Load() >= maxInFlight }, patience, time.Millisecond)
	time.Sleep(200 * time.Millisecond)
	close(stop)
	h.wg.Wait()
	assert.LessOrEqual(t, inflight.open.Load(), int64(maxInFlight))
	h.check(t, 10*margin) // 2,000 goroutines on a few processors; Redis would have held them for much longer
	require.NoError(t, r.Resume())
	require.Eventually(t, func() bool {
		_, err := evalEcho(t.Context(), l, "x")
		return err == nil && inflight.open.Load() == 0
	}, patience, 10*time.Millisecond, "once Redis has answered them their places are free")
}
