package sessions

import (
	"context"
	"time"
)

// Check decides who a request belongs to. It returns no later than the store's deadline allows, and
// never fails: when the store does not answer, the verdict says so. To look at a session without
// counting as activity, as a page about it does, ask with Passive and StrictAlways.
func (m *Manager) Check(ctx context.Context, r Request) Verdict {
	c := check{m: m, r: &r, now: m.node.now()}
	v := Verdict{request: r}
	cookie, ok := ParseCookie(r.Cookie)
	if !ok {
		return v
	}
	v.cookie, v.decided = cookie, c.now
	c.hash = cookie.Verifier.Hash()
	c.decide(ctx, &v)
	if v.Standing == SignedIn && v.Session.Host != bareHost(r.Host) {
		// A session counts only where it was made: a cookie of another site is no session here.
		return Verdict{request: r, cookie: cookie, decided: c.now, Source: v.Source}
	}
	return v
}

// check is one request on its way to a verdict.
type check struct {
	m    *Manager
	r    *Request
	now  time.Time // the node's
	hash Hash

	ticket       *Ticket // nil if none that opens is of this selector
	ticketOpened bool
}

func (c *check) decide(ctx context.Context, v *Verdict) {
	if c.m.node.revoked.postponed(v.cookie.Selector, c.now) {
		v.Reason = ReasonRevoked
		return
	}
	known := c.look(v.cookie.Selector)
	if known.alone {
		done, err := c.fromCopy(ctx, v, known)
		if done {
			return
		}
		if err != nil {
			c.ride(v, err, 0, 0)
			return
		}
	}
	c.ask(ctx, v, known)
}

// known is what this node holds of the session, at one moment.
type known struct {
	// met says that the node has dealt with the session before.
	met       bool
	copy      Copy
	confirmed Instant
	stored    Instant   // zero if not known
	own       time.Time // zero if none
	now       Instant   // the store's time
	// alone says that the node may decide by its copy, should the copy say yes.
	alone bool
}

// look reads what is held, and whether it is recent enough to decide alone: an active request only
// while what the store holds is younger than F, a passive one until the session may be idle.
func (c *check) look(selector Selector) known {
	n := c.m.node
	k := known{now: n.clock.instant(c.now)}
	s := n.table.lock(selector)
	h := s.find(selector)
	if h == nil {
		s.mu.Unlock()
		return k
	}
	k.met, k.copy, k.confirmed, k.own = true, h.copy, h.confirmed, h.own
	if h.epoch == n.link.epoch.Load() {
		k.stored = h.stored
	}
	s.mu.Unlock()
	if c.r.Outage == StrictAlways || n.link.away.Load() {
		return k
	}
	if !copySays(k.copy, c.hash, k.now) || c.overRouteAbsolute(&k.copy.Record.Session, k.now) {
		return k
	}
	if c.r.Passive {
		k.alone = k.now.Sub(k.last(n)) < c.idle()
	} else {
		k.alone = k.stored != 0 && k.now.Sub(k.stored) < c.m.flush
	}
	return k
}

// last is the newest activity that the node knows of.
func (k known) last(n *Node) Instant {
	if k.own.IsZero() {
		return k.stored
	}
	return max(k.stored, n.clock.instant(k.own))
}

// idle is the shortest idle time that holds for the request.
func (c *check) idle() time.Duration {
	if c.r.Idle > 0 {
		return min(c.m.c.Idle, c.r.Idle)
	}
	return c.m.c.Idle
}

func (c *check) overRouteAbsolute(s *Session, now Instant) bool {
	return c.r.Absolute > 0 && now >= s.Created.Add(c.r.Absolute)
}

// fromCopy accepts the request if the store stands by a copy that says yes. An error means that the
// store could not be asked.
func (c *check) fromCopy(ctx context.Context, v *Verdict, k known) (done bool, err error) {
	n := c.m.node
	fresh, err := n.store.Read(ctx, v.cookie.Selector, k.copy)
	if err != nil {
		n.failed(err)
		return false, err
	}
	if fresh.Record != k.copy.Record || fresh.NotBefore != k.copy.NotBefore {
		if !copySays(fresh, c.hash, k.now) || c.overRouteAbsolute(&fresh.Record.Session, k.now) {
			return false, nil
		}
	}
	v.Standing, v.Source, v.Session = SignedIn, SourceCache, &fresh.Record.Session
	v.Last = k.last(n)
	s := n.table.lock(v.cookie.Selector)
	h := s.keep(v.cookie.Selector)
	h.adopt(fresh)
	h.confirmed = k.now
	if !c.r.Passive {
		c.keep(h, k.stored)
	}
	v.rotate = c.due(h, fresh.Record, k.now)
	freshTicket := c.freshTicket(h)
	s.mu.Unlock()
	if !freshTicket {
		c.renewTicket(v, fresh.Record, k.now)
	}
	return true, nil
}

// keep notes activity that the store will be told later. The shard is locked.
func (c *check) keep(h *held, stored Instant) {
	if c.now.After(h.own) {
		h.own = c.now
	}
	h.addr = c.r.Addr
	if h.dirty {
		return
	}
	h.dirty, h.every = true, c.m.flush
	h.due = c.m.node.clock.local(stored).Add(c.m.flush)
	c.m.node.flusher.add(h.due, h)
}

// due says whether the verifier is to be replaced with this response. The shard is locked.
func (c *check) due(h *held, r *Record, now Instant) bool {
	return !c.r.Speculative && r.due(now, c.m.c.Rotation) && r.Current.Equal(c.hash) &&
		!c.now.Before(h.retryRotation) && !c.m.node.unsettled(c.now)
}
