package redislink

import (
	"slices"
	"sync"
	"time"
)

// Change is a link's move to another state, or, when the state is Open already, another reason for it: the
// first connection that fails is told as a Change to Open, and so is an outage that turns from "refused" into
// "wrong password".
type Change struct {
	State State
	At    time.Time
	// Reason says why Redis is unavailable; nil otherwise.
	Reason error
	// Arrival is set when the state is HalfOpen or Closed.
	Arrival Arrival
}

// Arrival tells what a returning Redis still knows.
type Arrival struct {
	// RunID changes with each start of the server. Empty when the right to read INFO is missing. In Cluster
	// it stands for all nodes.
	RunID string
	// SameRun says that the server is the very process as at the last arrival: nothing was forgotten but by
	// command. False when the run id is not known, and at the first arrival.
	SameRun bool
	// DataIntact says that what was acknowledged about a second before the outage, and everything before that,
	// is still there: this link's own beat, written about once a second, is not older than it was
	// acknowledged. True when nothing has been acknowledged yet. False when it cannot be read. In Cluster it
	// speaks for the node that holds the beat.
	DataIntact bool
}

// Warning is something that an operator should know, told once each time it becomes so.
type Warning struct {
	Kind WarningKind
	// Detail is a value to go with it, such as the policy.
	Detail string
	Err    error
}

// WarningKind says what a Warning is about.
type WarningKind uint8

const (
	// NoInfo says that the user may not read INFO, so restarts and evictions are not noticed. Cure: "+info".
	NoInfo WarningKind = iota
	// Evicting says that the server drops keys when it is full; Detail is its policy. Cure:
	// "maxmemory-policy noeviction".
	Evicting
	// DataLost says that keys vanished while the connection held: FLUSHALL, an eviction, a hand that deletes.
	DataLost
	// SharedNodeID says that another process beats under this node's id, which is Detail. Two nodes with one
	// id count as one. Cure: a data directory for each node, or "node <id>".
	SharedNodeID
	// CallErred says that Redis answered a call with an error that is no refusal, Err: a script fails, or a key
	// holds what is not ours. It is told once a connection.
	CallErred
)

// changes delivers to OnChange and to subscribers what happened, in order, from one goroutine. The queue is
// bounded by the pace of the supervisor, not by the pace of calls.
type changes struct {
	wake chan struct{}

	mu    sync.Mutex
	queue []Change

	telling     sync.Mutex // held while a Change is told
	subscribers []*subscriber
}

type subscriber struct{ tell func(Change) }

func newChanges() *changes {
	return &changes{wake: make(chan struct{}, 1)}
}

// push never waits.
func (c *changes) push(change Change) {
	c.mu.Lock()
	c.queue = append(c.queue, change)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run tells until done closes.
func (c *changes) run(done <-chan struct{}) {
	for {
		select {
		case <-c.wake:
		case <-done:
			return
		}
		c.mu.Lock()
		queue := c.queue
		c.queue = nil
		c.mu.Unlock()
		for _, change := range queue {
			c.tell(change)
		}
	}
}

func (c *changes) tell(change Change) {
	c.telling.Lock()
	defer c.telling.Unlock()
	for _, s := range c.subscribers {
		s.tell(change)
	}
}

func (c *changes) subscribe(f func(Change)) (cancel func()) {
	s := &subscriber{tell: f}
	c.telling.Lock()
	defer c.telling.Unlock()
	c.subscribers = append(c.subscribers, s)
	return func() {
		c.telling.Lock()
		defer c.telling.Unlock()
		c.subscribers = slices.DeleteFunc(c.subscribers, func(other *subscriber) bool { return other == s })
	}
}
