package sessions

import "time"

// Source is where a verdict comes from.
type Source uint8

const (
	// SourceNone: there was nothing to ask.
	SourceNone Source = iota
	// SourceCache: the node's copy, which the store stands by.
	SourceCache
	// SourceStore: the store itself.
	SourceStore
	// SourceCopy: the node's copy, in an outage.
	SourceCopy
	// SourceTicket: the sealed ticket, in an outage.
	SourceTicket
)

// String is the word of placeholders and metrics.
func (s Source) String() string {
	return [...]string{"none", "cache", "redis", "copy", "ticket"}[s]
}

// Degraded says that the verdict was found without the store.
func (s Source) Degraded() bool { return s == SourceCopy || s == SourceTicket }

// Status is what a request is.
type Status uint8

const (
	// SignedOut: there is no session, or not for this route; Verdict.Reason says why.
	SignedOut Status = iota
	// SignedIn: Verdict.Session says who.
	SignedIn
	// Undecided: it cannot be known while the store does not answer. Not a reason to sign anybody out.
	Undecided
)

// Request is what Check looks at.
type Request struct {
	// Cookie and Ticket are the values of the two cookies, empty when there is none or more than one.
	Cookie, Ticket string
	// Host is the request's, with or without a port. Tickets are bound to it.
	Host string
	// Addr is where the request comes from, remembered to be named should the verifier be reused.
	Addr string
	// Passive requests do not count as activity.
	Passive bool
	// Safe requests change nothing: GET, HEAD, OPTIONS.
	Safe bool
	// Speculative requests, such as prefetches, neither rotate nor are given cookies.
	Speculative bool
	// Outage is what the route allows.
	Outage Outage
	// Idle and Absolute are shorter times of the route, zero for none. They refuse there only.
	Idle, Absolute time.Duration
}

// Verdict is the answer to a Request. It never asks for cookies to be deleted.
type Verdict struct {
	Status Status
	// Reason why not SignedIn. RouteOnly says that it holds for this route alone.
	Reason    Reason
	RouteOnly bool
	Source    Source
	// Session is who, when SignedIn.
	Session *Session
	// Last is the activity before this request, as far as this node knows it.
	Last Instant
	// Settling says that the store has just come back and its answer was not yet taken as final.
	Settling bool
	// Owner is the address from which the session was last used here, when Reason is ReasonReuse.
	Owner string
	// Err is why the store did not answer, when it did not.
	Err error

	// What Cookies needs.
	request   Request
	cookie    Cookie
	issue     Cookies
	renewal   renewal
	decided   time.Time
	rotate    bool
	reissued  bool
	firstUsed bool
}

// Reissued says that Cookies holds the successor of a verifier whose response was lost.
func (v Verdict) Reissued() bool { return v.reissued }

// FirstUse says that this request was the first to present its verifier.
func (v Verdict) FirstUse() bool { return v.firstUsed }

// Cookies are values to set; an empty one is left alone.
type Cookies struct {
	Session, Ticket string
	// Absolute is the end of the session, for cookies that persist.
	Absolute Instant
}

// Empty says that there is nothing to set.
func (c Cookies) Empty() bool { return c.Session == "" && c.Ticket == "" }
