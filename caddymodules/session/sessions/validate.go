package sessions

import (
	"context"
	"fmt"
)

// errFlooded means that the store was not asked, to protect it from a flood.
var errFlooded = fmt.Errorf("%w: too many requests without evidence of a session", ErrUnavailable)

// inflight is a validation without an answer yet. Requests with the same question wait for its answer.
type inflight struct {
	hash     Hash
	active   bool
	answered chan struct{}
	reply    Reply
	err      error
}

// validate lets the store decide.
func (c *check) validate(ctx context.Context, v *Verdict, k known) {
	n := c.m.node
	ticket := c.openTicket(v.cookie.Selector)
	if !k.met && ticket == nil && !n.unknownLimiter.take(c.now, unknownRate, unknownBurst) {
		v.Status, v.Reason, v.Err = Undecided, ReasonUnavailable, errFlooded
		return
	}
	reply, joined, err := c.validateOnce(ctx, v.cookie.Selector, k, ticket)
	if err != nil {
		c.decideOffline(v, err, 0, 0)
		return
	}
	c.applyReply(v, reply, joined)
}

// validateOnce asks the store, or shares the answer to the same question that another request of this
// session has just asked: a page that loads thirty things asks once.
func (c *check) validateOnce(ctx context.Context, selector Selector, k known, ticket *Ticket) (r Reply, joined bool, err error) {
	n := c.m.node
	q := &inflight{hash: c.hash, active: !c.r.Passive, answered: make(chan struct{})}
	// What differs from request to request is not shared.
	shared := c.r.Idle == 0 && c.r.Absolute == 0 && c.r.Outage != StrictAlways
	if shared {
		s := n.table.lock(selector)
		h := s.find(selector)
		if h == nil && ticket != nil {
			// A selector without a ticket gets no entry: a flood of invented selectors would evict the real sessions.
			h = s.keep(selector)
		}
		if h != nil {
			if other := h.asking; other != nil && other.hash == q.hash && other.active == q.active {
				s.mu.Unlock()
				select {
				case <-other.answered:
					return other.reply, true, other.err
				case <-ctx.Done():
					return Reply{}, true, ctx.Err()
				}
			}
			h.asking = q
		}
		s.mu.Unlock()
	}
	// The answer serves other requests too, so it does not end with this request. The store has its own deadline.
	sent := n.now()
	q.reply, q.err = n.store.Validate(context.WithoutCancel(ctx), c.validation(selector, k, ticket))
	if q.err != nil {
		n.failed(q.err)
	} else {
		n.answered(q.reply.Now, sent)
	}
	c.updateCache(selector, q)
	close(q.answered)
	return q.reply, false, q.err
}

func (c *check) validation(selector Selector, k known, ticket *Ticket) Validation {
	q := Validation{
		Selector:      selector,
		Hash:          c.hash,
		Active:        !c.r.Passive,
		Age:           -1,
		Idle:          c.m.c.Idle,
		RouteIdle:     c.r.Idle,
		RouteAbsolute: c.r.Absolute,
		Settling:      c.m.node.unsettled(c.now),
		RevokeReuse:   c.m.c.RevokeReuse,
	}
	if !k.seenHere.IsZero() {
		q.Age = c.now.Sub(k.seenHere)
	}
	if ticket != nil {
		q.TicketLast = ticket.Last
	}
	if c.r.Outage == StrictAlways && k.copy.Record != nil {
		q.User = k.copy.Record.User()
	}
	return q
}

// updateCache stores the answer of the store in the cache.
func (c *check) updateCache(selector Selector, q *inflight) {
	n := c.m.node
	s := n.table.lock(selector)
	defer s.mu.Unlock()
	h := s.find(selector)
	if h != nil && h.asking == q {
		h.asking = nil
	}
	if q.err != nil {
		return
	}
	switch q.reply.Outcome {
	case Missing, Ended:
		// A store that has just come back may not know the session yet. Until it has settled, the entry stays.
		if h != nil && (q.reply.Outcome == Ended || !n.unsettled(c.now)) {
			s.forget(h)
		}
		return
	case Unknown, Reused, WouldIdle:
		return
	}
	if h == nil {
		h = s.keep(selector)
	}
	r := q.reply
	h.adopt(CachedSession{Record: r.Record, NotBefore: r.NotBefore})
	h.confirmed = r.Now
	h.seenStored, h.epoch = r.Stored, n.link.epoch.Load()
	if q.active && r.Outcome >= Current {
		h.addr = c.r.Addr
		// The store has just recorded newer activity than this node had to flush.
		if !h.seenHere.After(c.now) {
			h.seenHere, h.dirty = c.now, false
		}
	}
}

