package sessions

import (
	"context"
	"errors"
	"fmt"
)

// ErrTooMany says that the user has as many sessions as they may have, and old ones are not ended.
var ErrTooMany = errors.New("too many sessions")

// ErrRevoked says that what was asked for was revoked meanwhile.
var ErrRevoked = errors.New("revoked")

// Login starts a session for who has just signed in, with a selector and a verifier that nobody has
// seen. The session of the cookie that the request presents, whoever's it is, ends first: a user whose
// cookie was stolen throws the thief out by signing in. Errors are ErrUnavailable and ErrUnanswered,
// which mean that nobody can sign in now, and ErrTooMany.
func (m *Manager) Login(ctx context.Context, r Request, who Identity) (*Session, Cookies, error) {
	if old, ok := ParseCookie(r.Cookie); ok {
		if _, err := m.end(ctx, old, End{Reason: ReasonRevoked}); err != nil {
			return nil, Cookies{}, fmt.Errorf("end the session of before: %w", err)
		}
	}
	selector, err := NewSelector(m.c.Random)
	if err != nil {
		return nil, Cookies{}, err
	}
	verifier, err := NewVerifier(m.c.Random)
	if err != nil {
		return nil, Cookies{}, err
	}
	record := Record{Session: Session{Identity: who, Selector: selector, Host: bareHost(r.Host)}, Current: verifier.Hash()}
	sent := m.node.now()
	created, err := m.node.store.Create(ctx, Creation{Record: record, Lifetime: m.c.Lifetime})
	if err != nil {
		m.node.failed(err)
		return nil, Cookies{}, fmt.Errorf("create session: %w", err)
	}
	m.node.answered(created.Created, sent)
	// Entered only now, so that others who sign in at this moment find a session that is alive. One that
	// cannot be entered ends again; nobody has its verifier, whether that succeeds or not.
	if err := m.enroll(ctx, selector, who); err != nil {
		_, _ = m.node.store.End(ctx, End{Selector: selector, Proven: true, Reason: ReasonRevoked})
		return nil, Cookies{}, fmt.Errorf("enroll session: %w", err)
	}
	c := check{m: m, r: &r, now: sent}
	return &created.Session, c.issue(Cookie{selector, verifier}, created, created.Created, created.Created), nil
}

// enroll enters the session under its user. When there are as many as there may be, those that are
// dead are taken out, and then the oldest is ended or the login refused.
func (m *Manager) enroll(ctx context.Context, selector Selector, who Identity) error {
	e := Enrollment{
		User:            UserOf(who.Issuer, who.Subject),
		ProviderSession: ProviderSessionOf(who.Issuer, who.ProviderSession),
		Selector:        selector,
		Lifetime:        m.c.Lifetime,
		Max:             m.c.MaxSessions,
	}
	// Each round takes out at least one; others who sign in at the same moment may fill the place.
	for range 8 {
		others, err := m.node.store.Enroll(ctx, e)
		if err != nil {
			m.node.failed(err)
			return err
		}
		if len(others) == 0 {
			return nil
		}
		if err := m.makeRoom(ctx, e.User, others); err != nil {
			return err
		}
	}
	return ErrTooMany
}

// makeRoom takes out the dead, or else ends the oldest, so that less than MaxSessions are left.
func (m *Manager) makeRoom(ctx context.Context, user User, others []Selector) error {
	alive, err := m.node.store.Alive(ctx, others, m.c.Idle)
	if err != nil {
		m.node.failed(err)
		return err
	}
	var out, living []Selector
	for i, selector := range others {
		if alive[i] {
			living = append(living, selector)
		} else {
			out = append(out, selector)
		}
	}
	if excess := len(living) - m.c.MaxSessions + 1; excess > 0 {
		if m.c.OnMaxSessions == Deny {
			return ErrTooMany
		}
		for _, selector := range living[:excess] {
			if _, err := m.node.store.End(ctx, End{Selector: selector, Proven: true, Reason: ReasonRevoked}); err != nil {
				m.node.failed(err)
				return err
			}
			m.node.drop(selector)
			out = append(out, selector)
		}
	}
	return m.node.store.Withdraw(ctx, user, ProviderSession{}, out...)
}

// Logout ends the session of the presented cookie, if the verifier is or ever was its. The caller
// deletes the cookies whatever comes of it. The session is nil if there was none. An error means that
// the store does not know yet: this node refuses the session from now on, and tells the store when it
// is back; another node may ride on the ticket until then, up to the ride-through time.
func (m *Manager) Logout(ctx context.Context, r Request) (*Session, error) {
	cookie, ok := ParseCookie(r.Cookie)
	if !ok {
		return nil, nil //nolint:nilnil // No session and no failure is a common and complete answer.
	}
	c := check{m: m, r: &r, now: m.node.now(), hash: cookie.Verifier.Hash()}
	end := End{Reason: ReasonRevoked}
	ticket := c.openTicket(cookie.Selector)
	if c.ticketMatches() {
		// The ticket proves a session that the store may have lost; its tombstone keeps it from being
		// restored.
		end.Proven, end.Absolute = true, ticket.Absolute
	}
	session, err := m.end(ctx, cookie, end)
	if err != nil {
		session = c.ownSession(cookie.Selector)
		if session != nil {
			m.node.revoked.add(cookie.Selector, c.now, c.now.Add(m.c.RideThrough+TombstoneTTL))
		}
		end.Selector, end.Hash = cookie.Selector, c.hash
		if !m.node.revoked.postpone(end, session != nil) {
			return session, fmt.Errorf("end session: too many are waiting for the store: %w", err)
		}
		m.node.flusher.wake() // a single call that was lost is no outage, after which all is told anyway
		return session, fmt.Errorf("end session: %w", err)
	}
	return session, nil
}

// ownSession is the session that the request could use by what this node has, so that who merely
// knows a selector cannot have this node refuse it.
func (c *check) ownSession(selector Selector) *Session {
	k := c.lookUp(selector)
	if k.copy.Record != nil && k.copy.Record.knows(c.hash) {
		return &k.copy.Record.Session
	}
	if c.ticketMatches() {
		return &c.ticket.Session
	}
	return nil
}

// end buries the session of a cookie, takes it out of its user's sets and drops what is held.
func (m *Manager) end(ctx context.Context, cookie Cookie, end End) (*Session, error) {
	end.Selector, end.Hash = cookie.Selector, cookie.Verifier.Hash()
	record, err := m.node.store.End(ctx, end)
	if err != nil {
		m.node.failed(err)
		return nil, err
	}
	if record == nil && !end.Proven {
		return nil, nil //nolint:nilnil // The verifier was of no session.
	}
	m.node.drop(cookie.Selector)
	now := m.node.now()
	m.node.revoked.add(cookie.Selector, now, now.Add(m.c.RideThrough+TombstoneTTL))
	if record == nil {
		return nil, nil //nolint:nilnil // The store had lost it.
	}
	// The sets are tidied when they are read; the session is over whether this succeeds or not.
	_ = m.node.store.Withdraw(ctx, record.User(), ProviderSessionOf(record.Issuer, record.ProviderSession), cookie.Selector)
	return &record.Session, nil
}

// drop forgets all that is held of a session, activity that is not flushed yet included: logout wins.
func (n *Node) drop(selector Selector) {
	s := n.table.lock(selector)
	defer s.mu.Unlock()
	if h := s.byKey[selector]; h != nil {
		h.dirty = false
		s.forget(h)
	}
}
