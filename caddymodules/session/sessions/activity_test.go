package sessions_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

func TestCheck_servesFromTheCopyBetweenFlushes(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	signedIn(t, b.visit(e), sessions.SourceStore)
	calls := e.link.Calls()
	for range 50 {
		w.clock.Advance(time.Second)
		signedIn(t, b.visit(e), sessions.SourceCache)
	}
	assert.Equal(t, calls, e.link.Calls())
	w.clock.Advance(10 * time.Second)
	signedIn(t, b.visit(e), sessions.SourceStore)
}

// TestCheck_costsLittle: 2 requests a second over 3 nodes for 10 minutes. Client-side caching adds two
// reads a node and copy.
func TestCheck_costsLittle(t *testing.T) {
	w := newWorld(t, 3)
	b := w.login(w.nodes[0])
	before := int64(0)
	for _, e := range w.nodes {
		before += e.link.Calls()
	}
	const requests = 1200
	for i := range requests {
		w.clock.Advance(500 * time.Millisecond)
		b.visit(w.nodes[i%3])
		w.flushDue()
	}
	calls := -before
	for _, e := range w.nodes {
		calls += e.link.Calls() + 2
	}
	assert.LessOrEqual(t, float64(calls)/requests, 0.05, "%d calls", calls)
}

// TestCheck_idleIsExactOverNodes: activity at 14:59 in one node's memory, the next request at 15:01 on
// another. A node that kept to itself what the store does not know would have it signed out.
func TestCheck_idleIsExactOverNodes(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.ticket = ""
	b.visit(w.nodes[0])
	w.pass(idle - time.Second)
	signedIn(t, b.ask(w.nodes[0]), sessions.SourceStore)
	w.pass(2 * time.Second)
	signedIn(t, b.ask(w.nodes[1]), sessions.SourceStore)

	// Activity within F of the stored one stays in memory, and still no node may be wrong.
	w.pass(30 * time.Second)
	signedIn(t, b.ask(w.nodes[1]), sessions.SourceCache)
	w.pass(idle - time.Millisecond)
	signedIn(t, b.ask(w.nodes[0]), sessions.SourceStore)
	w.pass(idle)
	refused(t, b.ask(w.nodes[1]), sessions.ReasonIdle)
	refused(t, b.ask(w.nodes[0]), sessions.ReasonIdle)
}

func TestCheck_passiveRequestsDoNotExtend(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	for range 15*60/5 - 1 {
		w.pass(5 * time.Second)
		v := b.visit(w.nodes[0], passive)
		require.Equal(t, sessions.SignedIn, v.Status)
		require.Equal(t, sessions.SignedIn, b.visit(w.nodes[1], passive).Status)
	}
	assert.LessOrEqual(t, w.nodes[1].link.Calls(), int64(3), "polling costs calls")
	w.pass(5 * time.Second)
	refused(t, b.visit(w.nodes[0], passive), sessions.ReasonIdle)
}

func TestCheck_absoluteEndComesUnderConstantTraffic(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	end := w.clock.Now().Add(lifetime)
	for i := 0; w.clock.Now().Add(20 * time.Second).Before(end); i++ {
		w.pass(20 * time.Second)
		require.Equal(t, sessions.SignedIn, b.visit(w.nodes[i%2]).Status)
	}
	w.clock.Set(end)
	refused(t, b.visit(w.nodes[0]), sessions.ReasonAbsolute)
	refused(t, b.visit(w.nodes[1]), sessions.ReasonAbsolute)
}

func TestCheck_theStoresClockDecides(t *testing.T) {
	for _, skew := range []time.Duration{-2 * time.Minute, 2 * time.Minute} {
		w := newWorld(t, 1)
		off := w.addNode(skew)
		b := w.login(off)
		w.pass(idle - time.Millisecond)
		signedIn(t, b.visit(off), sessions.SourceStore)
		w.pass(30 * time.Second)
		signedIn(t, b.visit(off), sessions.SourceCache)
		w.pass(idle - time.Millisecond)
		signedIn(t, b.visit(w.nodes[0]), sessions.SourceStore)
		w.pass(idle)
		refused(t, b.visit(off), sessions.ReasonIdle)
	}
}

func TestCheck_routesMayBeShorter(t *testing.T) {
	w := newWorld(t, 1, func(c *sessions.Config) { c.ShortestIdle = 5 * time.Minute })
	e := w.nodes[0]
	b := w.login(e)
	admin := func(r *sessions.Request) { r.Idle = 5 * time.Minute }
	young := func(r *sessions.Request) { r.Absolute = 20 * time.Minute }
	b.visit(e)
	w.pass(5 * time.Minute)
	v := b.ask(e, admin)
	refused(t, v, sessions.ReasonIdle)
	assert.True(t, v.RouteOnly)
	refused(t, b.ask(e, admin, passive), sessions.ReasonIdle)
	require.Equal(t, sessions.SignedIn, b.ask(e).Status, "the session lives elsewhere")
	require.Equal(t, sessions.SignedIn, b.ask(e, admin).Status)
	w.pass(10 * time.Minute)
	require.Equal(t, sessions.SignedIn, b.ask(e, young).Status)
	w.pass(5 * time.Minute)
	v = b.ask(e, young)
	refused(t, v, sessions.ReasonAbsolute)
	assert.True(t, v.RouteOnly)
	require.Equal(t, sessions.SignedIn, b.ask(e).Status)
}

