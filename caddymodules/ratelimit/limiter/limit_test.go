package limiter

import (
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseAlgorithm(t *testing.T) {
	for name, want := range map[string]Algorithm{"gcra": GCRA, "log": Log, "slices": Slices, "Log": Log, "SLICES": Slices} {
		got, err := ParseAlgorithm(name)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for _, name := range []string{"", "token_bucket", "gcra ", "algorithm(0)"} {
		_, err := ParseAlgorithm(name)
		require.ErrorContains(t, err, "log, slices, gcra", "%q", name)
	}
	require.Equal(t, "algorithm(9)", Algorithm(9).String())
}

func TestLimit_Validate(t *testing.T) {
	for _, tt := range []struct {
		name string
		give Limit
		want string // of the error; empty for none
	}{
		{"bucket", Limit{GCRA, 500, 15 * time.Minute, 50}, ""},
		{"bucket without burst", Limit{GCRA, 500, 15 * time.Minute, 0}, ""},
		{"log", Limit{Log, 100, time.Minute, 0}, ""},
		{"log of nothing", Limit{Log, 0, time.Minute, 0}, ""},
		{"largest log", Limit{Log, LargestLog, time.Microsecond, 0}, ""},
		{"slices", Limit{Slices, LargestRate, LargestPeriod, 0}, ""},
		{"shortest slices", Limit{Slices, 1, 60 * time.Microsecond, 0}, ""},
		{"largest rate", Limit{GCRA, LargestRate, time.Second, LargestRate}, ""},
		{"a token a year", Limit{GCRA, 1, LargestPeriod, 284}, ""},

		{"no period", Limit{GCRA, 1, 0, 0}, "period must be positive, got 0s"},
		{"negative period", Limit{Log, 1, -time.Second, 0}, "period must be positive"},
		{"nanoseconds", Limit{GCRA, 1, time.Second + 1, 0}, "whole microseconds"},
		{"too long", Limit{Slices, 1, LargestPeriod + time.Microsecond, 0}, "at most 8784h"},
		{"too many", Limit{Slices, LargestRate + 1, time.Minute, 0}, "rate must be at most 1000000000"},
		{"negative rate", Limit{Log, -1, time.Minute, 0}, "must not be negative"},
		{"negative burst", Limit{GCRA, 1, time.Minute, -1}, "must not be negative"},
		{"bucket of nothing", Limit{GCRA, 0, time.Minute, 5}, "use events 0"},
		{"too large a burst", Limit{GCRA, 1, time.Second, LargestRate + 1}, "burst must be at most"},
		{"too large a log", Limit{Log, LargestLog + 1, time.Minute, 0}, "use slices"},
		{"too short for slices", Limit{Slices, 1, 59 * time.Microsecond, 0}, "use log"},
		{"log with burst", Limit{Log, 1, time.Minute, 1}, "burst belongs to"},
		{"slices with burst", Limit{Slices, 1, time.Minute, 1}, "burst belongs to"},
		{"no algorithm", Limit{0, 1, time.Minute, 0}, "unknown algorithm"},
		{"not exact", Limit{GCRA, 999_999_937, 366 * 24 * time.Hour, 0}, "common divisor"},
		{"285 tokens of a year", Limit{GCRA, 1, LargestPeriod, 285}, "cannot be counted exactly"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.give.Validate()
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestLimit_String(t *testing.T) {
	for want, give := range map[string]Limit{
		"500/15m0s burst 50": {GCRA, 500, 15 * time.Minute, 50},
		"500/15m0s":          {GCRA, 500, 15 * time.Minute, 500},
		"10/1s":              {GCRA, 10, time.Second, 0},
		"100 in 1m0s (log)":  {Log, 100, time.Minute, 0},
	} {
		require.Equal(t, want, give.String())
	}
}

// FuzzLimit: whatever Validate lets through is counted without overflow, and as its words say.
func FuzzLimit(f *testing.F) {
	f.Add(uint8(1), int64(500), int64(900_000_000), int64(50), int64(3), int64(1), int64(7))
	f.Add(uint8(1), int64(700_000), int64(1_000_000), int64(0), int64(290), int64(-1), int64(1))
	f.Add(uint8(1), int64(1), LargestPeriod.Microseconds(), int64(284), int64(1000), int64(83), int64(284))
	f.Add(uint8(2), int64(100), int64(60_000_000), int64(0), int64(7), int64(2), int64(100))
	f.Add(uint8(3), int64(LargestRate), LargestPeriod.Microseconds(), int64(0), int64(100_000), int64(0), int64(LargestRate))
	f.Add(uint8(3), int64(1), int64(61), int64(0), int64(2), int64(1), int64(1)<<62)
	f.Fuzz(func(t *testing.T, algorithm uint8, rate, period, burst, nodes, rank, cost int64) {
		limit := Limit{Algorithm: Algorithm(algorithm), Rate: rate, Burst: burst}
		if period > 0 && period <= 2*LargestPeriod.Microseconds() {
			limit.Period = time.Duration(period) * time.Microsecond
		}
		if parsed, err := ParseAlgorithm(limit.Algorithm.String()); err == nil && parsed != limit.Algorithm {
			t.Fatalf("algorithm %d is read back as %d", limit.Algorithm, parsed)
		}
		p, err := NewPolicy("zone", 1, limit)
		if err != nil {
			return
		}
		if limit.Algorithm == GCRA {
			checkScale(t, p)
		}
		checkDecisions(t, p, cost)
		nodes = 1 + (nodes&0x7fffffff)%100_000
		checkDecisions(t, p.ShareOf(int(nodes), int(max(-1, rank%nodes))), cost)
	})
}

// checkScale: the scale is the limit's very ratio, and a full debt is a whole number below 2⁵³.
func checkScale(t *testing.T, p *Policy) {
	t.Helper()
	token, repay := p.Scale()
	left := new(big.Int).Mul(big.NewInt(token), big.NewInt(p.Rate))
	right := new(big.Int).Mul(big.NewInt(repay), big.NewInt(p.Period.Microseconds()))
	if token <= 0 || repay <= 0 || left.Cmp(right) != 0 || gcd(token, repay) != 1 {
		t.Fatalf("%s: a token is %d, a microsecond repays %d", p, token, repay)
	}
	full := new(big.Int).Mul(big.NewInt(token), big.NewInt(p.Capacity()))
	if full.Cmp(big.NewInt(1<<53)) > 0 {
		t.Fatalf("%s: a full debt of %s is not exact as a float64", p, full)
	}
}

// checkDecisions takes what there is, and then some, and looks at the numbers.
func checkDecisions(t *testing.T, p *Policy, cost int64) {
	t.Helper()
	cost = max(0, cost)
	now := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	check := func(d Decision, cost int64) {
		t.Helper()
		sane := d.Decided && d.At == now && d.Quota == p.Capacity() && d.Window > 0 &&
			d.Remaining >= 0 && d.Remaining <= p.Capacity() && d.ResetAfter >= 0 &&
			(d.RetryAfter == Never) == (cost > p.Capacity()) && d.Allowed == (d.RetryAfter == 0)
		if !sane || d.RetryAfter < Never {
			t.Fatalf("%s, cost %d: %+v", p, cost, d)
		}
	}
	costs := []int64{cost, p.Capacity(), 1, 0, cost}
	var b Bucket
	var s Slices60
	var times []int64
	for _, c := range costs {
		var d Decision
		switch p.Algorithm {
		case GCRA:
			b, d = b.Take(p, now, c)
		case Log:
			if _, d = TakeLog(times, p, now, c, RemoteUsage{Count: p.Rate / 3, At: now - 1}); d.Allowed {
				for range c {
					times = append(times, now)
				}
			}
		case Slices:
			s.Advance(p, now)
			if d = s.Take(p, now, c, RemoteUsage{Count: p.Rate / 3, At: now - 1}); d.Allowed {
				s.Add(now, c)
			}
		}
		check(d, c)
		now += p.Period.Microseconds() / 7
	}
}
