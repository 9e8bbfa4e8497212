package sessions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/localstore"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
)

const (
	idle     = 15 * time.Minute
	lifetime = 24 * time.Hour
	rotation = time.Hour
	riding   = 10 * time.Minute
	flush    = time.Minute // F of that idle time
	host     = "app.example.com"
)

var issuers = map[string]string{"corp": "https://login.example.com"}

// world is a store, and nodes that share it, each over a link of its own.
type world struct {
	t     testing.TB
	clock *sessionstest.Clock
	local *localstore.Store
	keys  *sessions.Keys
	nodes []*edge
}

// edge is one node with one site.
type edge struct {
	*sessions.Manager
	link *sessionstest.Faulty
	node *sessions.Node
}

func newWorld(t testing.TB, nodes int, change ...func(*sessions.Config)) *world {
	t.Helper()
	w := &world{t: t, clock: sessionstest.NewClock(), keys: sessions.RandomKeys()}
	w.local = localstore.New(localstore.Config{Now: w.clock.Now})
	for range nodes {
		w.addNode(0, change...)
	}
	return w
}

// addNode starts a node whose clock is wrong by skew.
func (w *world) addNode(skew time.Duration, change ...func(*sessions.Config)) *edge {
	w.t.Helper()
	e := &edge{link: &sessionstest.Faulty{Store: w.local}}
	e.node = sessions.NewNode(sessions.NodeConfig{
		Store: e.link,
		Now:   func() time.Time { return w.clock.Now().Add(skew) },
	})
	c := sessions.Config{
		Namespace: "test", Node: e.node, Keys: w.keys, Issuers: issuers,
		Idle: idle, Lifetime: lifetime, Rotation: rotation, RideThrough: riding,
	}
	for _, f := range change {
		f(&c)
	}
	var err error
	e.Manager, err = sessions.New(c)
	require.NoError(w.t, err)
	w.nodes = append(w.nodes, e)
	return e
}

// cut takes the store away from all nodes.
func (w *world) cut() {
	for _, e := range w.nodes {
		e.link.Cut()
	}
}

// mend brings it back, as the supervisor of a link would.
func (w *world) mend() {
	w.t.Helper()
	for _, e := range w.nodes {
		e.link.Mend()
	}
	for _, e := range w.nodes {
		require.NoError(w.t, e.node.LinkUp(w.t.Context()))
	}
}

// flushDue is what Run does when time passes.
func (w *world) flushDue() {
	for _, e := range w.nodes {
		_ = e.node.FlushDue(w.t.Context())
	}
}

// pass lets time pass while the nodes flush what is due.
func (w *world) pass(d time.Duration) {
	for step := 5 * time.Second; d > 0; d -= step {
		w.clock.Advance(min(step, d))
		w.flushDue()
	}
}

// browser is a jar with the two cookies.
type browser struct {
	t              testing.TB
	cookie, ticket string
}

func (w *world) login(e *edge) *browser {
	w.t.Helper()
	b := &browser{t: w.t}
	b.signIn(e)
	return b
}

func (b *browser) signIn(e *edge) {
	b.t.Helper()
	_, cookies, err := e.Login(b.t.Context(), b.request(), sessionstest.Person())
	require.NoError(b.t, err)
	b.take(cookies)
}

func (b *browser) request(change ...func(*sessions.Request)) sessions.Request {
	r := sessions.Request{Cookie: b.cookie, Ticket: b.ticket, Host: host, Safe: true, Addr: "192.0.2.1"}
	for _, f := range change {
		f(&r)
	}
	return r
}

func (b *browser) take(c sessions.Cookies) {
	if c.Session != "" {
		b.cookie = c.Session
	}
	if c.Ticket != "" {
		b.ticket = c.Ticket
	}
}

// ask makes a request and loses its response's cookies.
func (b *browser) ask(e *edge, change ...func(*sessions.Request)) sessions.Verdict {
	return e.Check(b.t.Context(), b.request(change...))
}

// visit makes a request and takes its response's cookies.
func (b *browser) visit(e *edge, change ...func(*sessions.Request)) sessions.Verdict {
	v := b.ask(e, change...)
	cookies, _ := e.Cookies(b.t.Context(), &v)
	b.take(cookies)
	return v
}

func passive(r *sessions.Request) { r.Passive = true }

func outage(o sessions.Outage) func(*sessions.Request) {
	return func(r *sessions.Request) { r.Outage = o }
}

// signedIn checks a verdict, and from where it came.
func signedIn(t testing.TB, v sessions.Verdict, from sessions.Source) {
	t.Helper()
	require.Equal(t, sessions.SignedIn, v.Status, "reason %s, error %v", v.Reason, v.Err)
	require.Equal(t, from, v.Source)
	require.Equal(t, "u-1", v.Session.Subject)
	require.Equal(t, "https://login.example.com", v.Session.Issuer)
}

func refused(t testing.TB, v sessions.Verdict, why sessions.Reason) {
	t.Helper()
	require.Equal(t, sessions.SignedOut, v.Status, "source %s", v.Source)
	require.Equal(t, why, v.Reason)
	require.Nil(t, v.Session)
}

func undecided(t testing.TB, v sessions.Verdict) {
	t.Helper()
	require.Equal(t, sessions.Undecided, v.Status, "reason %s", v.Reason)
	require.Equal(t, sessions.ReasonUnavailable, v.Reason)
	require.Nil(t, v.Session)
}
