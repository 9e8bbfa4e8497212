package sessions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// A program that sends a fixed cookie never takes the renewed ticket. It got a newly sealed one, and a
// Set-Cookie, with every response.
func TestCookies_renewOnceForAClientThatNeverTakesTheTicket(t *testing.T) {
	for _, c := range []struct{ name, ticket string }{{name: "stale ticket"}, {name: "no ticket", ticket: "none"}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 1)
			e := w.nodes[0]
			b := w.login(e)
			b.visit(e)
			w.pass(flush)
			if c.ticket == "none" {
				b.ticket = ""
			}
			renewals := 0
			for range 3 * 60 { // three minutes, a request a second
				v := b.ask(e)
				require.Equal(t, sessions.SignedIn, v.Status)
				cookies, _ := e.Cookies(t.Context(), &v)
				if !cookies.Empty() {
					renewals++
				}
				w.clock.Advance(time.Second)
			}
			assert.Equal(t, 3, renewals, "one in each minute")
		})
	}
}

// Twenty requests of one page arrive before the first response. One response renews the ticket.
func TestCookies_renewOnceForRequestsTogether(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.pass(flush)
	verdicts := make([]sessions.Verdict, 20)
	for i := range verdicts {
		verdicts[i] = b.ask(e)
	}
	renewals := 0
	for i := range verdicts {
		if cookies, _ := e.Cookies(t.Context(), &verdicts[i]); !cookies.Empty() {
			renewals++
		}
	}
	assert.Equal(t, 1, renewals)
}

// A response that a cache may keep carries no cookie. It must not use up the renewal: a page that begins
// with such a file would never get one.
func TestCookies_renewalWaitsForAResponseThatCarriesIt(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.pass(flush)
	for range 5 {
		require.Equal(t, sessions.SignedIn, b.ask(e).Status) // the caller does not ask for cookies
	}
	v := b.ask(e)
	cookies, _ := e.Cookies(t.Context(), &v)
	assert.NotEmpty(t, cookies.Ticket)
}

// Another ticket than the one that was replaced is renewed at once: a late response may have overwritten
// the new ticket in the browser.
func TestCookies_renewAnotherTicketAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.pass(flush)
	old := b.ticket
	b.visit(e)
	require.NotEqual(t, old, b.ticket)
	b.ticket = ""
	v := b.ask(e)
	cookies, _ := e.Cookies(t.Context(), &v)
	assert.NotEmpty(t, cookies.Ticket)
}

// In an outage too, a client that never takes the ticket gets one in each minute.
func TestCookies_renewOnceWhileRiding(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.cut()
	w.clock.Advance(flush)
	renewals := 0
	for range 60 {
		v := b.ask(e)
		require.Equal(t, sessions.SignedIn, v.Status)
		if cookies, _ := e.Cookies(t.Context(), &v); !cookies.Empty() {
			renewals++
		}
		w.clock.Advance(time.Second)
	}
	assert.Equal(t, 1, renewals)
}

// A renewal that was lost leaves the browser with the ticket before it, whose last activity is then up to
// two renewals old. Another node must not take such a session for idle.
func TestRide_aTicketWhoseRenewalWasLostIsNotIdle(t *testing.T) {
	longer := func(c *sessions.Config) { c.RideThrough = time.Hour }
	w := newWorld(t, 1, longer)
	second := w.addNode(0, longer)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	w.cut()
	const routeIdle = 5 * time.Minute
	route := func(r *sessions.Request) { r.Idle = routeIdle }
	w.clock.Advance(routeIdle + 2*flush - time.Second)
	undecided(t, b.ask(second, route))
	w.clock.Advance(time.Second)
	refused(t, b.ask(second, route), sessions.ReasonIdle)
	w.clock.Advance(idle - routeIdle - time.Second)
	undecided(t, b.ask(second))
	w.clock.Advance(time.Second)
	refused(t, b.ask(second), sessions.ReasonIdle)
}

// A ticket that was replaced a moment ago is not opened again with every request.
func TestCheck_opensAReplacedTicketOnce(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.pass(flush)
	stale := *b
	b.visit(e)
	b.visit(e)
	allocations := func(b *browser) float64 {
		return testing.AllocsPerRun(100, func() {
			v := b.ask(e)
			_, _ = e.Cookies(t.Context(), &v)
		})
	}
	assert.InDelta(t, allocations(b), allocations(&stale), 1)
}
