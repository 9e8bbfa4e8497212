package redislink

import (
	"sync"
	"sync/atomic"
	"time"
)

// State is what a link thinks of Redis.
type State int32

const (
	// StateClosed says that Redis is healthy: calls are sent.
	StateClosed State = iota
	// StateHalfOpen says that Redis answers probes again; calls are still held back.
	StateHalfOpen
	// StateOpen says that Redis is unavailable: calls are held back.
	StateOpen
)

// String is the word for logs and metrics.
func (s State) String() string {
	switch s {
	case StateClosed:
		return "closed"
	case StateHalfOpen:
		return "half-open"
	default:
		return "open"
	}
}

// When the breaker opens and closes.
const (
	// failures in a row, or half of at least minCalls within a second, open it; either way in at least
	// minGroups groups.
	openAfter = 5
	minCalls  = 20
	minGroups = 3
	// closeAfter good probes in a row close it. The first connection of a process needs one only.
	closeAfter = 3

	window  = time.Second
	buckets = 8
	slice   = window / buckets
)

// breaker decides from the outcome of calls and probes whether calls are sent. Failures that end within one
// op_timeout of the first of them form a group and are as good as one: when the scheduler stalls, everything in
// flight fails at once, and nothing is wrong with Redis.
type breaker struct {
	state atomic.Int32

	mu     sync.Mutex
	group  time.Duration
	moved  func(State, error) // called under mu, so that changes are told in order
	needed int                // good probes until it closes
	good   int                // good probes since the last bad one

	run       int // failures since the last success
	runGroups int // groups of them
	recent    [minGroups]time.Time
	last      int // index in recent of the newest group's first failure

	calls [buckets]bucket
}

// bucket counts the calls that ended in one slice of time.
type bucket struct {
	slice           int64
	total, failures int
}

// newBreaker makes an open breaker that one good probe closes.
func newBreaker(group time.Duration, moved func(State, error)) *breaker {
	b := &breaker{group: group, moved: moved, needed: 1}
	b.state.Store(int32(StateOpen))
	return b
}

// State is one atomic load.
func (b *breaker) State() State { return State(b.state.Load()) }

func (b *breaker) setGroup(d time.Duration) {
	b.mu.Lock()
	b.group = d
	b.mu.Unlock()
}

// success counts a call that was answered.
func (b *breaker) success(now time.Time) {
	b.mu.Lock()
	b.run = 0
	b.count(now).total++
	b.mu.Unlock()
}

// failure counts a call that failed for a reason that lies with Redis, and opens the breaker when it is one too
// many.
func (b *breaker) failure(now time.Time, reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.State() != StateClosed {
		return // a straggler: the matter is decided
	}
	first := b.join(now)
	if b.run++; b.run == 1 {
		b.runGroups = 0
		first = true
	}
	if first {
		b.runGroups++
	}
	slot := b.count(now)
	slot.total++
	slot.failures++
	if b.failedInARow() || b.failedOften(now) {
		b.open(reason)
	}
}

// trip opens the breaker at once: the connection is lost.
func (b *breaker) trip(reason error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open(reason)
}

// probe counts a probe, and says whether it has closed the breaker. It has no say while that is closed.
func (b *breaker) probe(ok bool, reason error) (closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.State() == StateClosed:
		return false
	case !ok:
		b.open(reason)
		return false
	case b.good+1 < b.needed:
		b.good++
		b.move(StateHalfOpen, nil)
		return false
	default:
		b.forget()
		b.needed = closeAfter
		b.move(StateClosed, nil)
		return true
	}
}

// shut opens the breaker for good and tells nobody: the link is being closed.
func (b *breaker) shut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.moved = nil
	b.open(nil)
}

func (b *breaker) failedInARow() bool {
	return b.run >= openAfter && b.runGroups >= minGroups
}

func (b *breaker) failedOften(now time.Time) bool {
	oldest := b.recent[(b.last+1)%minGroups]
	if oldest.IsZero() || now.Sub(oldest) > window {
		return false
	}
	total, failures := 0, 0
	for i := range b.calls {
		if c := &b.calls[i]; c.slice > sliceOf(now)-buckets {
			total += c.total
			failures += c.failures
		}
	}
	return total >= minCalls && 2*failures >= total
}

// join says whether the failure is the first of a new group.
func (b *breaker) join(now time.Time) bool {
	if first := b.recent[b.last]; !first.IsZero() && now.Sub(first) < b.group {
		return false
	}
	b.last = (b.last + 1) % minGroups
	b.recent[b.last] = now
	return true
}

// count finds the bucket of the moment.
func (b *breaker) count(now time.Time) *bucket {
	s := sliceOf(now)
	c := &b.calls[s%buckets]
	if c.slice != s {
		*c = bucket{slice: s}
	}
	return c
}

func sliceOf(t time.Time) int64 { return t.UnixNano() / int64(slice) }

func (b *breaker) open(reason error) {
	b.good = 0
	b.move(StateOpen, reason)
}

// forget starts a healthy time with a clean sheet.
func (b *breaker) forget() {
	b.good, b.run, b.runGroups, b.last = 0, 0, 0, 0
	b.recent = [minGroups]time.Time{}
	b.calls = [buckets]bucket{}
}

func (b *breaker) move(to State, reason error) {
	if b.State() == to {
		return
	}
	b.state.Store(int32(to))
	if b.moved != nil {
		b.moved(to, reason)
	}
}
