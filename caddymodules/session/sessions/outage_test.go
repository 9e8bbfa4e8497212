package sessions_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
)

func TestRide_onTheCopyAndOnTheTicket(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	w.cut()
	v := b.visit(w.nodes[0])
	signedIn(t, v, sessions.SourceCopy)
	require.Error(t, v.Err)
	v = b.visit(w.nodes[1])
	signedIn(t, v, sessions.SourceTicket)
	assert.Equal(t, sessionstest.Person().Groups, v.Session.Groups)
	assert.Equal(t, sessionstest.Person().Claims, v.Session.Claims)
	// A node that starts in the outage has never heard of anything, nor of the store's time.
	late := w.addNode(90 * time.Second)
	late.link.Cut()
	signedIn(t, b.ask(late), sessions.SourceTicket)
	early := w.addNode(-90 * time.Second)
	early.link.Cut()
	signedIn(t, b.ask(early), sessions.SourceTicket)
	far := w.addNode(-3 * time.Minute)
	far.link.Cut()
	undecided(t, b.ask(far))
}

// TestRide_table is the table of what a cookie and a ticket are worth together.
func TestRide_table(t *testing.T) {
	// Both browsers are of one session; current is a rotation ahead of old.
	setup := func(t *testing.T) (*world, browser, browser) {
		w := newWorld(t, 3)
		b := due(t, w)
		old := *b
		b.visit(w.nodes[0]) // rotates
		old.ticket = freshTicket(t, w, old)
		return w, *b, old
	}
	for _, c := range []struct {
		name           string
		cookie, ticket string // of "cur" or "pred"
		online         sessions.Source
		riding         sessions.Source // on a node without a copy; SourceNone is 503
	}{
		{"current with its own", "cur", "cur", sessions.SourceStore, sessions.SourceTicket},
		{"current with the predecessor's", "cur", "pred", sessions.SourceStore, sessions.SourceNone},
		{"predecessor with its own", "pred", "pred", sessions.SourceStore, sessions.SourceTicket},
		{"predecessor with the current's", "pred", "cur", sessions.SourceStore, sessions.SourceNone},
		{"current with none", "cur", "", sessions.SourceStore, sessions.SourceNone},
		{"current with garbage", "cur", "garbage", sessions.SourceStore, sessions.SourceNone},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, cur, old := setup(t)
			pick := browser{t: t, cookie: cur.cookie, ticket: c.ticket}
			if c.cookie == "pred" {
				pick.cookie = old.cookie
			}
			switch c.ticket {
			case "cur":
				pick.ticket = cur.ticket
			case "pred":
				pick.ticket = old.ticket
			}
			w.nodes[1].link.Cut()
			v := pick.ask(w.nodes[1])
			if c.riding == sessions.SourceNone {
				undecided(t, v)
			} else {
				signedIn(t, v, c.riding)
			}
			v = pick.ask(w.nodes[0])
			signedIn(t, v, c.online)
			// Online, the ticket that goes with the cookie is issued anew.
			cookies, _ := w.nodes[0].Cookies(t.Context(), &v)
			assert.Equal(t, c.cookie == "pred" || c.ticket != "cur" || v.FirstUse(), cookies.Ticket != "")
			// A node's copy says yes to the current verifier, whatever the ticket.
			w.cut()
			if c.cookie == "cur" {
				signedIn(t, pick.ask(w.nodes[0]), sessions.SourceCopy)
			}
		})
	}
	t.Run("no cookie", func(t *testing.T) {
		w, cur, _ := setup(t)
		w.cut()
		v := (&browser{t: t, ticket: cur.ticket}).ask(w.nodes[0])
		refused(t, v, sessions.ReasonNone)
	})
	t.Run("predecessor, where the node knows that its grace is over", func(t *testing.T) {
		w, cur, old := setup(t)
		cur.visit(w.nodes[0]) // first use
		w.pass(sessions.GracePeriod)
		cur.visit(w.nodes[0])
		w.cut()
		undecided(t, old.ask(w.nodes[0]))
		signedIn(t, old.ask(w.nodes[1]), sessions.SourceTicket)
		signedIn(t, cur.ask(w.nodes[0]), sessions.SourceCopy)
	})
	t.Run("predecessor in its grace", func(t *testing.T) {
		w, cur, old := setup(t)
		cur.visit(w.nodes[0])
		w.cut()
		signedIn(t, old.ask(w.nodes[0]), sessions.SourceTicket)
	})
	t.Run("another session's", func(t *testing.T) {
		w, cur, _ := setup(t)
		other := w.login(w.nodes[0])
		cur.ticket = other.ticket
		w.cut()
		undecided(t, cur.ask(w.nodes[1]))
	})
}

