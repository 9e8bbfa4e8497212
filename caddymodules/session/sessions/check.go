package sessions

import (
	"context"
	"time"
)

// Check decides which session a request has. It returns within the store's deadline and never fails: if the store does
// not answer, the verdict says so. A page about the session, which must not count as activity, sets Passive and
// StrictAlways.
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
	if v.Status == SignedIn && v.Session.Host != bareHost(r.Host) {
		// A session counts only where it was made: a cookie of another site is no session here.
		return Verdict{request: r, cookie: cookie, decided: c.now, Source: v.Source}
	}
	return v
}

// check holds the state of one call of Check.
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
	known := c.lookUp(v.cookie.Selector)
	if known.alone {
		done, err := c.fromCache(ctx, v, known)
		if done {
			return
		}
		if err != nil {
			c.decideOffline(v, err, 0, 0)
			return
		}
	}
	c.validate(ctx, v, known)
}

// known is what this node has cached of the session, at one moment.
type known struct {
	// met: the node has an entry for the session.
	met        bool
	copy       CachedSession
	confirmed  Instant
	seenStored Instant   // zero if not known
	seenHere   time.Time // zero if none
	now        Instant   // the store's time
	// alone: the node may accept the request by its cached session, without a validation by the store.
	alone bool
}

// lookUp reads what is held, and whether it is recent enough to decide alone: an active request only
// while what the store holds is younger than F, a passive one until the session may be idle.
func (c *check) lookUp(selector Selector) known {
	n := c.m.node
	k := known{now: n.clock.instant(c.now)}
	s := n.table.lock(selector)
	h := s.find(selector)
	if h == nil {
		s.mu.Unlock()
		return k
	}
	k.met, k.copy, k.confirmed, k.seenHere = true, h.copy, h.confirmed, h.seenHere
	if h.epoch == n.link.epoch.Load() {
		k.seenStored = h.seenStored
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
		k.alone = k.seenStored != 0 && k.now.Sub(k.seenStored) < c.m.flush
	}
	return k
}

// last is the newest activity that the node knows.
func (k known) last(n *Node) Instant {
	if k.seenHere.IsZero() {
		return k.seenStored
	}
	return max(k.seenStored, n.clock.instant(k.seenHere))
}

// idle is the shortest idle time that applies to the request.
func (c *check) idle() time.Duration {
	if c.r.Idle > 0 {
		return min(c.m.c.Idle, c.r.Idle)
	}
	return c.m.c.Idle
}

func (c *check) overRouteAbsolute(s *Session, now Instant) bool {
	return c.r.Absolute > 0 && now >= s.Created.Add(c.r.Absolute)
}

// fromCache accepts the request if the store confirms the cached session and the session admits it. An error means that
// the store is unavailable.
func (c *check) fromCache(ctx context.Context, v *Verdict, k known) (done bool, err error) {
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
	v.Status, v.Source, v.Session = SignedIn, SourceCache, &fresh.Record.Session
	v.Last = k.last(n)
	s := n.table.lock(v.cookie.Selector)
	h := s.keep(v.cookie.Selector)
	h.adopt(fresh)
	h.confirmed = k.now
	if !c.r.Passive {
		c.keep(h, k.seenStored)
	}
	v.rotate = c.due(h, fresh.Record, k.now)
	freshTicket := c.freshTicket(h)
	s.mu.Unlock()
	if !freshTicket {
		c.renewTicket(v, fresh.Record, k.now)
	}
	return true, nil
}

// keep records activity that is flushed to the store later. The shard is locked.
func (c *check) keep(h *cacheEntry, seenStored Instant) {
	if c.now.After(h.seenHere) {
		h.seenHere = c.now
	}
	h.addr = c.r.Addr
	if h.dirty {
		return
	}
	h.dirty, h.every = true, c.m.flush
	h.due = c.m.node.clock.local(seenStored).Add(c.m.flush)
	c.m.node.flusher.add(h.due, h)
}

// due reports whether this response should rotate the verifier. The shard is locked.
func (c *check) due(h *cacheEntry, r *Record, now Instant) bool {
	return !c.r.Speculative && r.due(now, c.m.c.Rotation) && r.Current.Equal(c.hash) &&
		!c.now.Before(h.retryRotation) && !c.m.node.unsettled(c.now)
}
