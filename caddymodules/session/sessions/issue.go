package sessions

import (
	"context"
	"hash/maphash"
	"time"
)

// RotationResult is what became of a rotation.
type RotationResult uint8

const (
	// NotTried: no rotation was due, or this response could not carry it.
	NotTried RotationResult = iota
	// RotationWon: this response carries a new verifier.
	RotationWon
	// RotationLost: another request was first; this response carries its verifier, or nothing.
	RotationLost
	// RotationFailed: the store did not answer. If it rotated all the same, the next request hears of it.
	RotationFailed
)

// Cookies are what the response to a verdict carries. The caller asks once, when the headers are
// about to be written, and only if that response may set cookies: not one that is 101, streaming, or
// cacheable by others. A rotation that is due is carried out now, which may ask the store; one that
// does not come to it waits for the next response.
func (m *Manager) Cookies(ctx context.Context, v *Verdict) (Cookies, RotationResult) {
	if v.Status != SignedIn {
		return Cookies{}, NotTried
	}
	now := m.node.now()
	if v.rotate && !m.node.unsettled(now) {
		return m.rotate(ctx, v, now)
	}
	if now.Sub(v.decided) >= carryTime {
		return Cookies{}, NotTried
	}
	return m.pending(v, now), NotTried
}

// renewal is a ticket that is due. Cookies seals it, and only for a response that carries it. A nil
// session means that no ticket is due.
type renewal struct {
	session      *Session
	hash         Hash
	last, online Instant
	// presented is the digest of the ticket that the renewal replaces.
	presented uint64
}

// pending returns the cookies that are due without a rotation. Requests that present the same ticket get
// one renewal together in each ticketAge.
func (m *Manager) pending(v *Verdict, now time.Time) Cookies {
	r := v.renewal
	if !v.issue.Empty() || r.session == nil {
		return v.issue
	}
	s := m.node.table.lock(r.session.Selector)
	h := s.byKey[r.session.Selector]
	if h != nil {
		if h.renewedFor(r.presented, now) {
			s.mu.Unlock()
			return Cookies{}
		}
		h.renewed, h.renewedUntil = r.presented, now.Add(m.ticketAge)
	}
	s.mu.Unlock()
	ticket := Ticket{Session: *r.session, Hash: r.hash, Last: r.last, OnlineAt: r.online}
	return Cookies{Ticket: m.tickets.Seal(ticket, v.request.Host), Absolute: r.session.Absolute}
}

// rotate replaces the verifier of the request.
func (m *Manager) rotate(ctx context.Context, v *Verdict, now time.Time) (Cookies, RotationResult) {
	v.rotate = false
	next, err := NewVerifier(m.c.Random)
	if err != nil {
		return m.pending(v, now), RotationFailed
	}
	selector := v.cookie.Selector
	reply, err := m.node.store.Rotate(context.WithoutCancel(ctx), Rotation{
		Selector: selector,
		Old:      v.cookie.Verifier.Hash(),
		New:      next.Hash(),
		Next:     sealSuccessor(v.cookie.Verifier, selector, v.Session.Generation+1, next),
		Every:    m.c.Rotation,
	})
	if err != nil {
		m.node.failed(err)
		s := m.node.table.lock(selector)
		if h := s.byKey[selector]; h != nil {
			// It may have been carried out all the same, so what is held is not to be trusted.
			h.copy, h.retryRotation = CachedSession{}, now.Add(rotationRetry)
		}
		s.mu.Unlock()
		return Cookies{}, RotationFailed
	}
	m.node.answered(reply.Now, now)
	m.node.Forget(selector)
	c := check{m: m, r: &v.request, now: v.decided, hash: v.cookie.Verifier.Hash()}
	switch reply.Outcome {
	case Rotated:
		return c.issue(Cookie{selector, next}, reply.Record, c.lastOf(v), reply.Now), RotationWon
	case Superseded:
		c.reissue(v, reply.Record, reply.Now)
		return m.pending(v, now), RotationLost
	case NotDue:
		return m.pending(v, now), NotTried
	default:
		return Cookies{}, RotationLost
	}
}

// reissue hands out the successor of the presented verifier, from where the store keeps it sealed.
// If it cannot be opened, the old verifier stays good and nothing is lost.
func (c *check) reissue(v *Verdict, r *Record, now Instant) {
	next, ok := openSuccessor(v.cookie.Verifier, r)
	if !ok {
		return
	}
	v.issue = c.issue(Cookie{v.cookie.Selector, next}, r, c.lastOf(v), now)
	v.reissued = true
}