// applyReply turns the store's answer into a verdict.
func (c *check) applyReply(v *Verdict, r Reply, joined bool) {
	n := c.m.node
	v.Source, v.Last = SourceStore, r.Last
	switch r.Outcome {
	case Missing:
		if n.unsettled(c.now) {
			v.Settling = true
			c.decideOffline(v, nil, 0, 0)
			return
		}
		if c.ticketMatches() {
			// The ticket proves that there was a session, and the store has no record and no tombstone of it.
			v.Reason = ReasonRevoked
		}
	case Ended:
		v.Reason = r.Reason
		if r.Reason == ReasonRevoked || r.Reason == ReasonReuse {
			n.revoked.add(v.cookie.Selector, c.now, c.now.Add(c.m.c.RideThrough+TombstoneTTL))
		}
	case Unknown:
		v.Reason = ReasonNone
	case Reused:
		v.Reason, v.Owner = ReasonReuse, c.owner(v.cookie.Selector)
	case WouldIdle:
		v.Settling = true
		c.decideOffline(v, nil, r.Last, Instant(n.link.awaySince.Load()).Add(-c.m.flush))
	case RouteIdle:
		v.Reason, v.RouteOnly = ReasonIdle, true
	case RouteAbsolute:
		v.Reason, v.RouteOnly = ReasonAbsolute, true
	default:
		c.accept(v, r, joined)
	}
}

// accept accepts the request by the answer of the store, and finds the cookies that are due.
func (c *check) accept(v *Verdict, r Reply, joined bool) {
	if r.Record.Created <= r.NotBefore {
		v.Reason = ReasonRevoked
		return
	}
	v.Status, v.Session = SignedIn, &r.Record.Session
	n := c.m.node
	s := n.table.lock(v.cookie.Selector)
	h := s.keep(v.cookie.Selector)
	if joined && !c.r.Passive {
		// This request may be later than the one that the store has recorded.
		c.keep(h, r.Stored)
	}
	freshTicket := c.freshTicket(h)
	switch r.Outcome {
	case Current:
		v.rotate = c.due(h, r.Record, r.Now)
	case FirstUse:
		v.firstUsed, freshTicket = true, false
	}
	s.mu.Unlock()
	if c.r.Speculative {
		return
	}
	switch {
	case r.Outcome == Superseded:
		c.reissue(v, r.Record, r.Now)
	case r.Outcome == Grace:
		// No cookies: the owner has the new verifier, and a client with the old one may be a thief.
	case r.Outcome == FirstUse:
		v.issue = c.issue(v.cookie, r.Record, c.lastOf(v), r.Now)
	case !freshTicket:
		c.renewTicket(v, r.Record, r.Now)
	}
}

// owner is the address from which the session was last used on this node.
func (c *check) owner(selector Selector) string {
	s := c.m.node.table.lock(selector)
	defer s.mu.Unlock()
	if h := s.byKey[selector]; h != nil {
		return h.addr
	}
	return ""
}

// decideOffline decides without the store. The reason is nil if the store answered but is settling; then
// last is what it knew, and aliveAt as in evidence.
func (c *check) decideOffline(v *Verdict, reason error, last, aliveAt Instant) {
	n := c.m.node
	v.Err, v.Source = reason, SourceNone
	v.Status, v.Reason = Undecided, ReasonUnavailable
	switch c.r.Outage {
	case Strict, StrictAlways:
		return
	case RideSafe:
		if !c.r.Safe {
			return
		}
	}
	k := c.lookUp(v.cookie.Selector)
	e := evidence{
		now:           k.now,
		hash:          c.hash,
		copy:          k.copy,
		confirmed:     k.confirmed,
		last:          max(last, c.lastKnown(v.cookie.Selector)),
		ticket:        c.openTicket(v.cookie.Selector),
		revoked:       n.revoked.has(v.cookie.Selector, c.now),
		rideThrough:   c.m.c.RideThrough,
		idle:          c.m.c.Idle,
		routeIdle:     c.r.Idle,
		routeAbsolute: c.r.Absolute,
		ticketAge:     c.m.ticketAge,
		aliveAt:       aliveAt,
	}
	r := e.decideOffline()
	v.Last = r.last
	if r.session == nil {
		v.Reason, v.RouteOnly = r.reason, r.route
		if r.reason != ReasonUnavailable {
			v.Status = SignedOut
		}
		return
	}
	v.Status, v.Reason = SignedIn, ReasonNone
	v.Source, v.Session = r.source, r.session
	if v.Settling {
		// It does not count as activity: if the session is idle, the store decides so in a moment.
		return
	}
	if !c.r.Passive {
		c.keepAway(v.cookie.Selector)
		r.last = k.now
	}
	c.renewRiding(v, r)
}

// lastKnown is the newest activity that this node knows, even if the store has lost it.
func (c *check) lastKnown(selector Selector) Instant {
	n := c.m.node
	s := n.table.lock(selector)
	defer s.mu.Unlock()
	h := s.byKey[selector]
	if h == nil {
		return 0
	}
	if h.seenHere.IsZero() {
		return h.seenStored
	}
	return max(h.seenStored, n.clock.instant(h.seenHere))
}

// keepAway records activity that is flushed when the store is back.
func (c *check) keepAway(selector Selector) {
	s := c.m.node.table.lock(selector)
	defer s.mu.Unlock()
	h := s.keep(selector)
	if c.now.After(h.seenHere) {
		h.seenHere = c.now
	}
	h.addr = c.r.Addr
	if !h.dirty {
		h.dirty, h.every = true, c.m.flush
		h.due = c.now.Add(flushRetry)
		c.m.node.flusher.add(h.due, h)
	}
}
