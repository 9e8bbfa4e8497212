package sessions

import (
	"context"
	"fmt"
)

// errFlooded says that the store was not asked, to spare it.
var errFlooded = fmt.Errorf("%w: too many requests without evidence of a session", ErrUnavailable)

// question is a validation on its way. Requests that would ask the same wait for its answer.
type question struct {
	hash     Hash
	active   bool
	answered chan struct{}
	reply    Reply
	err      error
}

// ask has the store decide.
func (c *check) ask(ctx context.Context, v *Verdict, k known) {
	n := c.m.node
	ticket := c.openTicket(v.cookie.Selector)
	if !k.met && ticket == nil && !n.strangers.take(c.now, strangersRate, strangersBurst) {
		v.Standing, v.Reason, v.Err = Undecided, ReasonUnavailable, errFlooded
		return
	}
	reply, joined, err := c.askOnce(ctx, v.cookie.Selector, k, ticket)
	if err != nil {
		c.ride(v, err, 0, 0)
		return
	}
	c.conclude(v, reply, joined)
}

// askOnce asks the store, or shares the answer to the same question that another request of this
// session has just asked: a page that loads thirty things asks once.
func (c *check) askOnce(ctx context.Context, selector Selector, k known, ticket *Ticket) (r Reply, joined bool, err error) {
	n := c.m.node
	q := &question{hash: c.hash, active: !c.r.Passive, answered: make(chan struct{})}
	// What differs from request to request is not shared.
	shared := c.r.Idle == 0 && c.r.Absolute == 0 && c.r.Outage != StrictAlways
	if shared {
		s := n.table.lock(selector)
		h := s.find(selector)
		if h == nil && ticket != nil {
			// Selectors without evidence are not held: a flood of them would push out the real ones.
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
	// The answer may serve others, so it does not end with this request; the store has its deadline.
	sent := n.now()
	q.reply, q.err = n.store.Validate(context.WithoutCancel(ctx), c.validation(selector, k, ticket))
	if q.err != nil {
		n.failed(q.err)
	} else {
		n.answered(q.reply.Now, sent)
	}
	c.learn(selector, q)
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
	if !k.own.IsZero() {
		q.Age = c.now.Sub(k.own)
	}
	if ticket != nil {
		q.TicketLast = ticket.Last
	}
	if c.r.Outage == StrictAlways && k.copy.Record != nil {
		q.User = k.copy.Record.User()
	}
	return q
}

// learn keeps what the store said.
func (c *check) learn(selector Selector, q *question) {
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
		// What a store that has just come back does not know yet may still be ridden on.
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
	h.adopt(Copy{Record: r.Record, NotBefore: r.NotBefore})
	h.confirmed = r.Now
	h.stored, h.epoch = r.Stored, n.link.epoch.Load()
	if q.active && r.Outcome >= Current {
		h.addr = c.r.Addr
		// What was kept from the store until now is covered by what it has just stored.
		if !h.own.After(c.now) {
			h.own, h.dirty = c.now, false
		}
	}
}

// conclude turns the store's answer into a verdict.
func (c *check) conclude(v *Verdict, r Reply, joined bool) {
	n := c.m.node
	v.Source, v.Last = SourceStore, r.Last
	switch r.Outcome {
	case Missing:
		if n.unsettled(c.now) {
			v.Settling = true
			c.ride(v, nil, 0, 0)
			return
		}
		if c.ticketMatches() {
			// A session that was certainly there is gone without a trace.
			v.Reason = ReasonRevoked
		}
	case Ended:
		v.Reason = r.Reason
		if r.Reason == ReasonRevoked || r.Reason == ReasonReuse {
			n.revoked.add(v.cookie.Selector, c.now, c.now.Add(c.m.c.RideThrough+Keep))
		}
	case Unknown:
		v.Reason = ReasonNone
	case Reused:
		v.Reason, v.Owner = ReasonReuse, c.owner(v.cookie.Selector)
	case WouldIdle:
		v.Settling = true
		c.ride(v, nil, r.Last, Instant(n.link.awaySince.Load()).Add(-c.m.flush))
	case RouteIdle:
		v.Reason, v.RouteOnly = ReasonIdle, true
	case RouteAbsolute:
		v.Reason, v.RouteOnly = ReasonAbsolute, true
	default:
		c.accept(v, r, joined)
	}
}

// accept signs in by the store's word, and finds the cookies that go with it.
func (c *check) accept(v *Verdict, r Reply, joined bool) {
	if r.Record.Created <= r.NotBefore {
		v.Reason = ReasonRevoked
		return
	}
	v.Standing, v.Session = SignedIn, &r.Record.Session
	n := c.m.node
	s := n.table.lock(v.cookie.Selector)
	h := s.keep(v.cookie.Selector)
	if joined && !c.r.Passive {
		// This request may have come after the one that the store has recorded.
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
		// Nothing: who holds the old verifier may be a thief, and the owner has the new one.
	case r.Outcome == FirstUse:
		v.issue = c.issue(v.cookie, r.Record, c.lastOf(v), r.Now)
	case !freshTicket:
		c.renewTicket(v, r.Record, r.Now)
	}
}

// owner is from where the session was last used here.
func (c *check) owner(selector Selector) string {
	s := c.m.node.table.lock(selector)
	defer s.mu.Unlock()
	if h := s.byKey[selector]; h != nil {
		return h.addr
	}
	return ""
}

// ride decides without the store. The reason is nil when the store answered but is settling; then
// last is what it knew, and aliveAt as in evidence.
func (c *check) ride(v *Verdict, reason error, last, aliveAt Instant) {
	n := c.m.node
	v.Err, v.Source = reason, SourceNone
	v.Standing, v.Reason = Undecided, ReasonUnavailable
	switch c.r.Outage {
	case Strict, StrictAlways:
		return
	case RideSafe:
		if !c.r.Safe {
			return
		}
	}
	k := c.look(v.cookie.Selector)
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
	r := e.ride()
	v.Last = r.last
	if r.session == nil {
		v.Reason, v.RouteOnly = r.reason, r.route
		if r.reason != ReasonUnavailable {
			v.Standing = SignedOut
		}
		return
	}
	v.Standing, v.Reason = SignedIn, ReasonNone
	v.Source, v.Session = r.source, r.session
	if v.Settling {
		// Not counted as activity: if the session is really idle, the store says so in a moment.
		return
	}
	if !c.r.Passive {
		c.keepAway(v.cookie.Selector)
		r.last = k.now
	}
	c.renewRiding(v, r)
}

// lastKnown is the newest activity that this node knows of, whatever the store may have forgotten.
func (c *check) lastKnown(selector Selector) Instant {
	n := c.m.node
	s := n.table.lock(selector)
	defer s.mu.Unlock()
	h := s.byKey[selector]
	if h == nil {
		return 0
	}
	if h.own.IsZero() {
		return h.stored
	}
	return max(h.stored, n.clock.instant(h.own))
}

// keepAway notes activity that the store is told as soon as it is back.
func (c *check) keepAway(selector Selector) {
	s := c.m.node.table.lock(selector)
	defer s.mu.Unlock()
	h := s.keep(selector)
	if c.now.After(h.own) {
		h.own = c.now
	}
	h.addr = c.r.Addr
	if !h.dirty {
		h.dirty, h.every = true, c.m.flush
		h.due = c.now.Add(flushRetry)
		c.m.node.flusher.add(h.due, h)
	}
}