// TestFlush_isARevalidation: even a node that is not told of a change drops its copy when it flushes.
func TestFlush_isARevalidation(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[1])
	w.pass(time.Second)
	b.visit(w.nodes[1])
	require.Equal(t, 1, w.nodes[1].node.Held())
	_, err := w.nodes[0].Logout(t.Context(), b.request())
	require.NoError(t, err)
	w.pass(flush)
	assert.Zero(t, w.nodes[1].node.Held())
	refused(t, b.visit(w.nodes[1]), sessions.ReasonRevoked)
}

func TestFlush_keepsWhatTheStoreDidNotTake(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.pass(flush - time.Second)
	signedIn(t, b.visit(e), sessions.SourceCache)
	e.link.Cut()
	w.pass(2 * flush)
	e.link.Mend()
	require.NoError(t, e.node.Flush(t.Context()))
	// Told only now, but as of then.
	w.pass(idle - 2*flush - time.Millisecond)
	b.ticket = ""
	require.Equal(t, sessions.SignedIn, w.addNode(0).Check(t.Context(), b.request(passive)).Status)
	w.pass(time.Second)
	refused(t, w.addNode(0).Check(t.Context(), b.request(passive)), sessions.ReasonIdle)
}

// TestRun_flushes lets the real loop do it.
func TestRun_flushes(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.pass(30 * time.Second)
	b.visit(e) // dirty
	calls := e.link.Calls()
	var wg sync.WaitGroup
	ctx, cancel := newContext(t)
	wg.Go(func() { e.node.Run(ctx) })
	require.NoError(t, e.node.LinkUp(t.Context()))
	require.Eventually(t, func() bool { return e.link.Calls() > calls }, 30*time.Second, time.Millisecond)
	cancel()
	wg.Wait()
}

func TestCheck_parallelRequestsAskOnce(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	w.pass(2 * flush)
	calls := e.link.Calls()
	slow := &waitingStore{Store: w.local, entered: make(chan struct{}, 64), release: make(chan struct{})}
	e.link.Store = slow
	var wg sync.WaitGroup
	verdicts := make([]sessions.Verdict, 30)
	for i := range verdicts {
		wg.Go(func() { verdicts[i] = b.ask(e) })
	}
	<-slow.entered
	require.Eventually(t, func() bool { return e.link.Calls() > calls }, 30*time.Second, time.Millisecond)
	time.Sleep(50 * time.Millisecond) // lets the others arrive; more would only lower the count
	close(slow.release)
	wg.Wait()
	for _, v := range verdicts {
		require.Equal(t, sessions.SignedIn, v.Status)
	}
	assert.Less(t, e.link.Calls()-calls, int64(15))
}

func TestNode_isBounded(t *testing.T) {
	w := newWorld(t, 0)
	link := &counting{Store: w.local}
	node := sessions.NewNode(sessions.NodeConfig{Store: link, MaxCopies: 64, Now: w.clock.Now})
	m, err := sessions.New(sessions.Config{Node: node, Keys: w.keys, Issuers: issuers})
	require.NoError(t, err)
	e := &edge{Manager: m}
	for range 500 {
		b := w.login(e)
		b.visit(e)
		w.clock.Advance(time.Millisecond)
		b.visit(e) // dirty, and soon pushed out
	}
	assert.LessOrEqual(t, node.Held(), 64)
	assert.Greater(t, node.Held(), 32)
	w.clock.Advance(flush)
	require.NoError(t, node.FlushDue(t.Context()))
	assert.Equal(t, 500, link.touched, "what was pushed out is flushed all the same")
}

// TestCheck_tellsTheStoreItsOwnActivity: what the store has missed counts before it is flushed.
func TestCheck_tellsTheStoreItsOwnActivity(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := w.login(e)
	b.visit(e)
	e.link.Cut()
	w.clock.Advance(9 * time.Minute)
	signedIn(t, b.visit(e), sessions.SourceCopy)
	e.link.Mend() // and nobody has noticed yet
	b.ticket = ""
	w.clock.Advance(9 * time.Minute)
	v := b.visit(e)
	signedIn(t, v, sessions.SourceStore)
	assert.False(t, v.Settling)
}

// TestCookies_ofAPassiveRequestProlongNothing: a rotation and its ticket, too, when only polling is left.
func TestCookies_ofAPassiveRequestProlongNothing(t *testing.T) {
	w := newWorld(t, 2)
	b := due(t, w)
	w.pass(10 * time.Minute)
	generation := int64(0)
	for range 4 {
		w.pass(time.Minute)
		v := b.visit(w.nodes[1], passive, outage(sessions.StrictAlways))
		require.Equal(t, sessions.SignedIn, v.Status)
		generation = v.Session.Generation
	}
	require.Equal(t, int64(2), generation)
	w.pass(time.Minute)
	refused(t, b.visit(w.nodes[0], passive), sessions.ReasonIdle)
}

// TestCookies_ofASlowResponseProlongNothing: the activity is the request's, not its response's.
func TestCookies_ofASlowResponseProlongNothing(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := due(t, w)
	v := b.ask(e)
	w.pass(14 * time.Minute)
	cookies, result := e.Cookies(t.Context(), &v)
	require.Equal(t, sessions.RotationWon, result)
	b.take(cookies)
	w.pass(time.Minute)
	refused(t, b.visit(e), sessions.ReasonIdle)
}
