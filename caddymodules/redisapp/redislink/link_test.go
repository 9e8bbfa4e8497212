package redislink

import (
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// patience is how long a test waits for what must come in the end. It bounds failures, it measures nothing.
const patience = 30 * time.Second

// echo returns its arguments' number and its first key and argument.
var echo = NewScript(`return {#ARGV, KEYS[1], ARGV[1]}`)

// journal keeps what a link told.
type journal struct {
	mu       sync.Mutex
	changes  []Change
	warnings []Warning
	calls    map[Result]int
	news     chan struct{}
}

func newJournal() *journal {
	return &journal{calls: make(map[Result]int), news: make(chan struct{}, 1)}
}

func (j *journal) note(f func()) {
	j.mu.Lock()
	f()
	j.mu.Unlock()
	select {
	case j.news <- struct{}{}:
	default:
	}
}

func (j *journal) settings(s Settings) Settings {
	s.OnChange = func(c Change) { j.note(func() { j.changes = append(j.changes, c) }) }
	s.OnWarning = func(w Warning) { j.note(func() { j.warnings = append(j.warnings, w) }) }
	s.OnCall = func(r Result, _ time.Duration) { j.mu.Lock(); j.calls[r]++; j.mu.Unlock() }
	return s
}

// await waits until the journal, from the given change on, has one that fits, and returns it and the place behind it.
func (j *journal) await(t *testing.T, from int, what string, fits func(Change) bool) (Change, int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		j.mu.Lock()
		i := slices.IndexFunc(j.changes[min(from, len(j.changes)):], fits)
		j.mu.Unlock()
		if i >= 0 {
			j.mu.Lock()
			defer j.mu.Unlock()
			return j.changes[from+i], from + i + 1
		}
		select {
		case <-j.news:
		case <-deadline:
			j.mu.Lock()
			defer j.mu.Unlock()
			require.FailNow(t, "no such change: "+what, "%+v", j.changes)
		}
	}
}

func (j *journal) awaitState(t *testing.T, from int, s State) (Change, int) {
	t.Helper()
	return j.await(t, from, s.String(), func(c Change) bool { return c.State == s })
}

func (j *journal) awaitWarning(t *testing.T, kind WarningKind) Warning {
	t.Helper()
	var found Warning
	require.Eventually(t, func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		i := slices.IndexFunc(j.warnings, func(w Warning) bool { return w.Kind == kind })
		if i >= 0 {
			found = j.warnings[i]
		}
		return i >= 0
	}, patience, 10*time.Millisecond)
	return found
}

func (j *journal) count(r Result) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.calls[r]
}

// optionsFor lead to the server, as a node of its own.
func optionsFor(r *stack.Redis) Options {
	return Options{Addresses: []string{r.Addr()}, Namespace: "test", NodeID: "node-1"}
}

// openFor opens a link that is closed with the test. The time-out is large: a busy machine is no failure.
func openFor(t testing.TB, opts Options, s Settings) (*Link, *journal) {
	t.Helper()
	if s.OpTimeout == 0 {
		s.OpTimeout = time.Second
	}
	j := newJournal()
	l := Open(opts, "limits", j.settings(s))
	t.Cleanup(func() { _ = l.Close() })
	return l, j
}

// healthy opens a link and waits until it is.
func healthy(t *testing.T, opts Options, s Settings) (*Link, *journal, int) {
	t.Helper()
	l, j := openFor(t, opts, s)
	_, at := j.awaitState(t, 0, StateClosed)
	return l, j, at
}

func evalEcho(ctx context.Context, l *Link, arg string) (string, error) {
	reply, err := l.Eval(ctx, Call{Script: echo, Keys: []string{"gh:{test}:k"}, Args: []string{arg}})
	if err != nil {
		return "", err
	}
	parts, err := reply.ToArray()
	if err != nil {
		return "", err
	}
	return parts[2].ToString()
}

func TestLink_eval(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, _ := healthy(t, optionsFor(r), Settings{})

	got, err := evalEcho(t.Context(), l, "hello")
	require.NoError(t, err)
	assert.Equal(t, "hello", got)

	_, err = l.Eval(t.Context(), Call{Script: NewScript(`return redis.error_reply('WRONG it is')`), Keys: []string{"k"}})
	assert.EqualError(t, err, "WRONG it is", "a script's error is an answer")
	_, err = l.Eval(t.Context(), Call{Script: NewScript(`return nil`), Keys: []string{"k"}})
	assert.True(t, rueidis.IsRedisNil(err))
	assert.Equal(t, StateClosed, l.State())
	assert.Equal(t, 2, j.count(Answered))
	assert.Equal(t, 1, j.count(Erred))
	assert.False(t, l.Cluster())
}