// issue makes both cookies for a verifier that the store has confirmed at the moment online.
func (c *check) issue(cookie Cookie, r *Record, last, online Instant) Cookies {
	return Cookies{
		Session:  cookie.Value(),
		Ticket:   c.m.tickets.Seal(ticketOf(r, cookie.Verifier.Hash(), last, online), c.r.Host),
		Absolute: r.Absolute,
	}
}

// lastOf is the last activity with this request: its own moment if it counts, whenever its response
// is written, else what was known before. A ticket that said more would prolong the session.
func (c *check) lastOf(v *Verdict) Instant {
	if c.r.Passive {
		return v.Last
	}
	return c.m.node.clock.instant(c.now)
}

// renewTicket notes that the browser is due a fresh ticket for the verifier that it has.
func (c *check) renewTicket(v *Verdict, r *Record, now Instant) {
	if c.r.Speculative {
		return
	}
	last := c.lastOf(v)
	if t := c.openTicket(v.cookie.Selector); t != nil && c.ticketMatches() {
		if age := max(now.Sub(t.OnlineAt), last.Sub(t.Last)); age < c.m.ticketAge {
			c.remember(v.cookie.Selector, c.m.ticketAge-age)
			return
		}
	}
	v.renewal = renewal{session: &r.Session, hash: c.hash, last: last, online: now, presented: c.ticketDigest()}
}

// renewRiding notes that the browser is due a ticket with the newer activity. What the store confirmed, and when,
// stays as it was: an outage cannot be ridden further by riding.
func (c *check) renewRiding(v *Verdict, r offlineDecision) {
	if c.r.Speculative {
		return
	}
	matches := c.ticketMatches()
	if matches && r.last.Sub(c.ticket.Last) < c.m.ticketAge {
		return
	}
	online := r.online
	if matches {
		online = c.ticket.OnlineAt
	}
	v.renewal = renewal{session: r.session, hash: c.hash, last: r.last, online: online, presented: c.ticketDigest()}
}

func ticketOf(r *Record, h Hash, last, online Instant) Ticket {
	return Ticket{Session: r.Session, Hash: h, Last: last, OnlineAt: online}
}

// openTicket opens the presented ticket, once. It is nil unless it is of this selector and not from
// the future.
func (c *check) openTicket(selector Selector) *Ticket {
	if c.ticketOpened {
		return c.ticket
	}
	c.ticketOpened = true
	t, ok := c.m.tickets.Open(c.r.Ticket, c.r.Host)
	if !ok || t.Selector != selector || !t.upToNow(c.m.node.clock.instant(c.now)) {
		return nil
	}
	c.ticket = t
	return t
}

// ticketMatches says whether the presented ticket is bound to the presented verifier.
func (c *check) ticketMatches() bool {
	return c.ticket != nil && c.ticket.Hash.Equal(c.hash)
}

// freshTicket says whether the presented ticket needs no renewal: this node found it fresh, or has
// replaced it a short time ago. Then it is not opened again. The shard is locked.
func (c *check) freshTicket(h *cacheEntry) bool {
	fresh, renewed := c.now.Before(h.ticketFresh), c.now.Before(h.renewedUntil)
	if !fresh && !renewed {
		return false
	}
	digest := c.ticketDigest()
	return fresh && h.ticket == digest || renewed && h.renewed == digest
}

// renewedFor says whether a response has replaced this ticket a short time ago. The shard is locked.
func (h *cacheEntry) renewedFor(ticket uint64, now time.Time) bool {
	return h.renewed == ticket && now.Before(h.renewedUntil)
}

// remember that the presented ticket is good for a while.
func (c *check) remember(selector Selector, fresh time.Duration) {
	digest := c.ticketDigest()
	s := c.m.node.table.lock(selector)
	defer s.mu.Unlock()
	if h := s.byKey[selector]; h != nil {
		h.ticket, h.ticketFresh = digest, c.now.Add(fresh)
	}
}

// ticketDigest tells tickets apart for the sole purpose of not opening one again; the verifier is part
// of it, since a ticket is fresh only with its own.
func (c *check) ticketDigest() uint64 {
	var h maphash.Hash
	h.SetSeed(c.m.seed)
	_, _ = h.WriteString(c.r.Ticket)
	_, _ = h.Write(c.hash[:])
	return h.Sum64()
}
