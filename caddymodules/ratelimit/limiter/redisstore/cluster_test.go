package redisstore

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// recorder notes the keys of each call.
type recorder struct {
	Redis
	mu    sync.Mutex
	calls [][]string
}

func (r *recorder) Eval(ctx context.Context, call redislink.Call) (rueidis.RedisMessage, error) {
	r.mu.Lock()
	r.calls = append(r.calls, slices.Clone(call.Keys))
	r.mu.Unlock()
	return r.Redis.Eval(ctx, call)
}

func (r *recorder) take() [][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	calls := r.calls
	r.calls = nil
	return calls
}

// Trap 9, and what a Cluster costs: one call a key, the one with the least room first, stopping where
// one is refused, and what was charged before is given back.
func TestTake_inClusterByKey(t *testing.T) {
	redis := &recorder{Redis: connect(t, startCluster(t))}
	s := New(redis, Options{})
	wide := claim(t, "wide", perMinute(limiter.GCRA, 100), 1)
	wide2 := wide
	wide2.Policy = limitertest.Policy(t, 2, perMinute(limiter.Log, 100))
	narrow := claim(t, "narrow", perMinute(limiter.Slices, 2), 1)
	claims := func() []limiter.Claim { return []limiter.Claim{wide, narrow, wide2} }

	first := claims()
	require.NoError(t, s.Take(within(t), first))
	require.True(t, limiter.Allowed(first))
	calls := redis.take()
	require.Len(t, calls, 2, "one call a key")
	require.ElementsMatch(t, []int{1, 2}, []int{len(calls[0]), len(calls[1])}, "both limits of a key together")

	second := claims()
	require.NoError(t, s.Take(within(t), second))
	require.True(t, limiter.Allowed(second))
	require.Equal(t, stateKey(s, narrow), redis.take()[0][0], "the least room first")

	third := claims()
	require.NoError(t, s.Take(within(t), third))
	require.False(t, limiter.Allowed(third))
	require.Len(t, redis.take(), 1, "stops where it is refused")
	require.Equal(t, []bool{false, true, false},
		[]bool{third[0].Decision.Decided, third[1].Decision.Decided, third[2].Decision.Decided})

	// What is remembered can be wrong: another key is refused now, after this one was charged.
	s.wires.of(wide.Policy).remember(&limiter.Decision{Quota: 100})
	s.wires.of(narrow.Policy).remember(&limiter.Decision{Quota: 2, Remaining: 1})
	fourth := claims()
	require.NoError(t, s.Take(within(t), fourth))
	require.Len(t, redis.take(), 2)
	require.False(t, limiter.Allowed(fourth))
	require.Equal(t, int64(98), fourth[0].Decision.Remaining, "the refund is told of")
	s.Settle()
	wide.Cost, wide2.Cost = 0, 0
	require.Equal(t, int64(98), take(t, s, wide).Remaining)
	require.Equal(t, int64(98), take(t, s, wide2).Remaining)
}

// A failure after the first key: that is given back too.
func TestTake_inClusterFailsBetween(t *testing.T) {
	link := connect(t, startCluster(t))
	s := New(&secondFails{Redis: link}, Options{})
	claims := []limiter.Claim{claim(t, "a", perMinute(limiter.GCRA, 10), 3), claim(t, "b", perMinute(limiter.Log, 10), 3)}
	require.ErrorIs(t, s.Take(within(t), claims), limiter.ErrUnavailable)
	s.Settle()
	for _, c := range claims {
		c.Cost = 0
		require.Equal(t, int64(10), take(t, New(link, Options{}), c).Remaining)
	}
}

// secondFails carries one Eval.
type secondFails struct {
	Redis
	once sync.Once
}

func (f *secondFails) Eval(ctx context.Context, call redislink.Call) (message rueidis.RedisMessage, err error) {
	err = redislink.ErrUnavailable
	f.once.Do(func() { message, err = f.Redis.Eval(ctx, call) })
	return message, err
}

func TestWires_bounded(t *testing.T) {
	var ws wires
	p := limitertest.Policy(t, 1, perMinute(limiter.GCRA, 1))
	first := ws.of(p)
	require.Same(t, first, ws.of(p))
	for range 3 * maxWires {
		ws.of(limitertest.Policy(t, 1, perMinute(limiter.GCRA, 1)))
	}
	n := 0
	ws.byPolicy.Range(func(any, any) bool { n++; return true })
	require.LessOrEqual(t, n, maxWires)
}

func TestOffset_keepsTheBestMeasurement(t *testing.T) {
	const second = 1_000_000
	var o offset
	require.Zero(t, o.value())
	o.observe(0, 100, 5*second+50)
	require.Equal(t, int64(5*second), o.value().Microseconds())
	o.observe(1000, 21_000, 5*second+1500) // slow, and answered early
	require.Equal(t, int64(5*second), o.value().Microseconds(), "a slow call says less")
	o.observe(60*second, 60*second+20_000, 90*second+10_000) // another server
	require.Equal(t, int64(30*second), o.value().Microseconds(), "an old measurement gives way")
	o.observe(60*second+30_000, 60*second+30_200, 90*second+30_150)
	require.Equal(t, int64(30*second+50), o.value().Microseconds(), "a quick call is better")
}