// freshTicket is one that is bound to the predecessor and confirmed not long ago.
func freshTicket(t *testing.T, w *world, old browser) string {
	t.Helper()
	require.NotEmpty(t, old.ticket)
	// The store re-issues the successor's ticket only, so the one of login is renewed by its codec.
	codec := sessions.NewTickets(w.keys, "test", issuers)
	ticket, ok := codec.Open(old.ticket, host)
	require.True(t, ok)
	ticket.OnlineAt = sessions.InstantOf(w.clock.Now())
	ticket.Last = ticket.OnlineAt
	return codec.Seal(*ticket, host)
}

func TestRide_isBounded(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	w.cut()
	for range 10 {
		w.clock.Advance(time.Minute)
		require.Equal(t, sessions.SourceCopy, b.visit(w.nodes[0]).Source)
		signedIn(t, b.visit(w.nodes[1]), sessions.SourceTicket)
	}
	// Ten minutes of riding have not moved the bound, however often a ticket was issued.
	w.clock.Advance(time.Second)
	undecided(t, b.visit(w.nodes[0]))
	undecided(t, b.visit(w.nodes[1]))
	w.mend()
	signedIn(t, b.visit(w.nodes[1]), sessions.SourceStore)
}

func TestRide_isIdleByWhatIsKnown(t *testing.T) {
	longer := func(c *sessions.Config) { c.RideThrough = time.Hour }
	w := newWorld(t, 1, longer)
	second := w.addNode(0, longer)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	w.cut()
	w.clock.Advance(idle - time.Second)
	signedIn(t, b.visit(w.nodes[0]), sessions.SourceCopy)
	signedIn(t, b.visit(second), sessions.SourceTicket)
	without := browser{t: t, cookie: b.cookie}
	w.clock.Advance(idle - time.Second)
	signedIn(t, without.ask(w.nodes[0]), sessions.SourceCopy)
	w.clock.Advance(idle)
	undecided(t, without.ask(w.nodes[0]))
	// With its ticket, which is no more than F behind, it is certain, without a change of cookies.
	w.clock.Advance(flush)
	v := b.ask(second)
	refused(t, v, sessions.ReasonIdle)
	cookies, _ := second.Cookies(t.Context(), &v)
	assert.True(t, cookies.Empty())
}

func TestRide_endsAbsolutely(t *testing.T) {
	w := newWorld(t, 2, func(c *sessions.Config) { c.Lifetime, c.RideThrough = time.Hour, time.Hour })
	b := w.login(w.nodes[0])
	for range 6 {
		w.pass(9 * time.Minute)
		b.visit(w.nodes[0])
	}
	w.cut()
	w.clock.Advance(6 * time.Minute)
	refused(t, b.visit(w.nodes[0]), sessions.ReasonAbsolute)
	refused(t, b.visit(w.nodes[1]), sessions.ReasonAbsolute)
}

func TestRide_onlyAsTheRouteAllows(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	write := func(r *sessions.Request) { r.Safe = false }
	signedIn(t, b.ask(e, outage(sessions.Strict)), sessions.SourceCache)
	signedIn(t, b.ask(e, outage(sessions.StrictAlways)), sessions.SourceStore)
	w.cut()
	signedIn(t, b.ask(e, outage(sessions.Ride), write), sessions.SourceCopy)
	signedIn(t, b.ask(e, outage(sessions.RideSafe)), sessions.SourceCopy)
	undecided(t, b.ask(e, outage(sessions.RideSafe), write))
	undecided(t, b.ask(e, outage(sessions.Strict)))
	undecided(t, b.ask(e, outage(sessions.StrictAlways)))
}

func TestRide_notAtAllWithoutATime(t *testing.T) {
	w := newWorld(t, 1, func(c *sessions.Config) { c.RideThrough = 0 })
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	w.cut()
	w.clock.Advance(time.Millisecond)
	undecided(t, b.visit(w.nodes[0]))
}

