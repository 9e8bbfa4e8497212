package sessions

import "time"

const (
	// GracePeriod is how long the previous verifier stays good once its successor was used: as long as a
	// request or a response may be on its way.
	GracePeriod = 60 * time.Second
	// TombstoneTTL is how much longer than the session its keys and its tombstone stand.
	TombstoneTTL = 10 * time.Minute
)

// Entry is all that a store holds under one selector, and the state machine of a session: pure, at a
// moment that the store passes in. Stores that keep Go values run it as it is; scripts do the same,
// and sessionstest.TestStore holds the two together. The zero Entry is no session.
type Entry struct {
	Record *Record
	// Last is the last activity.
	Last Instant
	// Buried says that a tombstone stands here, Reason what it says.
	Buried bool
	Reason Reason
}

// Create starts a session.
func (e Entry) Create(now Instant, c Creation) (Entry, bool) {
	if e.Buried || e.Record != nil {
		return e, false
	}
	r := c.Record.clone()
	r.State = Active
	r.Created, r.Rotated, r.Absolute = now, now, now.Add(c.Lifetime)
	r.Generation = 1
	// Nothing came before this verifier, so there is no first use to wait for.
	r.Used = true
	return Entry{Record: r, Last: now}, true
}

// Validate decides on a verifier: state, absolute end, verifier, idleness, and only then what the
// request changes.
func (e Entry) Validate(now Instant, v Validation) (Entry, Reply) {
	e, reply, over := e.open(now)
	if over {
		return e, reply
	}
	reply.Outcome = e.Record.role(v.Hash)
	switch reply.Outcome {
	case Unknown:
		return e, e.answer(reply)
	case Reused:
		if v.RevokeReuse {
			e = bury(ReasonReuse)
		}
		return e, e.answer(reply)
	}
	reply.Last = e.lastActivity()
	if v.Age >= 0 {
		reply.Last = max(reply.Last, now.Add(-v.Age))
	}
	if v.TicketLast <= now {
		reply.Last = max(reply.Last, v.TicketLast)
	}
	switch idle := now.Sub(reply.Last); {
	case idle >= v.Idle && v.Settling:
		reply.Outcome = WouldIdle
		return e, e.answer(reply)
	case idle >= v.Idle:
		e = bury(ReasonIdle)
		reply.Outcome, reply.Reason = Ended, ReasonIdle
		return e, e.answer(reply)
	case v.RouteIdle > 0 && idle >= v.RouteIdle:
		reply.Outcome = RouteIdle
		return e, e.answer(reply)
	case v.RouteAbsolute > 0 && now >= e.Record.Created.Add(v.RouteAbsolute):
		reply.Outcome = RouteAbsolute
		return e, e.answer(reply)
	}
	if reply.Outcome == FirstUse {
		e.Record = e.Record.clone()
		e.Record.Used = true
		if e.Record.Previous != (Hash{}) {
			e.Record.PreviousUntil = now.Add(GracePeriod)
		}
	}
	if v.Active {
		e.Last = now
	}
	return e, e.answer(reply)
}

// Rotate replaces the current verifier if it is the caller's, was used, is due, and nobody may still
// hold the one before it.
func (e Entry) Rotate(now Instant, r Rotation) (Entry, Reply) {
	e, reply, over := e.open(now)
	if over {
		return e, reply
	}
	reply.Last = e.lastActivity()
	reply.Outcome = e.Record.role(r.Old)
	switch {
	case reply.Outcome == FirstUse:
		// Rotating an unused verifier would lose the one that the browser may still hold.
		reply.Outcome = NotDue
	case reply.Outcome == Current && !e.Record.due(now, r.Every):
		reply.Outcome = NotDue
	case reply.Outcome == Current:
		n := e.Record.clone()
		n.Previous, n.PreviousUntil, n.Next = n.Current, 0, r.Next
		n.Current, n.Used = r.New, false
		n.Generation++
		n.Rotated = now
		e.Record = n
		reply.Outcome = Rotated
	}
	return e, e.answer(reply)
}

