package limiter

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Algorithm is a way of counting.
type Algorithm uint8

const (
	// GCRA is the generic cell rate algorithm: a bucket of Burst tokens that refills evenly.
	GCRA Algorithm = iota + 1
	// Log keeps the time of every admission, so that no window ever holds more than Rate of them.
	Log
	// Slices counts admissions in 60 slices of the window; the oldest, partly expired slice counts
	// in full, so it never admits more than Rate and returns capacity at most Period/60 late.
	Slices
)

// Bounds of what a Limit may ask for.
const (
	// LargestLog is the largest Rate for which Log may be asked; DefaultLog is the largest for
	// which it is chosen by itself.
	LargestLog = 1000
	DefaultLog = 100
	// LargestRate bounds Rate and Burst, so that sums of costs stay far from overflow.
	LargestRate = 1_000_000_000
	// LargestPeriod bounds Period: a leap year, which the share of 290 nodes can still stretch.
	LargestPeriod = 366 * 24 * time.Hour
	// largestDebt is the largest integer that a float64 (a Lua number) holds exactly.
	largestDebt = 1 << 53
)

// String returns the name that configurations use.
func (a Algorithm) String() string {
	switch a {
	case GCRA:
		return "gcra"
	case Log:
		return "log"
	case Slices:
		return "slices"
	default:
		return fmt.Sprintf("algorithm(%d)", uint8(a))
	}
}

// ParseAlgorithm reads a configured name.
func ParseAlgorithm(name string) (Algorithm, error) {
	for _, a := range []Algorithm{GCRA, Log, Slices} {
		if strings.EqualFold(name, a.String()) {
			return a, nil
		}
	}
	return 0, fmt.Errorf("algorithm %q is not one of log, slices, gcra", name)
}

// Limit is what an operator asks for: so many events or tokens in each Period.
type Limit struct {
	// Algorithm is GCRA for `limit R/T`, Log or Slices for `events N` with a window.
	Algorithm Algorithm
	// Rate is the number of tokens that a Period refills (GCRA), or the most admissions in any
	// Period (Log, Slices). Zero, for Log and Slices, refuses everything.
	Rate int64
	// Period is T or the window, in whole microseconds.
	Period time.Duration
	// Burst is the capacity of the bucket. GCRA only; zero means Rate.
	Burst int64
}

// Capacity is the most that can pass at one moment.
func (l Limit) Capacity() int64 {
	if l.Algorithm == GCRA && l.Burst > 0 {
		return l.Burst
	}
	return l.Rate
}

// String renders the limit as the Caddyfile writes it: `500/15m0s burst 50` or `100 in 1m0s`.
func (l Limit) String() string {
	if l.Algorithm != GCRA {
		return fmt.Sprintf("%d in %s (%s)", l.Rate, l.Period, l.Algorithm)
	}
	if l.Burst > 0 && l.Burst != l.Rate {
		return fmt.Sprintf("%d/%s burst %d", l.Rate, l.Period, l.Burst)
	}
	return fmt.Sprintf("%d/%s", l.Rate, l.Period)
}

// Validate says what is wrong with the limit, and the cure.
func (l Limit) Validate() error {
	switch {
	case l.Period <= 0:
		return fmt.Errorf("the period must be positive, got %s: write it as in 1m or 24h", l.Period)
	case l.Period%time.Microsecond != 0:
		return fmt.Errorf("the period must be whole microseconds, got %s", l.Period)
	case l.Period > LargestPeriod:
		return fmt.Errorf("the period must be at most %s, got %s", LargestPeriod, l.Period)
	case l.Rate > LargestRate:
		return fmt.Errorf("the rate must be at most %d, got %d", int64(LargestRate), l.Rate)
	case l.Rate < 0 || l.Burst < 0:
		return errors.New("the rate and the burst must not be negative")
	}
	switch l.Algorithm {
	case GCRA:
		return l.validateGCRA()
	case Log:
		if l.Rate > LargestLog {
			return fmt.Errorf("algorithm log keeps a time for each of at most %d events, got %d: use slices", LargestLog, l.Rate)
		}
	case Slices:
		if l.Period < slices*time.Microsecond {
			return fmt.Errorf("algorithm slices needs a window of at least %s, got %s: use log", slices*time.Microsecond, l.Period)
		}
	default:
		return fmt.Errorf("unknown algorithm %d", l.Algorithm)
	}
	if l.Burst != 0 {
		return fmt.Errorf("burst belongs to limit R/T (gcra), not to algorithm %s", l.Algorithm)
	}
	return nil
}

func (l Limit) validateGCRA() error {
	if l.Rate == 0 {
		return errors.New("the rate must be positive: to refuse everything use events 0 or respond 429")
	}
	if l.Burst > LargestRate {
		return fmt.Errorf("the burst must be at most %d, got %d", int64(LargestRate), l.Burst)
	}
	token, _ := l.units()
	if l.Capacity() > largestDebt/token {
		return fmt.Errorf("%s cannot be counted exactly: burst × period is too large; lower the burst, shorten the period, or choose a rate and a period with a common divisor", l)
	}
	return nil
}

// units are the rational GCRA state's scale: a token costs token units of debt, and a microsecond
// repays repay units. Both are reduced by their common divisor, so nothing is ever rounded.
func (l Limit) units() (token, repay int64) {
	period := l.Period.Microseconds()
	g := gcd(l.Rate, period)
	return period / g, l.Rate / g
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
