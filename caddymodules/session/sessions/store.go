package sessions

import (
	"context"
	"errors"
	"time"
)

// Errors of a Store. Each may be wrapped.
var (
	// ErrUnavailable says that the store was not asked, or refused to answer: nothing has changed.
	ErrUnavailable = errors.New("session store unavailable")
	// ErrUnanswered says that the store was asked and did not answer in time: the change may have
	// happened, or may yet happen.
	ErrUnanswered = errors.New("session store did not answer in time")
	// ErrConflict says that a session could not be created because its selector is taken or buried.
	ErrConflict = errors.New("session selector is taken")
)

// Reason says why a session ended, or why a request has none.
type Reason uint8

const (
	// ReasonNone: no cookie, or one that was never ours.
	ReasonNone Reason = iota
	// ReasonIdle: no activity for the idle time.
	ReasonIdle
	// ReasonAbsolute: the session reached its end.
	ReasonAbsolute
	// ReasonRevoked: signed out, here or by somebody entitled to.
	ReasonRevoked
	// ReasonReuse: a retired verifier was presented.
	ReasonReuse
	// ReasonUnavailable: it cannot be known, since the store does not answer.
	ReasonUnavailable
)

var reasons = [...]string{"none", "idle", "absolute", "revoked", "reuse", "unavailable"}

// String is the word that answers, metrics and stores use.
func (r Reason) String() string {
	if int(r) < len(reasons) {
		return reasons[r]
	}
	return "none"
}

// ParseReason reads what String wrote; an unknown word is revoked, the safe reading of a tombstone.
func ParseReason(word string) Reason {
	for i, w := range reasons {
		if w == word {
			return Reason(i)
		}
	}
	return ReasonRevoked
}

// Outcome is what the store says of a call.
type Outcome uint8

const (
	// Missing: there is no such session, and no tombstone.
	Missing Outcome = iota
	// Ended: the session is over; Reply.Reason says why.
	Ended
	// Unknown: the verifier was never this session's.
	Unknown
	// Reused: the verifier is retired.
	Reused
	// WouldIdle: the session is idle by what the store knows, but the caller is settling.
	WouldIdle
	// RouteIdle and RouteAbsolute: good, but not for a route with a shorter time.
	RouteIdle
	RouteAbsolute
	// Current: the verifier in force.
	Current
	// FirstUse: the verifier in force, presented for the first time.
	FirstUse
	// Superseded: the previous verifier, whose successor nobody has presented yet.
	Superseded
	// Grace: the previous verifier, within a minute of its successor's first use.
	Grace
	// Rotated: the rotation was carried out.
	Rotated
	// NotDue: the rotation was not carried out although the verifier is in force.
	NotDue
)

// Good says whether the presented verifier was accepted.
func (o Outcome) Good() bool { return o >= Current }

// Reply is the store's answer to a Validation or a Rotation.
type Reply struct {
	Outcome Outcome
	Reason  Reason // of Ended
	// Now is the store's time of the decision.
	Now Instant
	// Last is the last activity before this call, with what the caller knew of it. Stored is what
	// the store holds after it.
	Last, Stored Instant
	// Record is the session after the call; nil for Missing and Ended.
	Record *Record
	// NotBefore is when the user's sessions were last revoked all at once, zero if never.
	NotBefore Instant
}

// Validation asks whether a verifier is good, and records activity.
type Validation struct {
	Selector Selector
	Hash     Hash
	// User, if given, has the store look up NotBefore itself, in the same round trip, instead of in
	// this node's copy.
	User User
	// Active requests count as activity.
	Active bool
	// Age is how long ago this node last saw activity that the store may not know; negative if never.
	Age time.Duration
	// TicketLast is the last activity of a ticket of this selector, or zero. One in the store's
	// future is ignored.
	TicketLast Instant
	// Idle ends the session; RouteIdle and RouteAbsolute, if not zero, only refuse it here.
	Idle, RouteIdle, RouteAbsolute time.Duration
	// Settling callers do not want the session ended for idleness.
	Settling bool
	// RevokeReuse ends the session when a retired verifier is presented.
	RevokeReuse bool
}

// Touch records activity that a node kept to itself.
type Touch struct {
	Selector Selector
	Age      time.Duration
}

// Touched answers a Touch.
type Touched struct {
	// Active is false for a session that is over or not there.
	Active     bool
	Generation int64
	// Stored is the last activity that the store holds now, Now its time.
	Stored, Now Instant
}

// Rotation replaces the current verifier, if it is Old and a rotation is due.
type Rotation struct {
	Selector Selector
	Old, New Hash
	// Next is the new verifier sealed under the old one.
	Next []byte
	// Every is the rotation interval.
	Every time.Duration
}

// Creation starts a session. Created, Absolute, Rotated and Generation are the store's to set.
type Creation struct {
	Record   Record
	Lifetime time.Duration
}

// End buries a session: tombstone first, then everything else.
type End struct {
	Selector Selector
	// Hash must be or have been this session's verifier, unless Proven says that the caller knows.
	Hash   Hash
	Proven bool
	Reason Reason
	// Absolute is how long the tombstone of a proven session that the store has lost must stand.
	Absolute Instant
}

// Enrollment enters a session into the sets by which a person's sessions are found.
type Enrollment struct {
	User            User
	ProviderSession ProviderSession
	Selector        Selector
	Lifetime        time.Duration
	// Max is the most sessions a user may have, zero for no limit.
	Max int
}

// CachedSession is what a node holds of a session. Version is the store's own, to tell unchanged copies
// without reading them again.
type CachedSession struct {
	Record    *Record
	NotBefore Instant
	Version   any
}

// Store keeps sessions for all nodes and decides by its own clock. Implementations are safe for
// concurrent use, pass sessionstest.TestStore, and return within a deadline of their own even when
// ctx has none. Methods return ErrUnavailable or ErrUnanswered when they cannot.
type Store interface {
	// Read returns the session as this node may hold it for now: the store takes the copy back, or
	// makes it fail, when the session changes. held is the last copy, whose Record may be returned
	// again. A session that is not there has a nil Record. Read never changes anything.
	Read(ctx context.Context, selector Selector, cacheEntry CachedSession) (CachedSession, error)

	// Validate decides on a verifier.
	Validate(ctx context.Context, v Validation) (Reply, error)

	// Touch records activity, all or, on an error, possibly some. The answers are in order.
	Touch(ctx context.Context, touches []Touch) ([]Touched, error)

	// Rotate replaces the verifier. Of several nodes that try, one gets Rotated; the others get what
	// Validate would say of the old verifier, with the winner's Record.
	Rotate(ctx context.Context, r Rotation) (Reply, error)

	// Create starts a session and returns its Record. ErrConflict if the selector is taken.
	Create(ctx context.Context, c Creation) (*Record, error)

	// End buries a session and returns its Record, nil if there was none or the verifier is not its.
	End(ctx context.Context, e End) (*Record, error)

	// Enroll enters a session under its user. If the user has Max others it is not entered, and
	// they are returned, oldest first.
	Enroll(ctx context.Context, e Enrollment) (others []Selector, err error)

	// Alive says of each session whether it could still be used, without counting as activity.
	Alive(ctx context.Context, selectors []Selector, idle time.Duration) ([]bool, error)

	// RevokeUser revokes all sessions that the user has at this moment, of whom the store keeps no
	// more than the time. lifetime is the longest that a session can still last.
	RevokeUser(ctx context.Context, user User, lifetime time.Duration) (Instant, error)

	// Withdraw undoes Enroll for sessions that have ended.
	Withdraw(ctx context.Context, user User, provider ProviderSession, selectors ...Selector) error
}
