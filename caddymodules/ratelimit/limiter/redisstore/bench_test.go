package redisstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// parallel spreads b.N calls over so many callers.
func parallel(b *testing.B, callers int, call func(ctx context.Context, n int64) error) {
	b.Helper()
	b.ReportAllocs()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range callers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
				if err := call(ctx, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkTake compares decisions with the cheapest script there can be, on the same connection.
// "server-µs" is what the server's own statistics say that one script took.
func BenchmarkTake(b *testing.B) {
	server := start(b)
	link := connect(b, standalone(server))
	store := New(link, Options{})
	bare := redislink.NewScript("return 1")
	link.Preload(bare)

	policy := func(ordinal int, a limiter.Algorithm, rate int64) *limiter.Policy {
		return limitertest.Policy(b, ordinal, limiter.Limit{Algorithm: a, Rate: rate, Period: time.Minute})
	}
	plenty := map[string][]*limiter.Policy{
		"gcra":   {policy(1, limiter.GCRA, 500_000_000)},
		"log":    {policy(1, limiter.Log, 100)},
		"slices": {policy(1, limiter.Slices, 500_000_000)},
		"three":  {policy(1, limiter.GCRA, 500_000_000), policy(2, limiter.GCRA, 500_000_000), policy(3, limiter.Slices, 500_000_000)},
		// Refused, but for the first.
		"refused": {policy(4, limiter.GCRA, 1)},
	}
	for _, callers := range []int{1, 32, 256} {
		run := func(name string, call func(ctx context.Context, n int64) error) {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				before := usedMicros(b, link)
				parallel(b, callers, call)
				b.StopTimer()
				b.ReportMetric(float64(usedMicros(b, link)-before)/float64(b.N), "server-µs/op")
			})
		}
		run("bare", func(ctx context.Context, _ int64) error {
			_, err := link.Eval(ctx, redislink.Call{Script: bare})
			return err
		})
		for _, name := range []string{"gcra", "log", "slices", "three", "refused"} {
			run(name, func(ctx context.Context, n int64) error {
				var buf [3]limiter.Claim
				claims := buf[:0]
				for _, p := range plenty[name] {
					claims = append(claims, limiter.Claim{Key: limiter.Key{byte(n), 1: byte(callers)}, Policy: p, Cost: 1})
				}
				return store.Take(ctx, claims)
			})
		}
	}
}

// usedMicros is the time in µs that the server has spent in scripts.
func usedMicros(b *testing.B, link *redislink.Link) int64 {
	b.Helper()
	script := redislink.NewScript(`
		local total = 0
		for usec in string.gmatch(redis.call('INFO', 'commandstats'), 'cmdstat_evals?h?a?:calls=%d+,usec=(%d+)') do total = total + usec end
		return total`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	message, err := link.Eval(ctx, redislink.Call{Script: script})
	require.NoError(b, err)
	n, err := message.ToInt64()
	require.NoError(b, err)
	return n
}
