package limitertest

import (
	"sync/atomic"
	"time"
)

// Clock is a clock of whole microseconds that stands still until it is moved. It is safe for
// concurrent use.
type Clock struct {
	micros atomic.Int64
}

// NewClock returns a clock that shows noon of the first of March 2026, UTC.
func NewClock() *Clock {
	c := new(Clock)
	c.Set(time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
	return c
}

// Now returns the time shown.
func (c *Clock) Now() time.Time { return time.UnixMicro(c.micros.Load()).UTC() }

// Advance moves the clock on, or back if d is negative, by the whole microseconds of d.
func (c *Clock) Advance(d time.Duration) { c.micros.Add(d.Microseconds()) }

// Set moves the clock to t, cut to the microsecond.
func (c *Clock) Set(t time.Time) { c.micros.Store(t.UnixMicro()) }
