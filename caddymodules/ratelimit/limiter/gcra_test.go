package limiter

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const start = int64(1_772_366_400_000_000) // noon of 2026-03-01 UTC

// rational is a bucket by exact fractions, written from the definition: it holds up to burst tokens
// and gets rate of them each period.
type rational struct {
	tokens, capacity, perMicro *big.Rat
	at                         int64
}

func newRational(l Limit) *rational {
	return &rational{
		tokens: big.NewRat(l.Capacity(), 1), capacity: big.NewRat(l.Capacity(), 1),
		perMicro: big.NewRat(l.Rate, l.Period.Microseconds()), at: start,
	}
}

func (r *rational) take(now, cost int64) bool {
	if now > r.at {
		r.tokens.Add(r.tokens, new(big.Rat).Mul(r.perMicro, big.NewRat(now-r.at, 1)))
		if r.tokens.Cmp(r.capacity) > 0 {
			r.tokens.Set(r.capacity)
		}
		r.at = now
	}
	want := big.NewRat(cost, 1)
	if r.tokens.Cmp(want) < 0 {
		return false
	}
	r.tokens.Sub(r.tokens, want)
	return true
}

func (r *rational) remaining() int64 {
	return new(big.Int).Quo(r.tokens.Num(), r.tokens.Denom()).Int64()
}

// Traps 13 and 15: nothing is ever rounded, however badly the numbers divide and however long it runs.
func TestBucket_Take_isExact(t *testing.T) {
	for i, limit := range []Limit{
		{GCRA, 10, time.Second, 0},
		{GCRA, 3, 7 * time.Second, 5},
		{GCRA, 7, 3*time.Second + 11*time.Microsecond, 2},
		{GCRA, 300_000, time.Second, 1000},
		{GCRA, 700_000, time.Second, 1},
		{GCRA, 999_999_937, time.Second, 1_000_000},
		{GCRA, 1, LargestPeriod, 284},
		{GCRA, 12, 30 * 24 * time.Hour, 0},
	} {
		t.Run(limit.String(), func(t *testing.T) {
			p, err := NewPolicy("zone", 1, limit)
			require.NoError(t, err)
			random := rand.New(rand.NewPCG(1, uint64(i)))
			reference := newRational(limit)
			var b Bucket
			now := start
			for n := range 5000 {
				now += random.Int64N(2*p.window/p.Capacity() + 2)
				cost := random.Int64N(min(p.Capacity(), 4) + 1)
				var d Decision
				b, d = b.Take(p, now, cost)
				allowed := reference.take(now, cost)
				if d.Allowed != allowed || d.Remaining != reference.remaining() {
					t.Fatalf("take %d: allowed %t with %d remaining, want %t with %d", n, d.Allowed, d.Remaining, allowed, reference.remaining())
				}
			}
		})
	}
}

// Taken greedily for long, the rate is the limit's to the token.
func TestBucket_Take_longRunRate(t *testing.T) {
	for _, rate := range []int64{1, 3, 7, 300_000, 700_000} {
		// With a burst of 1 a fraction of a microsecond would be lost each time the bucket is full.
		const burst = 2
		p := policy(t, GCRA, rate, time.Second, burst)
		var b Bucket
		now := start
		var passed int64
		for passed < 50_000 {
			var d Decision
			if b, d = b.Take(p, now, 1); d.Allowed {
				passed++
				continue
			}
			now += d.RetryAfter.Microseconds()
		}
		elapsed := now - start
		require.LessOrEqual(t, passed, burst+elapsed*rate/1_000_000, "%s: in %d µs", p, elapsed)
		require.GreaterOrEqual(t, passed, elapsed*rate/1_000_000, "%s: in %d µs", p, elapsed)
	}
}

func TestBucket_Take_newKeyPasses(t *testing.T) {
	for _, burst := range []int64{1, 2, 5} {
		p := policy(t, GCRA, 7, 3*time.Second, burst)
		for _, now := range []int64{0, 1, start} {
			_, d := Bucket{}.Take(p, now, burst)
			require.True(t, d.Allowed, "burst %d at %d", burst, now)
		}
	}
}

func TestBucket_Take_refusedLeavesItAsItWas(t *testing.T) {
	p := policy(t, GCRA, 10, time.Second, 0)
	b, _ := Bucket{}.Take(p, start, 10)
	for _, cost := range []int64{1, 10, 11, 1 << 40, 1 << 62} {
		after, d := b.Take(p, start, cost)
		require.False(t, d.Allowed)
		require.Equal(t, b, after, "cost %d", cost)
	}
}

func TestBucket_Take_timeMovesBack(t *testing.T) {
	p := policy(t, GCRA, 10, time.Second, 0)
	b, _ := Bucket{}.Take(p, start, 10)
	after, d := b.Take(p, start-1_000_000, 1)
	require.False(t, d.Allowed)
	require.Equal(t, b.At, after.At, "stored time never moves back")
	require.Equal(t, 1100*time.Millisecond, d.RetryAfter, "the wait is told by the clock")
	require.Equal(t, 2*time.Second, d.ResetAfter)
}

