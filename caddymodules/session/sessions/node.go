package sessions

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

const (
	// DefaultCopies bounds what a node holds.
	DefaultCopies = 50_000
	// settling is how long after the store's return its idle verdicts and missing keys are not taken
	// as final: all nodes first have to tell it what happened meanwhile.
	settling = 5 * time.Second
	// unansweredAfter calls in a row without an answer, the store counts as away.
	unansweredAfter = 3
	// strangersRate bounds, in calls a second and node, what requests without any evidence can cost
	// the store; strangersBurst is how many may come at once.
	unknownRate  = 500
	unknownBurst = 1000
)

// NodeConfig makes a Node.
type NodeConfig struct {
	Store Store
	// MaxCopies bounds the sessions that are held. Default: DefaultCopies.
	MaxCopies int
	// Now is the node's clock. Default: time.Now.
	Now func() time.Time
	// OnLink is told when the store goes away, with the reason, and when it is back. It must not block.
	OnLink func(away bool, reason error)
}

// Node is what one process knows: copies of sessions, its own activity, the store's clock, and
// whether the store answers. It outlives changes of configuration; the Managers of one namespace
// share it. Its Run must be running for activity to reach the store.
type Node struct {
	store   Store
	now     func() time.Time
	onLink  func(bool, error)
	clock   *clock
	table   *table
	flusher *flusher
	revoked *revocations

	unknownLimiter throttle
	link           link
}

// NewNode makes a Node. It does not ask the store for anything.
func NewNode(c NodeConfig) *Node {
	if c.MaxCopies <= 0 {
		c.MaxCopies = DefaultCopies
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the default of an injected clock
	}
	now := c.Now()
	n := &Node{
		store:          c.Store,
		now:            c.Now,
		onLink:         c.OnLink,
		clock:          newClock(now),
		table:          newTable(c.MaxCopies),
		flusher:        newFlusher(),
		revoked:        newRevocations(),
		unknownLimiter: throttle{tokens: unknownBurst, at: now},
	}
	n.link.awaySince.Store(int64(n.clock.instant(now)))
	return n
}

// link is whether the store answers. Changes are rare, and each is one atomic operation.
type link struct {
	away       atomic.Bool
	unanswered atomic.Int32
	// awaySince is the store's time of the last answer before the store went away, or of the start.
	awaySince atomic.Int64
	// settledAt is when a return is digested, in nanoseconds since the node's start.
	settledAt atomic.Int64
	// epoch counts the returns.
	epoch atomic.Uint64
}

// Held is the number of sessions that the node holds.
func (n *Node) Held() int { return n.table.len() }

// Away says whether the store is taken not to answer.
func (n *Node) Away() bool { return n.link.away.Load() }

// LinkDown tells the node that the store went away, before a request has to find out.
func (n *Node) LinkDown(reason error) { n.goAway(reason) }

// LinkUp tells the node that the store is back: what is dirty is flushed now, and idle verdicts are
// not final for a while. Whoever supervises the link calls it on every new connection, since the
// store may have missed what other nodes know.
func (n *Node) LinkUp(ctx context.Context) error {
	n.comeBack()
	return n.Flush(ctx)
}

// Forget drops the copy of a session of which the store says that it changed.
func (n *Node) Forget(selector Selector) {
	s := n.table.lock(selector)
	defer s.mu.Unlock()
	if h := s.byKey[selector]; h != nil {
		h.copy = CachedSession{}
	}
}

// failed notes that the store did not answer.
func (n *Node) failed(err error) {
	switch {
	case errors.Is(err, context.Canceled):
		// It was the caller who left.
	case errors.Is(err, ErrUnavailable), n.link.unanswered.Add(1) >= unansweredAfter:
		n.goAway(err)
	}
}

func (n *Node) goAway(reason error) {
	if n.link.away.Swap(true) {
		return
	}
	n.link.awaySince.Store(int64(n.clock.instant(n.now())))
	if n.onLink != nil {
		n.onLink(true, reason)
	}
}

// answered notes an answer of the store, with its time of the decision.
func (n *Node) answered(at Instant, sent time.Time) {
	n.clock.observe(at, sent, n.now())
	if n.link.unanswered.Load() != 0 {
		n.link.unanswered.Store(0)
	}
	if n.link.away.Load() {
		n.comeBack()
	}
}

func (n *Node) comeBack() {
	wasAway := n.link.away.Swap(false)
	n.link.settledAt.Store(int64(n.now().Sub(n.clock.origin) + settling))
	n.link.epoch.Add(1)
	n.flusher.all.Store(true)
	n.flusher.wake()
	if wasAway && n.onLink != nil {
		n.onLink(false, nil)
	}
}

// unsettled says whether idle verdicts and missing keys are not final now.
func (n *Node) unsettled(now time.Time) bool {
	return n.link.away.Load() || int64(now.Sub(n.clock.origin)) < n.link.settledAt.Load()
}
