package sessions

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each test here holds a defence that no other test notices when it is taken out.

func TestDecideOffline_bounds(t *testing.T) {
	const start = Instant(1_770_000_000_000)
	hash := Verifier{1}.Hash()
	good := func() evidence {
		r := &Record{Session: Session{Created: start, Absolute: start.Add(24 * time.Hour)}, State: Active, Current: hash, Used: true}
		return evidence{
			now: start.Add(time.Minute), hash: hash, copy: CachedSession{Record: r}, confirmed: start, last: start,
			rideThrough: time.Hour, idle: time.Hour, ticketAge: time.Minute,
		}
	}
	for _, c := range []struct {
		name   string
		change func(*evidence)
		want   Reason
	}{
		{"good", func(*evidence) {}, ReasonNone},
		{"the route's absolute time, a moment before", func(e *evidence) { e.routeAbsolute = time.Minute + time.Millisecond }, ReasonNone},
		{"the route's absolute time", func(e *evidence) { e.routeAbsolute = time.Minute }, ReasonAbsolute},
		{"the absolute end, a moment before", func(e *evidence) { e.copy.Record.Absolute = e.now + 1 }, ReasonNone},
		{"the absolute end", func(e *evidence) { e.copy.Record.Absolute = e.now }, ReasonAbsolute},
		{"revoked with all of the user", func(e *evidence) { e.copy.NotBefore = start }, ReasonRevoked},
		{"created after that", func(e *evidence) { e.copy.NotBefore = start - 1 }, ReasonNone},
		{"ride-through, the last moment", func(e *evidence) { e.rideThrough = time.Minute }, ReasonNone},
		{"ride-through is over", func(e *evidence) { e.rideThrough = time.Minute - time.Millisecond }, ReasonUnavailable},
		{"idle, a moment before", func(e *evidence) { e.idle = time.Minute + time.Millisecond }, ReasonNone},
		{"idle for all that this node knows", func(e *evidence) { e.idle = time.Minute }, ReasonUnavailable},
	} {
		e := good()
		c.change(&e)
		assert.Equal(t, c.want, e.decideOffline().reason, c.name)
	}
}

func TestEntry_ignoresATicketFromTheFuture(t *testing.T) {
	const now = Instant(1_770_000_000_000)
	r := &Record{Session: Session{Created: 1, Absolute: now.Add(time.Hour)}, State: Active, Current: Verifier{1}.Hash(), Used: true}
	e := Entry{Record: r, Last: now.Add(-time.Hour)}
	v := Validation{Hash: r.Current, Age: -1, Idle: time.Minute, TicketLast: now + 1}
	_, reply := e.Validate(now, v)
	assert.Equal(t, ReasonIdle, reply.Reason)
	v.TicketLast = now
	_, reply = e.Validate(now, v)
	assert.Equal(t, Current, reply.Outcome)
}

func TestNode_dropsACopyOfAnotherGeneration(t *testing.T) {
	n := NewNode(NodeConfig{Now: time.Now})
	s := n.table.lock(Selector{1})
	h := s.keep(Selector{1})
	s.mu.Unlock()
	for _, generation := range []int64{1, 2, 3} {
		h.copy = CachedSession{Record: &Record{Session: Session{Generation: 2}}}
		n.flushed(sentTouch{cacheEntry: h}, Touched{Active: true, Generation: generation}, 1)
		assert.Equal(t, generation == 2, h.copy.Record != nil, "generation %d", generation)
	}
}

func TestTable_adoptsNoOlderGeneration(t *testing.T) {
	older, same, newer := &Record{Session: Session{Generation: 1}}, &Record{Session: Session{Generation: 2}}, &Record{Session: Session{Generation: 3}}
	h := &cacheEntry{copy: CachedSession{Record: &Record{Session: Session{Generation: 2}}}}
	have := h.copy.Record
	h.adopt(CachedSession{Record: older})
	assert.Same(t, have, h.copy.Record, "a late answer brings back a verifier that was replaced")
	h.adopt(CachedSession{Record: same})
	assert.Same(t, same, h.copy.Record)
	h.adopt(CachedSession{Record: newer})
	assert.Same(t, newer, h.copy.Record)
}

func TestSuccessor_mustBeTheCurrentVerifier(t *testing.T) {
	old, next := Verifier{1}, Verifier{2}
	r := &Record{Session: Session{Selector: Selector{7}, Generation: 3}, Current: next.Hash()}
	r.Next = sealSuccessor(old, r.Selector, r.Generation, next)
	got, ok := openSuccessor(old, r)
	require.True(t, ok)
	assert.Equal(t, next, got)
	r.Current = Verifier{3}.Hash()
	_, ok = openSuccessor(old, r)
	assert.False(t, ok, "a verifier that is not the session's signs its owner out")
}

func TestTicket_fromTheFuture(t *testing.T) {
	const now = Instant(1_770_000_000_000)
	limit := now.Add(maxAhead)
	for _, c := range []struct {
		name string
		give Ticket
		want bool
	}{
		{"at the limit", Ticket{Session: Session{Created: limit}, Last: limit, OnlineAt: limit}, true},
		{"last", Ticket{Session: Session{Created: now}, Last: limit + 1, OnlineAt: now}, false},
		{"online", Ticket{Session: Session{Created: now}, Last: now, OnlineAt: limit + 1}, false},
		{"created", Ticket{Session: Session{Created: limit + 1}, Last: now, OnlineAt: now}, false},
	} {
		assert.Equal(t, c.want, c.give.upToNow(now), c.name)
		assert.LessOrEqual(t, min(c.give.Last, c.give.OnlineAt), limit+1)
	}
	ticket := Ticket{Last: limit, OnlineAt: limit}
	require.True(t, ticket.upToNow(now))
	assert.Equal(t, []Instant{now, now}, []Instant{ticket.Last, ticket.OnlineAt}, "times ahead are taken as now")
}

// Somebody who only knows selectors can fill half of the postponed revocations, and no more.
func TestRevocations_leaveRoomForThoseThatAreSure(t *testing.T) {
	r := newRevocations()
	selector := func(i int) (s Selector) {
		copy(s[:], strconv.Itoa(i))
		return s
	}
	for i := range maxRevocations / 2 {
		require.True(t, r.postpone(End{Selector: selector(i)}, false), "guess %d", i)
	}
	require.False(t, r.postpone(End{Selector: selector(maxRevocations)}, false))
	for i := maxRevocations / 2; i < maxRevocations; i++ {
		require.True(t, r.postpone(End{Selector: selector(i)}, true), "sure %d", i)
	}
	require.False(t, r.postpone(End{Selector: selector(maxRevocations)}, true))
}