// Traps 28 and 30, and what a change does to the tokens that are used.
func TestBucket_Take_changedLimit(t *testing.T) {
	tenASecond := policy(t, GCRA, 10, time.Second, 0)
	used, _ := Bucket{}.Take(tenASecond, start, 7)
	for _, tt := range []struct {
		name  string
		p     *Policy
		after int64
		want  int64 // remaining
	}{
		{"same", tenASecond, 0, 3},
		{"raised", policy(t, GCRA, 100, time.Second, 0), 0, 93},
		{"raised, a while later", policy(t, GCRA, 100, time.Second, 0), 50_000, 98},
		{"more burst", policy(t, GCRA, 10, time.Second, 20), 0, 13},
		{"lowered", policy(t, GCRA, 5, time.Second, 0), 0, 0},
		{"less burst", policy(t, GCRA, 10, time.Second, 5), 0, 0},
		{"lowered, clamped, a while later", policy(t, GCRA, 5, time.Second, 0), 400_000, 2},
		{"longer period", policy(t, GCRA, 10, time.Hour, 0), 1_000_000, 3},
		{"shorter period", policy(t, GCRA, 10, time.Millisecond, 0), 100, 4},
		{"other divisors", policy(t, GCRA, 13, 3*time.Second, 0), 0, 6},
	} {
		_, d := used.Take(tt.p, start+tt.after, 0)
		require.Equal(t, tt.want, d.Remaining, tt.name)
	}
	// As many tokens as there can be, and each as long as there can be.
	many, year := policy(t, GCRA, LargestRate, time.Second, 0), policy(t, GCRA, 1, LargestPeriod, 284)
	var d Decision
	for tokens := int64(LargestRate / 10); tokens <= LargestRate; tokens += LargestRate / 10 {
		most, _ := Bucket{}.Take(many, start, tokens)
		_, d = most.Take(year, start, 1)
		require.Zero(t, d.Remaining, "%d tokens", tokens)
		require.Equal(t, LargestPeriod, d.RetryAfter, "%d tokens", tokens)
	}
	// A part of a used token is a used token.
	part, _ := used.Take(tenASecond, start+650_000, 1)
	_, d = part.Take(policy(t, GCRA, 11, time.Second, 0), start+650_000, 0)
	require.Equal(t, int64(9), d.Remaining, "1.5 tokens used count as 2")
}

func TestBucket_Refund(t *testing.T) {
	p := policy(t, GCRA, 10, time.Second, 0)
	b, _ := Bucket{}.Take(p, start, 7)
	_, d := b.Refund(start, 3).Take(p, start, 0)
	require.Equal(t, int64(6), d.Remaining)
	_, d = b.Refund(start+100_000, 3).Take(p, start+100_000, 0)
	require.Equal(t, int64(7), d.Remaining)
	require.Zero(t, b.Refund(start, 8).Debt, "never more than full")
	require.Zero(t, b.Refund(start+50_000, 7).Debt, "of the seven, half a one has come back")
	require.Zero(t, Bucket{}.Refund(start, 1).Debt)
	require.Equal(t, b.At, b.Refund(start-1000, 1).At)

	wider := policy(t, GCRA, 1, LargestPeriod, 284)
	full, _ := Bucket{}.Take(wider, start, 284)
	require.Zero(t, full.Refund(start, LargestRate).Debt, "without overflow")
}

func TestBucketFullIn(t *testing.T) {
	p := policy(t, GCRA, 3, time.Second, 2)
	for in, want := range map[int64]int64{-1: 0, 0: 0, 1: 1, 333_333: 333_333, 666_666: 666_666, 666_667: 666_667, 1 << 40: 666_667} {
		b := BucketFullIn(p, start, in)
		require.Equal(t, want, b.TimeToFull(), "full in %d µs", in)
		require.LessOrEqual(t, b.Debt, p.Capacity()*p.token)
	}
}

func ExampleBucket_Take() {
	policy, err := NewPolicy("api", 1, Limit{Algorithm: GCRA, Rate: 2, Period: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	var bucket Bucket // full
	for _, now := range []int64{0, 0, 0, 500_000} {
		var d Decision
		bucket, d = bucket.Take(policy, now, 1)
		fmt.Println(d.Allowed, d.Remaining, d.RetryAfter)
	}
	// Output:
	// true 1 0s
	// true 0 0s
	// false 0 500ms
	// true 0 0s
}

func BenchmarkBucket_Take(b *testing.B) {
	p := policy(b, GCRA, 1000, time.Second, 0)
	b.ReportAllocs()
	var bucket Bucket
	now := start
	for b.Loop() {
		bucket, _ = bucket.Take(p, now, 1)
		now += 700
	}
}