// Touch records activity of age ago.
func (e Entry) Touch(now Instant, age time.Duration) (Entry, Touched) {
	if e.Buried || e.Record == nil || e.Record.State != Active || now >= e.Record.Absolute {
		return e, Touched{Now: now}
	}
	e.Last = max(e.Last, now.Add(-age))
	return e, Touched{Active: true, Generation: e.Record.Generation, Stored: e.Last, Now: now}
}

// End buries the session, and returns what it was.
func (e Entry) End(now Instant, end End) (Entry, *Record) {
	switch {
	case e.Buried:
		return e, nil
	case e.Record == nil && (!end.Proven || end.Absolute <= now):
		return e, nil
	case e.Record != nil && !end.Proven && !e.Record.knows(end.Hash):
		return e, nil
	}
	return bury(end.Reason), e.Record
}

// Alive says whether the session could be used.
func (e Entry) Alive(now Instant, idle time.Duration) bool {
	return !e.Buried && e.Record != nil && e.Record.State == Active &&
		now < e.Record.Absolute && now.Sub(e.lastActivity()) < idle
}

// open is the beginning of every decision: what is over is over, and a predecessor whose grace has
// passed is retired by the first call that sees it.
func (e Entry) open(now Instant) (Entry, Reply, bool) {
	reply := Reply{Now: now}
	switch {
	case e.Buried:
		reply.Outcome, reply.Reason = Ended, e.Reason
	case e.Record == nil:
		reply.Outcome = Missing
	case e.Record.State != Active:
		reply.Outcome, reply.Reason = Ended, ReasonRevoked
	case now >= e.Record.Absolute:
		reply.Outcome, reply.Reason = Ended, ReasonAbsolute
		e = bury(ReasonAbsolute)
	default:
		e.Record = e.Record.retire(now)
		return e, reply, false
	}
	return e, reply, true
}

// answer completes a reply with what is there now.
func (e Entry) answer(reply Reply) Reply {
	reply.Record, reply.Stored = e.Record, e.Last
	return reply
}

// lastActivity falls back on the last sign of life, should the store have lost the activity alone.
func (e Entry) lastActivity() Instant {
	if e.Last != 0 {
		return e.Last
	}
	return e.Record.Rotated // Created, if it never was
}

func bury(reason Reason) Entry { return Entry{Buried: true, Reason: reason} }

// role says what the verifier is to the session. It presumes retire.
func (r *Record) role(h Hash) Outcome {
	switch {
	case r.Current.Equal(h) && r.Used:
		return Current
	case r.Current.Equal(h):
		return FirstUse
	case r.Previous.Equal(h) && !r.Used:
		// Without a time limit: the response that carried the successor may have been lost, and an
		// unused successor means that nothing has changed.
		return Superseded
	case r.Previous.Equal(h):
		return Grace
	case r.retired(h):
		return Reused
	default:
		return Unknown
	}
}

// due says whether the current verifier may be replaced: not while somebody may still hold the one
// before it.
func (r *Record) due(now Instant, every time.Duration) bool {
	closed := r.Previous == Hash{} || r.PreviousUntil != 0 && now >= r.PreviousUntil
	return every > 0 && r.Used && closed && !r.Rebuilt && now.Sub(r.Rotated) >= every
}

// retire drops the predecessor once its grace is over.
func (r *Record) retire(now Instant) *Record {
	if r.Previous == (Hash{}) || r.PreviousUntil == 0 || now < r.PreviousUntil {
		return r
	}
	n := r.clone()
	n.Retired = append(n.Retired, n.Previous.mark())
	if extra := len(n.Retired) - MaxRetired; extra > 0 {
		n.Retired = n.Retired[extra:]
	}
	n.Previous, n.PreviousUntil, n.Next = Hash{}, 0, nil
	return n
}
