package sessions

import "time"

// This file has the decisions of a node without the store, as pure functions: by the cached session while the store
// answers, and by the cached session or the ticket while it does not.

// copySays reports whether a cached session admits a request: the verifier is the current one and was used, and the session
// is active, not at its end, and not revoked with all sessions of the user. In any other case the store decides.
func copySays(c CachedSession, h Hash, now Instant) bool {
	r := c.Record
	return r != nil && r.State == Active && r.Used && r.Current.Equal(h) &&
		now < r.Absolute && r.Created > c.NotBefore
}

// Outage is what a route allows while the store does not answer.
type Outage uint8

const (
	// Ride: on the node's copy, else on the ticket.
	Ride Outage = iota
	// RideSafe: as Ride for requests that change nothing, the others are refused.
	RideSafe
	// Strict: nobody, and copies only while the store answers.
	Strict
	// StrictAlways: as Strict, and the store is asked for every request.
	StrictAlways
)

// evidence is what a node knows of a session during an outage.
type evidence struct {
	now  Instant
	hash Hash
	// copy may be empty. confirmed is when the store last stood by it.
	copy      CachedSession
	confirmed Instant
	// last is the newest activity that this node knows of.
	last Instant
	// ticket is nil unless it opened, is of this selector and not from the future.
	ticket *Ticket
	// revoked says that this node knows of a revocation of the selector.
	revoked bool

	rideThrough                    time.Duration
	idle, routeIdle, routeAbsolute time.Duration
	// ticketAge is how old a ticket gets before it is issued anew. If that response was lost, the browser
	// has the old one for as long again. So the last activity in a ticket is up to twice ticketAge old.
	ticketAge time.Duration
	// aliveAt, if not zero, excuses idleness of sessions that were not idle then: the store has
	// come back, and other nodes may still have to tell it of activity since.
	aliveAt Instant
}

// offlineDecision is the result of decideOffline.
type offlineDecision struct {
	session *Session
	source  Source
	// reason why there is no session. On a route of shorter times it holds there only.
	reason Reason
	route  bool
	// online is when the store last confirmed the evidence; last as in evidence, with the ticket's.
	online, last Instant
}

// decideOffline decides by what the node has. It refuses for certain only what must be over whatever other
// nodes know; without evidence, and beyond the bound, nobody can tell.
func (e evidence) decideOffline() offlineDecision {
	byCopy, byTicket := e.copyHolds(), e.ticketHolds()
	r := offlineDecision{reason: ReasonUnavailable, last: e.last}
	if e.ticket != nil {
		r.last = max(r.last, e.ticket.Last)
	}
	switch {
	case byCopy:
		r.session, r.source, r.online = &e.copy.Record.Session, SourceCopy, e.confirmed
		if byTicket {
			r.online = max(r.online, e.ticket.OnlineAt)
		}
		r.last = max(r.last, r.session.Created)
	case byTicket:
		r.session, r.source, r.online = &e.ticket.Session, SourceTicket, e.ticket.OnlineAt
	default:
		return r
	}
	s := r.session
	idle := e.now.Sub(r.last)
	excused := e.aliveAt != 0 && r.last.Add(e.idle) > e.aliveAt
	switch {
	case e.revoked || s.Created <= e.copy.NotBefore:
		return r.refuse(ReasonRevoked)
	case e.now >= s.Absolute:
		return r.refuse(ReasonAbsolute)
	case e.routeAbsolute > 0 && e.now >= s.Created.Add(e.routeAbsolute):
		return r.refuseHere(ReasonAbsolute)
	case excused:
	case byTicket && idle >= e.idle+2*e.ticketAge:
		return r.refuse(ReasonIdle)
	case idle >= e.idle:
		// Another node may have seen later activity.
		return r.refuse(ReasonUnavailable)
	case byTicket && e.routeIdle > 0 && idle >= e.routeIdle+2*e.ticketAge:
		return r.refuseHere(ReasonIdle)
	case e.routeIdle > 0 && idle >= e.routeIdle:
		return r.refuse(ReasonUnavailable)
	}
	if e.now.Sub(r.online) > e.rideThrough {
		return r.refuse(ReasonUnavailable)
	}
	r.reason = ReasonNone
	return r
}

// copyHolds is copySays without the conditions that decideOffline refuses with a reason.
func (e evidence) copyHolds() bool {
	r := e.copy.Record
	return r != nil && r.State == Active && r.Used && r.Current.Equal(e.hash)
}

// ticketHolds reports whether the ticket is bound to this verifier and the node knows no newer generation. If a newer
// generation was used, the older verifier is good for the rest of its grace period.
func (e evidence) ticketHolds() bool {
	if e.ticket == nil || !e.ticket.Hash.Equal(e.hash) {
		return false
	}
	r := e.copy.Record
	if r == nil || r.Generation <= e.ticket.Generation {
		return true
	}
	return r.Previous.Equal(e.hash) && (!r.Used || e.now < r.PreviousUntil)
}

func (r offlineDecision) refuse(reason Reason) offlineDecision {
	r.session, r.reason = nil, reason
	return r
}

func (r offlineDecision) refuseHere(reason Reason) offlineDecision {
	r.route = true
	return r.refuse(reason)
}
