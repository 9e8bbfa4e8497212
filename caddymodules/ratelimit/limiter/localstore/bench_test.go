package localstore_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// BenchmarkTake is one decision: the target is 250 ns and no allocation.
func BenchmarkTake(b *testing.B) {
	ctx := context.Background()
	for _, bench := range []struct {
		name  string
		limit limiter.Limit
		keys  uint64
	}{
		{"gcra/allowed", limiter.Limit{Algorithm: limiter.GCRA, Rate: 1_000_000, Period: time.Millisecond}, 1},
		{"gcra/refused", limiter.Limit{Algorithm: limiter.GCRA, Rate: 1, Period: time.Hour}, 1},
		{"gcra/allowed/10000_keys", limiter.Limit{Algorithm: limiter.GCRA, Rate: 1_000_000, Period: time.Millisecond}, 10_000},
		{"log/refused", limiter.Limit{Algorithm: limiter.Log, Rate: 100, Period: time.Hour}, 1},
		{"slices/allowed", limiter.Limit{Algorithm: limiter.Slices, Rate: 1_000_000_000, Period: time.Minute}, 1},
	} {
		b.Run(bench.name, func(b *testing.B) {
			s := localstore.New(localstore.Options{})
			p := policy(b, bench.limit)
			claims := []limiter.Claim{{Policy: p, Cost: 1}}
			next := func(i uint64) {
				binary.LittleEndian.PutUint64(claims[0].Key[:], i%bench.keys*0x9E3779B97F4A7C15)
				if err := s.Take(ctx, claims); err != nil {
					b.Fatal(err)
				}
			}
			for i := range bench.keys {
				next(i)
			}
			b.ReportAllocs()
			for i := uint64(0); b.Loop(); i++ {
				next(i)
			}
		})
	}
}

// BenchmarkTake_parallel is the same from all processors, on one key and on many.
func BenchmarkTake_parallel(b *testing.B) {
	ctx := context.Background()
	for _, bench := range []struct {
		name string
		keys uint64
	}{{"one_key", 1}, {"10000_keys", 10_000}} {
		b.Run(bench.name, func(b *testing.B) {
			s := localstore.New(localstore.Options{})
			p := policy(b, limiter.Limit{Algorithm: limiter.GCRA, Rate: 1_000_000, Period: time.Millisecond})
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				claims := []limiter.Claim{{Policy: p, Cost: 1}}
				for i := uint64(0); pb.Next(); i++ {
					binary.LittleEndian.PutUint64(claims[0].Key[:], i%bench.keys*0x9E3779B97F4A7C15)
					_ = s.Take(ctx, claims)
				}
			})
		})
	}
}

func policy(tb testing.TB, limit limiter.Limit) *limiter.Policy {
	tb.Helper()
	p, err := limiter.NewPolicy("zone", 1, limit)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}
