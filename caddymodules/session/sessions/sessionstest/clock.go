// Package sessionstest has the contract that every sessions.Store keeps, and doubles for tests.
package sessionstest

import (
	"sync"
	"time"
)

// Clock is moved by hand. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock stands at a fixed moment.
func NewClock() *Clock { return &Clock{now: time.UnixMilli(1_770_000_000_000).UTC()} }

// Now is the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Set moves the clock to a moment, which may lie before.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}
