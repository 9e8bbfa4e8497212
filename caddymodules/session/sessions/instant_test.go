package sessions

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestClock_followsTheStore: estimates stay within what the answers allow, narrow as they come, and
// follow a store whose clock jumps.
func TestClock_followsTheStore(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.UnixMilli(1_770_000_000_000)
	c := newClock(start)
	if got := c.instant(start.Add(time.Second)); got != InstantOf(start.Add(time.Second)) {
		t.Fatalf("before any answer: got %d, want the wall clock", got)
	}
	for _, ahead := range []time.Duration{2 * time.Minute, -2 * time.Minute, 90 * time.Hour} {
		now := start
		for range 200 {
			now = now.Add(time.Duration(random.IntN(1000)) * time.Millisecond)
			sent, there := now, now.Add(time.Duration(random.IntN(5000))*time.Microsecond)
			now = there.Add(time.Duration(random.IntN(5000)) * time.Microsecond)
			c.observe(InstantOf(there.Add(ahead)), sent, now)
			if off := c.instant(now).Sub(InstantOf(now.Add(ahead))).Abs(); off > 11*time.Millisecond {
				t.Fatalf("off by %s", off)
			}
		}
		if off := c.instant(now).Sub(InstantOf(now.Add(ahead))).Abs(); off > 2*time.Millisecond {
			t.Errorf("off by %s after 200 answers", off)
		}
		if got := c.instant(c.local(InstantOf(now))); got.Sub(InstantOf(now)).Abs() > time.Millisecond {
			t.Errorf("there and back: got %d, want %d", got, InstantOf(now))
		}
	}
}
