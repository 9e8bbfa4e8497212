package redisstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// Trap 2: a state lives as long as it is worth something, and not much longer.
func TestTake_stateLivesUntilAllIsBack(t *testing.T) {
	s, server := open(t)
	for _, a := range algorithms {
		c := claim(t, a.String(), perMinute(a, 100), 7)
		d := take(t, s, c)
		end := number(t, server, "PEXPIRETIME", stateKey(s, c))
		want := (d.At + d.ResetAfter.Microseconds()) / 1000
		require.InDelta(t, want+1, end, 1, "%s: expires at, in ms", a)
		require.Greater(t, end*1000, d.At+d.ResetAfter.Microseconds(), "%s: not before all is back", a)
	}
}

func TestRefund_keepsTheTTL(t *testing.T) {
	s, server := open(t)
	for _, a := range algorithms {
		c := claim(t, a.String(), perMinute(a, 100), 7)
		take(t, s, c)
		claims := []limiter.Claim{c}
		require.NoError(t, s.Take(within(t), claims))
		before := number(t, server, "PEXPIRETIME", stateKey(s, c))
		require.NoError(t, s.Refund(within(t), claims))
		require.Equal(t, before, number(t, server, "PEXPIRETIME", stateKey(s, c)), "%s", a)
	}
}

func TestTake_keyNamesAlgorithmAndOrdinal(t *testing.T) {
	s, server := open(t)
	for i, a := range algorithms {
		c := claim(t, "key", perMinute(a, 5), 1)
		c.Key = limiter.Key{0xff, 0xff, 15: 1}
		c.Policy = limitertest.Policy(t, i+1, perMinute(a, 5))
		take(t, s, c)
	}
	for _, want := range []string{"gcra1", "log2", "slices3"} {
		require.Equal(t, int64(1), number(t, server, "EXISTS", "gh:rl:{__8AAAAAAAAAAAAAAAAAAQ}:"+want))
	}
}

// What is refused, and what only looks, writes nothing.
func TestTake_refusalWritesNothing(t *testing.T) {
	s, server := open(t)
	changes := func() string {
		_, after, ok := strings.Cut(cli(t, server, "INFO", "persistence"), "rdb_changes_since_last_save:")
		require.True(t, ok)
		n, _, _ := strings.Cut(after, "\r\n")
		return n
	}
	for _, a := range algorithms {
		c := claim(t, a.String(), perMinute(a, 2), 2)
		other := claim(t, "other", perMinute(a, 100), 1)
		before := changes()
		require.True(t, take(t, s, c).Allowed)
		require.NotEqual(t, before, changes(), "the server counts what is written")
		before = changes()
		require.False(t, take(t, s, c).Allowed)
		c.Cost = 0
		require.True(t, take(t, s, c).Allowed)
		c.Cost = 3
		require.False(t, take(t, s, c).Allowed)
		both := []limiter.Claim{other, c}
		require.NoError(t, s.Take(within(t), both))
		require.True(t, both[0].Decision.Allowed)
		require.False(t, limiter.Allowed(both))
		require.Equal(t, before, changes(), "%s", a)
	}
}