func TestLink_scriptFlushIsNoFailure(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, _, _ := healthy(t, optionsFor(r), Settings{})
	for i := range 50 {
		_, err := r.CLI("SCRIPT", "FLUSH")
		require.NoError(t, err)
		got, err := evalEcho(t.Context(), l, fmt.Sprint(i))
		require.NoError(t, err)
		assert.Equal(t, fmt.Sprint(i), got)
	}
	assert.Equal(t, StateClosed, l.State())
}

func TestLink_preloadsIntoEveryConnection(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j := openFor(t, optionsFor(r), Settings{})
	l.Preload(echo)
	_, at := j.awaitState(t, 0, StateClosed)
	known := func() bool {
		reply, err := r.CLI("SCRIPT", "EXISTS", echo.sha)
		return err == nil && reply == "1"
	}
	require.Eventually(t, known, patience, 10*time.Millisecond)

	_, err := r.CLI("SCRIPT", "FLUSH")
	require.NoError(t, err)
	_, err = r.CLI("CLIENT", "KILL", "TYPE", "normal")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateOpen)
	j.awaitState(t, at, StateClosed)
	assert.True(t, known(), "loaded before the link is healthy again")

	late := NewScript(`return 'late'`)
	l.Preload(late)
	require.Eventually(t, func() bool {
		reply, err := r.CLI("SCRIPT", "EXISTS", late.sha)
		return err == nil && reply == "1"
	}, patience, 10*time.Millisecond, "also into the connection that is there")
}

func TestLink_pipelineKeepsTheOrder(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, _, _ := healthy(t, optionsFor(r), Settings{})
	push := NewScript(`return redis.call('RPUSH', KEYS[1], ARGV[1])`)
	other := NewScript(`return redis.call('RPUSH', KEYS[1], 'other' .. ARGV[1])`)
	var calls []Call
	for i := range 20 {
		calls = append(calls, Call{Script: push, Keys: []string{"list"}, Args: []string{fmt.Sprint(i)}})
	}
	// The server knows none of the scripts: all are run again, in order.
	for i, reply := range l.Pipeline(t.Context(), calls) {
		require.NoError(t, reply.Err)
		n, err := reply.Message.AsInt64()
		require.NoError(t, err)
		assert.EqualValues(t, i+1, n)
	}
	// It knows one: the other is run after it.
	replies := l.Pipeline(t.Context(), []Call{
		{Script: other, Keys: []string{"list"}, Args: []string{"A"}},
		{Script: push, Keys: []string{"list"}, Args: []string{"20"}},
		{Script: other, Keys: []string{"list"}, Args: []string{"B"}},
		{Script: NewScript(`return redis.error_reply('BAD one')`), Keys: []string{"list"}},
	})
	require.Len(t, replies, 4)
	for i, want := range []int64{22, 21, 23} {
		n, err := replies[i].Message.AsInt64()
		require.NoError(t, err)
		assert.Equal(t, want, n)
	}
	assert.EqualError(t, replies[3].Err, "BAD one")
	assert.Equal(t, StateClosed, l.State())
	assert.Nil(t, l.Pipeline(t.Context(), nil))
}

func TestLink_do(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, _, _ := healthy(t, optionsFor(r), Settings{})
	set := func(b rueidis.Builder) rueidis.Completed { return b.Set().Key("k").Value("v").Build() }
	get := func(b rueidis.Builder) rueidis.Completed { return b.Get().Key("k").Build() }
	require.NoError(t, l.Do(t.Context(), set).Error())
	got, err := l.Do(t.Context(), get).ToString()
	require.NoError(t, err)
	assert.Equal(t, "v", got)
	none := l.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Get().Key("none").Build() })
	assert.True(t, rueidis.IsRedisNil(none.Error()))
}