// TestRide_afterSignOut: cookies that were kept from before a logout are worth nothing on a node that
// knows of it, and riding on another is over with the ride-through time.
func TestRide_afterSignOut(t *testing.T) {
	w := newWorld(t, 3)
	b := w.login(w.nodes[0])
	for _, e := range w.nodes[:2] {
		b.visit(e)
	}
	stolen := *b
	_, err := w.nodes[0].Logout(t.Context(), b.request())
	require.NoError(t, err)
	refused(t, stolen.ask(w.nodes[1]), sessions.ReasonRevoked)
	w.cut()
	undecided(t, browser{t: t, cookie: stolen.cookie}.asked(w.nodes[0]))
	refused(t, stolen.ask(w.nodes[0]), sessions.ReasonRevoked)
	refused(t, stolen.ask(w.nodes[1]), sessions.ReasonRevoked)
	signedIn(t, stolen.ask(w.nodes[2]), sessions.SourceTicket)
	w.clock.Advance(riding + time.Second)
	undecided(t, stolen.ask(w.nodes[2]))
	w.mend()
	w.pass(10 * time.Second)
	refused(t, stolen.ask(w.nodes[2]), sessions.ReasonRevoked)
}

func (b browser) asked(e *edge) sessions.Verdict { return b.ask(e) }

// TestLogout_inAnOutage: this node refuses at once, and the store hears of it when it is back.
func TestLogout_inAnOutage(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	bystander := w.login(w.nodes[0])
	bystander.visit(w.nodes[0])
	w.cut()
	who, err := w.nodes[0].Logout(t.Context(), b.request())
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	require.Equal(t, "u-1", who.Subject)
	refused(t, b.ask(w.nodes[0]), sessions.ReasonRevoked)

	// Who knows a selector only cannot have anybody refused.
	guess, _ := sessions.ParseCookie(bystander.cookie)
	guess.Verifier[0] ^= 1
	_, err = w.nodes[0].Logout(t.Context(), sessions.Request{Cookie: guess.Value(), Host: host})
	require.Error(t, err)
	signedIn(t, bystander.ask(w.nodes[0]), sessions.SourceCopy)

	w.mend()
	refused(t, b.ask(w.nodes[1]), sessions.ReasonRevoked)
	require.Equal(t, sessions.SignedIn, bystander.ask(w.nodes[1]).Status)
}

// TestLogout_holdsThoughOneCallWasLost: that is no outage yet, so that copies still count; not this one.
func TestLogout_holdsThoughOneCallWasLost(t *testing.T) {
	for name, lose := range map[string]func(*sessionstest.Faulty){
		"on the way there": func(f *sessionstest.Faulty) { f.CutWith(sessions.ErrUnanswered) },
		"on the way back":  (*sessionstest.Faulty).Deafen,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2)
			b := w.login(w.nodes[0])
			b.visit(w.nodes[0])
			lose(w.nodes[0].link)
			_, err := w.nodes[0].Logout(t.Context(), b.request())
			require.ErrorIs(t, err, sessions.ErrUnanswered)
			w.nodes[0].link.Mend()
			require.False(t, w.nodes[0].node.Away())
			for _, change := range []func(*sessions.Request){func(*sessions.Request) {}, passive, outage(sessions.StrictAlways)} {
				refused(t, b.ask(w.nodes[0], change), sessions.ReasonRevoked)
			}

			require.NoError(t, w.nodes[0].node.FlushDue(t.Context()))
			for _, e := range w.nodes {
				refused(t, b.ask(e), sessions.ReasonRevoked)
			}
		})
	}
}

// TestLogout_wakesWhoTellsTheStore: who sleeps until activity is due is not waited for.
func TestLogout_wakesWhoTellsTheStore(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.nodes[0].node.Run(ctx)
	}()
	defer func() {
		stop()
		<-ended
	}()
	time.Sleep(100 * time.Millisecond) // that it sleeps cannot be seen; too short a wait only proves less
	w.nodes[0].link.CutWith(sessions.ErrUnanswered)
	_, err := w.nodes[0].Logout(t.Context(), b.request())
	require.ErrorIs(t, err, sessions.ErrUnanswered)
	w.nodes[0].link.Mend()
	require.Eventually(t, func() bool { return b.ask(w.nodes[1]).Reason == sessions.ReasonRevoked }, 20*time.Second, 5*time.Millisecond)
}