// Trap 1: the decisions go by the server's clock, whatever the nodes think of the time.
func TestTake_nodesDisagreeAboutTime(t *testing.T) {
	server := start(t)
	var nodes []*Store
	for _, skew := range []time.Duration{-5 * time.Second, 0, 5 * time.Second} {
		nodes = append(nodes, New(connect(t, standalone(server)), Options{
			Micros: func() int64 { return time.Now().Add(skew).UnixMicro() },
		}))
	}
	for _, a := range algorithms {
		limit := limiter.Limit{Algorithm: a, Rate: 500, Period: 24 * time.Hour}
		var wg sync.WaitGroup
		var mu sync.Mutex
		passed := 0
		for i := range 2000 {
			wg.Go(func() {
				claims := []limiter.Claim{claim(t, a.String(), limit, 1)}
				if err := nodes[i%3].Take(within(t), claims); err != nil {
					t.Errorf("take: %v", err)
				}
				if limiter.Allowed(claims) {
					mu.Lock()
					passed++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		require.Equal(t, 500, passed, "%s", limit)
	}
	for i, skew := range []time.Duration{-5 * time.Second, 0, 5 * time.Second} {
		require.InDelta(t, -skew.Seconds(), nodes[i].ServerOffset().Seconds(), 0.5, "offset of node %d", i)
	}
}

// The server's clock, its expiry of keys and the algorithms together: never more than the limit in any window.
func TestTake_neverOverByTheServersClock(t *testing.T) {
	s, _ := open(t)
	const window = 40 * time.Millisecond
	var wg sync.WaitGroup
	for _, a := range algorithms {
		wg.Go(func() {
			limit := limiter.Limit{Algorithm: a, Rate: 20, Period: window}
			var at []int64
			for begin := time.Now(); time.Since(begin) < 20*window || len(at) < 60; {
				if d := take(t, s, claim(t, a.String(), limit, 1)); d.Allowed {
					at = append(at, d.At)
				}
			}
			for i := range at {
				for j := i; j < len(at); j++ {
					within := at[j] - at[i]
					most := int64(20)
					if a == limiter.GCRA {
						most += within * 20 / window.Microseconds()
					} else if within >= window.Microseconds() {
						break
					}
					if n := int64(j - i + 1); n > most {
						t.Errorf("%s: %d passed within %d µs, want at most %d", limit, n, within, most)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// The targets of memory for a live key.
func TestTake_memoryOfAKey(t *testing.T) {
	s, server := open(t)
	fill := func(limit limiter.Limit, cost int64, times int) int64 {
		c := claim(t, limit.String(), limit, cost)
		for range times {
			require.True(t, take(t, s, c).Allowed)
		}
		return number(t, server, "MEMORY", "USAGE", stateKey(s, c))
	}
	for _, limit := range []limiter.Limit{
		{Algorithm: limiter.GCRA, Rate: 10, Period: time.Second},
		{Algorithm: limiter.GCRA, Rate: 997, Period: time.Minute, Burst: 50},
		{Algorithm: limiter.GCRA, Rate: 100_000, Period: 30 * 24 * time.Hour},
		{Algorithm: limiter.GCRA, Rate: 700_000, Period: time.Second, Burst: 1_000_000},
		{Algorithm: limiter.GCRA, Rate: 999_999_937, Period: 24 * time.Hour, Burst: 100_000},
	} {
		size := fill(limit, 1, 1)
		size = max(size, fill(limit, limit.Capacity()-2, 1))
		t.Logf("%s: %d bytes", limit, size)
		require.LessOrEqual(t, size, int64(150), "%s", limit)
	}
	for _, n := range []int64{1, 10, 100, 1000} {
		size := fill(perMinute(limiter.Log, n), n, 1)
		t.Logf("log of %d: %d bytes", n, size)
		// The allocator's size classes are up to a quarter apart.
		require.LessOrEqual(t, size, 100+8*n+2*n, "log of %d", n)
	}
	clock := limitertest.NewClock()
	s.opts.TestClock = clock.Now
	c := claim(t, "slices", perMinute(limiter.Slices, 900_000_000), 14_000_000)
	for range 61 {
		require.True(t, take(t, s, c).Allowed)
		clock.Advance(time.Second)
	}
	size := number(t, server, "MEMORY", "USAGE", stateKey(s, c))
	t.Logf("slices, all full: %d bytes", size)
	require.LessOrEqual(t, size, int64(450), "slices")
}

// unreadable are states that no script of ours has written.
func unreadable(a limiter.Algorithm) [][]string {
	key := "\x00key"
	set := func(value string) []string { return []string{"SET", key, value} }
	commands := [][]string{
		{"RPUSH", key, "a", "b"},
		{"HSET", key, "field", "value"},
		{"ZADD", key, "1", "member"},
		{"SADD", key, "member"},
		set("x"),
		set("garbage of some length"),
		set(strings.Repeat("\xff", 8)),
		set(strings.Repeat("\xff", 24)),
		set(strings.Repeat("\xff", 400)),
		set("\xff\xfe\x00\x01"),
	}
	switch a {
	case limiter.GCRA:
		// By itself it would be read as a bucket that stays empty until the year 2112.
		at, debt := "\x00\x10\x00\x00\x00\x00\x00\x00", "\x00\x00\x00\x00\x03\x93\x87\x00"
		repay, token := "\x00\x00\x00\x00\x00\x00\x00\x01", "\x00\x00\x00\x00\x00\x5b\x8d\x80"
		none, huge := strings.Repeat("\x00", 8), "\x00\x21"+strings.Repeat("\x00", 6)
		for _, state := range []string{
			at + debt + repay, at + debt + repay + token[:7], at + debt + repay + token + "\x00",
			at + debt + none + token, at + debt + repay + none,
			huge + debt + repay + token, at + huge + repay + token, at + debt + huge + token, at + debt + repay + huge,
			strings.Repeat("\xff", 32), strings.Repeat(" ", 32),
		} {
			commands = append(commands, set(state))
		}
	case limiter.Log:
		// A time of the year 2112, and one of 2041.
		later, time := "\x00\x10\x00\x00\x00\x00\x00\x00", "\x00\x08\x00\x00\x00\x00\x00\x00"
		commands = append(commands, set(time[:7]), set(time+time[:3]), set(later+time), set(""))
	case limiter.Slices:
		// With counts it would be read as slices of a second that are full until the year 2112.
		width, newest, count := "\x00\x00\x00\x00\x00\x0f\x42\x40", "\x00\x00\x00\x01\x0c\x6f\x7a\x0b", "\x00\x00\x00\x01"
		commands = append(commands,
			set(width+newest[:7]), set(width+newest+count+"\x00\x00"), set(width+newest+strings.Repeat(count, 62)),
			set(strings.Repeat("\x00", 8)+newest+count), set(width+"\x00\x00\xff"+newest[3:]+count),
			set("\x00\x20\x00\x00\x00\x00\x00\x00"+newest+count), set("\x10"+strings.Repeat("\x00", 15)+count))
	}
	return commands
}

// What stands under our keys and is not ours counts as nothing, once: the next charge overwrites it.
// It must neither fail each request for ever nor stay uncounted.
func TestTake_unreadableStateIsOverwritten(t *testing.T) {
	s, server := open(t)
	for _, a := range algorithms {
		for i, command := range unreadable(a) {
			c := claim(t, fmt.Sprintf("%s %d", a, i), perMinute(a, 10), 1)
			for j, word := range command {
				if word == "\x00key" {
					command[j] = stateKey(s, c)
				}
			}
			cli(t, server, command...)
			kind := cli(t, server, "TYPE", stateKey(s, c))

			refund := c
			refund.Decision = limiter.Decision{Allowed: true, At: time.Now().UnixMicro(), ResetAfter: time.Hour}
			require.NoError(t, s.Refund(within(t), []limiter.Claim{refund}), "%s: %q", a, command)
			require.Equal(t, kind, cli(t, server, "TYPE", stateKey(s, c)), "a refund leaves %q alone", command)

			first := take(t, s, c)
			require.True(t, first.Allowed, "%s: %q", a, command)
			require.Equal(t, int64(9), first.Remaining, "%s: %q", a, command)
			require.Equal(t, int64(8), take(t, s, c).Remaining, "%s: %q is overwritten", a, command)
			require.Positive(t, number(t, server, "PTTL", stateKey(s, c)))
		}
	}
}

func TestMerge_unreadableStateIsOverwritten(t *testing.T) {
	s, server := open(t)
	for _, a := range algorithms {
		for i, command := range unreadable(a) {
			c := claim(t, fmt.Sprintf("%s %d", a, i), perMinute(a, 10), 1)
			for j, word := range command {
				if word == "\x00key" {
					command[j] = stateKey(s, c)
				}
			}
			cli(t, server, command...)
			require.NoError(t, s.Merge(within(t), []limiter.Merge{admitted(c, 4, time.Now())}), "%s: %q", a, command)
			require.Equal(t, int64(5), take(t, s, c).Remaining, "%s: %q", a, command)
		}
	}
}

// TestTake_anyBytes: whatever bytes stand under a key, the scripts answer, and answer sense.
func TestTake_anyBytes(t *testing.T) {
	s, server := open(t)
	random := rand.New(rand.NewPCG(7, 7))
	for n := range 600 {
		a := algorithms[n%3]
		anyBytes(t, s, server, a, randomState(random, a))
	}
}

// randomState is often nearly right.
func randomState(r *rand.Rand, a limiter.Algorithm) string {
	length := []int{0, 1, 7, 8, 15, 16, 20, 24, 64, 256, 260, 264, 800}[r.IntN(13)]
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(r.Uint32())
		if i%8 < 2 || r.IntN(3) == 0 {
			b[i] = 0
		}
	}
	if a == limiter.GCRA && r.IntN(2) == 0 {
		var state []byte
		for range 4 {
			state = binary.BigEndian.AppendUint64(state, uint64(r.Int64N(1<<r.IntN(63)+1)))
		}
		return string(state)
	}
	return string(b)
}

func anyBytes(t *testing.T, s *Store, server *stack.Redis, a limiter.Algorithm, state string) {
	t.Helper()
	c := claim(t, a.String(), perMinute(a, 10), 1)
	key := stateKey(s, c)
	cli(t, server, "SET", key, state)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 3 {
		claims := []limiter.Claim{c}
		require.NoError(t, s.Take(ctx, claims), "state %q", state)
		d := claims[0].Decision
		if d.Remaining < 0 || d.Remaining > d.Quota || d.RetryAfter < 0 || d.Allowed != (d.RetryAfter == 0) || d.ResetAfter < 0 {
			t.Fatalf("%s with state %q: %+v", a, state, d)
		}
		require.NoError(t, s.Refund(ctx, claims), "state %q", state)
	}
	require.NoError(t, s.Merge(ctx, []limiter.Merge{admitted(c, 2, time.Now())}), "state %q", state)
	claims := []limiter.Claim{c}
	require.NoError(t, s.Take(ctx, claims), "state %q", state)
	require.LessOrEqual(t, claims[0].Decision.Remaining, int64(8), "state %q: what was merged counts", state)
}

func FuzzTake_anyBytes(f *testing.F) {
	s, server := open(f)
	f.Add(uint8(0), "\x00\x06\x4b\xf4\x4f\xa9\x40\x00\x00\x00\x00\x00\x00\xb7\x1b\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x5b\x8d\x80")
	f.Add(uint8(1), "\x00\x06\x4b\xf4\x4f\xa9\x40\x00")
	f.Add(uint8(2), "\x00\x00\x00\x00\x00\x0f\x42\x40\x00\x00\x00\x00\x69\xa4\x2c\x40\x00\x00\x00\x05")
	f.Fuzz(func(t *testing.T, a uint8, state string) {
		anyBytes(t, s, server, algorithms[a%3], state)
	})
}