func TestLink_doCache(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, _, _ := healthy(t, optionsFor(r), Settings{CacheBytes: 1 << 20})
	get := func(b rueidis.Builder) rueidis.Cacheable { return b.Get().Key("k").Cache() }
	_, err := r.CLI("SET", "k", "one")
	require.NoError(t, err)

	first := l.DoCache(t.Context(), time.Minute, get)
	require.NoError(t, first.Error())
	assert.False(t, first.IsCacheHit())
	assert.True(t, l.DoCache(t.Context(), time.Minute, get).IsCacheHit())
	_, err = r.CLI("SET", "k", "two")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		got, err := l.DoCache(t.Context(), time.Minute, get).ToString()
		return err == nil && got == "two"
	}, patience, 5*time.Millisecond, "Redis tells what changed")
	assert.EqualValues(t, 0, l.conn.Load().inflight.open.Load())
}

func TestLink_givesACallWithoutDeadlineOne(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, _, _ := healthy(t, optionsFor(r), Settings{OpTimeout: 50 * time.Millisecond})
	require.NoError(t, r.Pause())
	t.Cleanup(func() { _ = r.Resume() })
	_, err := evalEcho(context.WithoutCancel(t.Context()), l, "x")
	require.ErrorIs(t, err, ErrTimeout)
	assert.ErrorIs(t, err, ErrUnanswered)
	assert.NotErrorIs(t, err, ErrConnectionLost)
}

func TestLink_sendsNothingForACallerThatHasGone(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, _ := healthy(t, optionsFor(r), Settings{})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for range 100 {
		_, err := evalEcho(gone, l, "x")
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, context.Canceled)
		_, err = evalEcho(late, l, "x")
		require.ErrorIs(t, err, ErrUnavailable)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	assert.Equal(t, StateClosed, l.State())
	assert.Equal(t, 200, j.count(Rejected))
}

func TestLink_subscribersHearInOrderUntilTheyCancel(t *testing.T) {
	t.Parallel()
	r := stack.RedisForTest(t, stack.RedisOptions{})
	l, j, at := healthy(t, optionsFor(r), Settings{})
	var mu sync.Mutex
	var heard []State
	cancel := l.Subscribe(func(c Change) { mu.Lock(); heard = append(heard, c.State); mu.Unlock() })
	_, err := r.CLI("CLIENT", "KILL", "TYPE", "normal")
	require.NoError(t, err)
	_, at = j.awaitState(t, at, StateClosed)
	cancel()
	_, err = r.CLI("CLIENT", "KILL", "TYPE", "normal")
	require.NoError(t, err)
	j.awaitState(t, at, StateClosed)

	mu.Lock()
	defer mu.Unlock()
	require.NotEmpty(t, heard)
	assert.Equal(t, StateOpen, heard[0])
	assert.Equal(t, StateHalfOpen, heard[1])
	assert.Equal(t, 1, len(slices.DeleteFunc(heard, func(s State) bool { return s != StateOpen })))
}

func TestLink_closeLeavesNoGoroutines(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	down := stack.PortForTest(t).Addr()
	hung := stack.RedisForTest(t, stack.RedisOptions{})
	require.NoError(t, hung.Pause())
	t.Cleanup(func() { _ = hung.Resume() })
	for i := range 3 {
		l, j := openFor(t, optionsFor(r), Settings{CacheBytes: i << 16})
		j.awaitState(t, 0, StateClosed)
		_, err := evalEcho(t.Context(), l, "x")
		require.NoError(t, err)
		c := NewCensus(optionsFor(r), CensusSettings{})
		c.Start(l)
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
		require.NoError(t, l.Close(), "twice is no mistake")
		_, err = evalEcho(t.Context(), l, "x")
		require.ErrorIs(t, err, ErrUnavailable)

		for _, addr := range []string{down, hung.Addr()} {
			l, j := openFor(t, Options{Addresses: []string{addr}, NodeID: "n"}, Settings{})
			if i > 0 {
				j.awaitState(t, 0, StateOpen) // an attempt has failed
			}
			require.NoError(t, l.Close())
		}
	}
	requireNoGoroutines(t)
}

// requireNoGoroutines waits for the goroutines of links and clients to end.
func requireNoGoroutines(t *testing.T) {
	t.Helper()
	var left string
	require.Eventually(t, func() bool {
		var text strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&text, 2)
		left = ""
		for stack := range strings.SplitSeq(text.String(), "\n\n") {
			ours := strings.Contains(stack, "redislink.(*") || strings.Contains(stack, "redis/rueidis.")
			if ours && !strings.Contains(stack, "redislink.Test") {
				left += stack + "\n\n"
			}
		}
		return left == ""
	}, patience, 50*time.Millisecond, "%s", left)
}
