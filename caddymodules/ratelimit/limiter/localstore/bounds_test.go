package localstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// keyOf is a digest, as all keys are: the store relies on their bytes being evenly spread.
func keyOf(n int) limiter.Key {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))
	return limiter.Key(sum[:16])
}

func take(t *testing.T, s *localstore.Store, p *limiter.Policy, key int) limiter.Decision {
	t.Helper()
	claims := []limiter.Claim{{Key: keyOf(key), Policy: p, Cost: 1}}
	if err := s.Take(context.Background(), claims); err != nil {
		t.Fatal(err)
	}
	return claims[0].Decision
}

func TestStore_floodNeitherFreesARefusedKeyNorLocksOthersOut(t *testing.T) {
	for _, algorithm := range []limiter.Algorithm{limiter.GCRA, limiter.Log, limiter.Slices} {
		t.Run(algorithm.String(), func(t *testing.T) {
			clock := limitertest.NewClock()
			s := localstore.New(localstore.Options{MaxKeys: 6400, Now: clock.Now})
			p := policy(t, limiter.Limit{Algorithm: algorithm, Rate: 3, Period: time.Hour})

			const victims = 200
			for v := range victims {
				for range 3 {
					require.True(t, take(t, s, p, v).Allowed)
				}
				require.False(t, take(t, s, p, v).Allowed)
			}
			for n := range 30_000 {
				if !take(t, s, p, victims+n).Allowed {
					t.Fatalf("newcomer %d is locked out", n)
				}
			}
			require.LessOrEqual(t, s.Len(), 6400)
			for v := range victims {
				require.False(t, take(t, s, p, v).Allowed, "the flood freed key %d", v)
			}
		})
	}
}

func TestStore_fullOfRefusedKeysStillLimitsNewcomers(t *testing.T) {
	clock := limitertest.NewClock()
	s := localstore.New(localstore.Options{MaxKeys: 640, Now: clock.Now})
	p := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 1, Period: time.Hour})
	for n := range 20_000 {
		take(t, s, p, n)
	}
	// 640 keys of their own and 1,024 buckets to share.
	require.LessOrEqual(t, s.Len(), 640+1024)
	admitted := 0
	for n := range 20_000 {
		if take(t, s, p, 1_000_000+n).Allowed {
			admitted++
		}
	}
	require.Zero(t, admitted, "with all buckets empty a newcomer waits with the others of its bucket")

	clock.Advance(time.Hour + time.Second)
	for n := range 300 {
		require.True(t, take(t, s, p, 2_000_000+n).Allowed, "the store has recovered")
	}
	require.LessOrEqual(t, s.Len(), 640+1024)
}

func TestStore_memoryIsBounded(t *testing.T) {
	clock := limitertest.NewClock()
	s := localstore.New(localstore.Options{MaxKeys: 1 << 20, MaxMemory: 2 << 20, Now: clock.Now})
	p := policy(t, limiter.Limit{Algorithm: limiter.Slices, Rate: 200, Period: time.Hour})
	before := heap()
	for n := range 30_000 {
		take(t, s, p, n)
	}
	grown := heap() - before
	runtime.KeepAlive(s)
	require.Less(t, grown, int64(4<<20), "2 MiB were allowed, by estimate")
}

func TestStore_memoryALiveKey(t *testing.T) {
	clock := limitertest.NewClock()
	s := localstore.New(localstore.Options{Now: clock.Now})
	p := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 100, Period: time.Hour})
	const keys = 100_000
	before := heap()
	for n := range keys {
		take(t, s, p, n)
	}
	each := (heap() - before) / keys
	runtime.KeepAlive(s)
	t.Logf("%d bytes a key", each)
	// The target is 150; maps grow in steps, so a bound in a test must leave room for one.
	require.Less(t, each, int64(220))
}

func TestStore_recoveredKeysMakeRoom(t *testing.T) {
	clock := limitertest.NewClock()
	s := localstore.New(localstore.Options{Now: clock.Now})
	p := policy(t, limiter.Limit{Algorithm: limiter.GCRA, Rate: 10, Period: time.Second})
	for n := range 50_000 {
		take(t, s, p, n)
		clock.Advance(time.Millisecond)
	}
	require.Less(t, s.Len(), 5_000, "keys that recovered long ago are still held")
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