// TestReturn_idleVerdictsWaitForAllNodes: while the store was away the session was used on one node
// only, and the other asks first.
func TestReturn_idleVerdictsWaitForAllNodes(t *testing.T) {
	longer := func(c *sessions.Config) { c.RideThrough = time.Hour }
	w := newWorld(t, 0)
	a, b := w.addNode(0, longer), w.addNode(0, longer)
	jar := w.login(a)
	for range 5 {
		w.pass(30 * time.Second)
		jar.visit(a)
		jar.visit(b)
	}
	old := *jar
	w.cut()
	for range 20 {
		w.clock.Advance(time.Minute)
		signedIn(t, jar.visit(a), sessions.SourceCopy)
		w.flushDue()
	}
	// Only b is back, and is asked with a ticket that was issued before.
	b.link.Mend()
	require.NoError(t, b.node.LinkUp(t.Context()))
	v := old.visit(b)
	signedIn(t, v, sessions.SourceCopy)
	assert.True(t, v.Settling)
	a.link.Mend()
	require.NoError(t, a.node.LinkUp(t.Context()))
	w.clock.Advance(6 * time.Second)
	signedIn(t, old.visit(b), sessions.SourceStore)
}

// TestReturn_revivesNobody: a session that was idle all along is not kept by riding while settling.
func TestReturn_revivesNobody(t *testing.T) {
	longer := func(c *sessions.Config) { c.RideThrough = time.Hour }
	w := newWorld(t, 1, longer)
	e := w.nodes[0]
	jar := w.login(e)
	jar.visit(e)
	w.cut()
	w.pass(idle + time.Minute)
	w.mend()
	for range 4 {
		require.True(t, jar.ask(e).Settling)
		w.pass(time.Second)
	}
	w.pass(2 * time.Second)
	refused(t, jar.ask(e), sessions.ReasonIdle)

	// One that was idle before the outage is not even ridden on.
	jar = w.login(e)
	jar.visit(e)
	w.pass(idle + 2*flush)
	w.cut()
	jar.ask(e)
	w.mend()
	v := jar.ask(e)
	require.NotEqual(t, sessions.SignedIn, v.Status)
}

// TestReturn_missingKeysRideWhileSettling: a store that comes back without a session is not believed at
// once, since the node that made it may still be about to tell.
func TestReturn_missingKeysRideWhileSettling(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	jar := w.login(e)
	jar.visit(e)
	w.cut()
	w.clock.Advance(time.Second)
	jar.visit(e)
	lost, ok := sessions.ParseCookie(jar.cookie)
	require.True(t, ok)
	w.local.Lose(lost.Selector)
	w.mend()
	v := jar.ask(e)
	require.Equal(t, sessions.SignedIn, v.Status)
	require.True(t, v.Settling)
	undecided(t, browser{t: t, cookie: sessions.Cookie{}.Value()}.asked(e))
	w.clock.Advance(6 * time.Second)
	refused(t, jar.ask(e), sessions.ReasonRevoked)
	refused(t, browser{t: t, cookie: sessions.Cookie{}.Value()}.asked(e), sessions.ReasonNone)
}

func TestNode_tellsTransitionsOnce(t *testing.T) {
	w := newWorld(t, 0)
	e := w.addNode(0)
	var told []bool
	node := sessions.NewNode(sessions.NodeConfig{
		Store: e.link, Now: w.clock.Now, OnLink: func(away bool, _ error) { told = append(told, away) },
	})
	var err error
	e.Manager, err = sessions.New(sessions.Config{Namespace: "test", Node: node, Keys: w.keys, Issuers: issuers, RideThrough: riding})
	require.NoError(t, err)
	jar := w.login(e)
	jar.visit(e)
	e.link.CutWith(sessions.ErrUnanswered)
	w.clock.Advance(2 * flush)
	jar.visit(e)
	assert.Empty(t, told, "a call without an answer is no outage")
	for range 5 {
		jar.visit(e)
	}
	assert.Equal(t, []bool{true}, told)
	assert.True(t, node.Away())
	e.link.Mend()
	for range 5 {
		jar.visit(e)
	}
	assert.Equal(t, []bool{true, false}, told)
}

// TestCheck_strangersCannotFloodTheStore: selectors that nobody knows cost a bounded number of calls.
func TestCheck_strangersCannotFloodTheStore(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	jar := w.login(e)
	before := e.link.Calls()
	for i := range 5000 {
		c := sessions.Cookie{Selector: sessions.Selector{byte(i), byte(i >> 8)}}
		v := e.Check(t.Context(), sessions.Request{Cookie: c.Value(), Host: host})
		require.NotEqual(t, sessions.SignedIn, v.Status)
	}
	assert.LessOrEqual(t, e.link.Calls()-before, int64(1000))
	assert.Zero(t, e.node.Held(), "strangers take the room of sessions")
	signedIn(t, jar.visit(e), sessions.SourceStore)
}
