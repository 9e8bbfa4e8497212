package sessions

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// maxRevocations is how many revocations a node stores.
const maxRevocations = 20_000

// revocations are the revocations that this node made or saw. During an outage the node checks them in place of the store.
// It sends those that the store does not know when the store is back.
type revocations struct {
	mu      sync.Mutex
	until   map[Selector]time.Time
	pending map[Selector]End
	// pendingCount is how many are pending, for the many requests at which none is.
	pendingCount atomic.Int32
}

func newRevocations() *revocations {
	return &revocations{until: make(map[Selector]time.Time), pending: make(map[Selector]End)}
}

// add stores that a session is revoked.
func (r *revocations) add(selector Selector, now, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.until) >= maxRevocations {
		r.prune(now)
	}
	r.until[selector] = until
}

// prune drops what is past, or, when nothing is, any: revocations beyond the bound within one
// ride-through time are an emergency that restarts end.
func (r *revocations) prune(now time.Time) {
	before := len(r.until)
	for selector, until := range r.until {
		if now.After(until) {
			delete(r.until, selector)
		}
	}
	for selector := range r.until {
		if len(r.until) < before {
			return
		}
		delete(r.until, selector)
	}
}

// has reports whether a session is known to be revoked.
func (r *revocations) has(selector Selector, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	until, ok := r.until[selector]
	return ok && now.Before(until)
}

// postpone stores a revocation until the store is back. It returns false if there are too many. A revocation that may be a
// guess of an attacker is refused at half of the bound, so that there is room for the others.
func (r *revocations) postpone(end End, sure bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := maxRevocations / 2
	if sure {
		room = maxRevocations
	}
	if len(r.pending) >= room {
		return false
	}
	r.pending[end.Selector] = end
	r.pendingCount.Store(int32(len(r.pending)))
	return true
}

// postponed reports whether this node revoked a session that the store still has. Until the store knows, the store and the
// cached session would admit the request.
func (r *revocations) postponed(selector Selector, now time.Time) bool {
	if r.pendingCount.Load() == 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, pending := r.pending[selector]
	until, ok := r.until[selector] // of guesses there is none
	return pending && ok && now.Before(until)
}

// waiting returns one revocation that the store does not know.
func (r *revocations) waiting() (End, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, end := range r.pending {
		return end, true
	}
	return End{}, false
}

func (r *revocations) done(selector Selector) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.pending, selector)
	r.pendingCount.Store(int32(len(r.pending)))
}

// replay sends the store the revocations that it does not know.
func (n *Node) replay(ctx context.Context) error {
	for {
		end, ok := n.revoked.waiting()
		if !ok {
			return nil
		}
		record, err := n.store.End(ctx, end)
		if err != nil {
			n.failed(err)
			return err
		}
		if record != nil {
			n.drop(end.Selector) // word of it may still be on its way to the copy
		}
		n.revoked.done(end.Selector)
		if record != nil {
			// The sets by user are tidied when they are read; this only does it sooner.
			err := n.store.Withdraw(ctx, record.User(), ProviderSessionOf(record.Issuer, record.ProviderSession), record.Selector)
			if err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrUnanswered) {
				return err
			}
		}
	}
}

// throttle is a bucket of tokens that refill evenly.
type throttle struct {
	mu     sync.Mutex
	tokens float64
	at     time.Time
}

// take reports whether one more may pass.
func (t *throttle) take(now time.Time, rate, burst float64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tokens = min(burst, t.tokens+now.Sub(t.at).Seconds()*rate)
	t.at = now
	if t.tokens < 1 {
		return false
	}
	t.tokens--
	return true
}
