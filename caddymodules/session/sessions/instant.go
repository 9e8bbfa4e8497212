package sessions

import (
	"sync/atomic"
	"time"
)

// Instant is a moment of the store's clock, in milliseconds since the Unix epoch. It is a type of its
// own so that it cannot be mixed with the clock of a node. Zero means "never".
type Instant int64

// InstantOf rounds t down to an Instant.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time is the instant in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// Add moves the instant by d, rounded down to milliseconds.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d.Milliseconds()) }

// Sub is the time from o to i.
func (i Instant) Sub(o Instant) time.Duration { return time.Duration(i-o) * time.Millisecond }

// clock estimates the store's time from the node's monotonic clock. Each answer of the store bounds
// the difference from both sides: its time lies between sending and receiving. The estimate moves
// only when an answer contradicts it, and then to the nearest bound, so it narrows as answers come
// and follows a store that fails over to a machine with another clock. Before the first answer it
// is the node's wall clock.
type clock struct {
	origin time.Time // a moment of the node, with its monotonic reading
	// guess is read with every request.
	guess atomic.Pointer[guess]
}

// guess is the store's time at the clock's origin, since the Unix epoch.
type guess struct {
	at    time.Duration
	heard bool
}

func newClock(now time.Time) *clock {
	c := &clock{origin: now}
	c.guess.Store(&guess{at: time.Duration(now.UnixNano())})
	return c
}

// instant converts a moment of the node to the store's time.
func (c *clock) instant(now time.Time) Instant {
	return Instant((c.guess.Load().at + now.Sub(c.origin)).Milliseconds())
}

// local converts an instant of the store to a moment of the node.
func (c *clock) local(i Instant) time.Time {
	return c.origin.Add(time.Duration(i)*time.Millisecond - c.guess.Load().at)
}

// observe learns from an answer that says it was decided at t, between the two moments.
func (c *clock) observe(t Instant, sent, received time.Time) {
	// t was rounded down, so the true time is up to a millisecond later.
	least := time.Duration(t)*time.Millisecond - received.Sub(c.origin)
	most := time.Duration(t+1)*time.Millisecond - sent.Sub(c.origin)
	for {
		old := c.guess.Load()
		better := &guess{at: min(max(old.at, least), most), heard: true}
		if !old.heard {
			better.at = least + (most-least)/2
		}
		if *better == *old || c.guess.CompareAndSwap(old, better) {
			return
		}
	}
}
