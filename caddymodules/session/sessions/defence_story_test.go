package sessions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// What the store was known to hold before an outage may be lost after it. So the first request after the outage
// asks the store, also if the cached session is young.
func TestReturn_asksTheStoreAgain(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	signedIn(t, b.visit(e), sessions.SourceStore)
	signedIn(t, b.visit(e, passive), sessions.SourceCache)
	w.flushDue()
	w.cut()
	w.clock.Advance(time.Second)
	signedIn(t, b.ask(e, passive), sessions.SourceCopy)
	w.mend()
	signedIn(t, b.ask(e), sessions.SourceStore)
}

// A node that has heard of a logout refuses the session in an outage that begins afterwards, although the browser
// still has its ticket.
func TestRide_notAfterALogoutThatTheNodeHeardOf(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	b.visit(w.nodes[1])
	stolen := *b
	_, err := w.nodes[1].Logout(t.Context(), b.request())
	require.NoError(t, err)
	refused(t, stolen.ask(w.nodes[0]), sessions.ReasonRevoked)
	w.cut()
	refused(t, stolen.ask(w.nodes[0]), sessions.ReasonRevoked)
}

// An ended session leaves the cache also while the node settles after an outage.
func TestCheck_forgetsAnEndedSessionWhileSettling(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	before := e.node.Held()
	w.cut()
	w.clock.Advance(time.Second)
	b.ask(e, passive)
	cookie, ok := sessions.ParseCookie(b.cookie)
	require.True(t, ok)
	_, err := w.local.End(t.Context(), sessions.End{Selector: cookie.Selector, Hash: cookie.Verifier.Hash(), Reason: sessions.ReasonRevoked})
	require.NoError(t, err)
	w.mend()
	refused(t, b.ask(e), sessions.ReasonRevoked)
	assert.Equal(t, before-1, e.node.Held())
}

// A ticket that is issued during an outage keeps the moment at which the store last confirmed the one before it: a
// node that knows more must not lengthen the ride on other nodes.
func TestRide_keepsTheMomentOfTheTicket(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	codec := sessions.NewTickets(w.keys, "test", issuers)
	first, ok := codec.Open(b.ticket, host)
	require.True(t, ok)
	for range 5 {
		w.pass(flush)
		b.ask(e) // its response is lost
	}
	w.cut()
	w.clock.Advance(time.Second)
	b.visit(e)
	riding, ok := codec.Open(b.ticket, host)
	require.True(t, ok)
	assert.Greater(t, riding.Last, first.Last)
	assert.Equal(t, first.OnlineAt, riding.OnlineAt)
}
