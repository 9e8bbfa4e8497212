package sessions_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// due brings a signed-in browser to where the next response rotates.
func due(t testing.TB, w *world) *browser {
	t.Helper()
	b := w.login(w.nodes[0])
	for range 6 {
		w.pass(10 * time.Minute)
		require.Equal(t, sessions.SignedIn, b.ask(w.nodes[0]).Status)
	}
	return b
}

func TestCookies_rotateWhenDue(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	w.pass(10 * time.Minute)
	v := b.ask(w.nodes[0])
	_, result := w.nodes[0].Cookies(t.Context(), &v)
	require.Equal(t, sessions.NotTried, result)
	b = due(t, w)
	old := b.cookie
	v = b.ask(w.nodes[0])
	cookies, result := w.nodes[0].Cookies(t.Context(), &v)
	require.Equal(t, sessions.RotationWon, result)
	require.NotEmpty(t, cookies.Session)
	require.NotEmpty(t, cookies.Ticket)
	require.NotEqual(t, old, cookies.Session)
	b.take(cookies)
	v = b.visit(w.nodes[1])
	signedIn(t, v, sessions.SourceStore)
	assert.True(t, v.FirstUse())
	assert.Equal(t, int64(2), v.Session.Generation)
	signedIn(t, b.visit(w.nodes[1]), sessions.SourceCache)
	signedIn(t, b.visit(w.nodes[0]), sessions.SourceStore)
}

// TestCookies_lostResponseIsMadeGood: the old verifier stays good for as long as it takes, and brings
// the same successor with every response.
func TestCookies_lostResponseIsMadeGood(t *testing.T) {
	w := newWorld(t, 2)
	b := due(t, w)
	v := b.ask(w.nodes[0])
	lost, result := w.nodes[0].Cookies(t.Context(), &v)
	require.Equal(t, sessions.RotationWon, result)
	for range 10 {
		w.pass(14 * time.Minute)
		v = b.ask(w.nodes[1])
		signedIn(t, v, sessions.SourceStore)
		assert.True(t, v.Reissued())
		again, _ := w.nodes[1].Cookies(t.Context(), &v)
		require.Equal(t, lost.Session, again.Session)
	}
	b.take(lost)
	require.True(t, b.visit(w.nodes[0]).FirstUse())
}

func TestCookies_aThiefGetsAMinuteAndNoSuccessor(t *testing.T) {
	for _, revoke := range []bool{false, true} {
		w := newWorld(t, 2, func(c *sessions.Config) { c.RevokeReuse = revoke })
		b := due(t, w)
		thief := *b
		b.visit(w.nodes[0]) // rotates
		b.visit(w.nodes[0]) // first use
		w.pass(sessions.GracePeriod - time.Second)
		before := thief
		signedIn(t, thief.visit(w.nodes[1]), sessions.SourceStore)
		require.Equal(t, before, thief, "the thief was given cookies")
		w.pass(time.Second)
		b.visit(w.nodes[1], func(r *sessions.Request) { r.Addr = "198.51.100.7" })
		v := thief.visit(w.nodes[1])
		refused(t, v, sessions.ReasonReuse)
		assert.Equal(t, "198.51.100.7", v.Owner)
		require.Equal(t, before, thief)
		if revoke {
			refused(t, b.visit(w.nodes[0]), sessions.ReasonReuse)
		} else {
			require.Equal(t, sessions.SignedIn, b.visit(w.nodes[0]).Status)
		}
	}
}

// TestCookies_ofASlowResponseAreDropped: cookies that were decided long before the headers could bring
// back a verifier whose successor is in use by then, and so sign its owner out.
func TestCookies_ofASlowResponseAreDropped(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := due(t, w)
	v := b.ask(e)
	_, result := e.Cookies(t.Context(), &v) // lost
	require.Equal(t, sessions.RotationWon, result)
	slow := b.ask(e)
	require.True(t, slow.Reissued())
	w.pass(31 * time.Second)
	cookies, _ := e.Cookies(t.Context(), &slow)
	assert.True(t, cookies.Empty())
	quick := b.ask(e)
	w.pass(29 * time.Second)
	cookies, _ = e.Cookies(t.Context(), &quick)
	assert.NotEmpty(t, cookies.Session)
}

func TestCookies_speculativeRequestsGetNone(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := due(t, w)
	b.ticket = ""
	v := b.ask(e, func(r *sessions.Request) { r.Speculative = true })
	require.Equal(t, sessions.SignedIn, v.Status)
	cookies, result := e.Cookies(t.Context(), &v)
	assert.True(t, cookies.Empty())
	assert.Equal(t, sessions.NotTried, result)
}

// TestCookies_rotationWithoutAnAnswer: the store may have rotated all the same.
func TestCookies_rotationWithoutAnAnswer(t *testing.T) {
	w := newWorld(t, 1)
	e := w.nodes[0]
	b := due(t, w)
	v := b.ask(e)
	e.link.Deafen()
	cookies, result := e.Cookies(t.Context(), &v)
	require.Equal(t, sessions.RotationFailed, result)
	require.True(t, cookies.Empty())
	e.link.Mend()
	v = b.visit(e)
	signedIn(t, v, sessions.SourceStore)
	require.True(t, v.Reissued())
	require.True(t, b.visit(e).FirstUse())

	// One that was not carried out is not tried with every request.
	b = due(t, w)
	e.link.Cut()
	v = b.ask(e)
	_, _ = e.Cookies(t.Context(), &v)
	e.link.Mend()
	require.Equal(t, sessions.SignedIn, b.visit(e).Status)
}

// TestCookies_underParallelRequests: a hundred requests at once on three nodes when a rotation is due,
// one response in twenty lost. One rotation, and nobody is signed out.
func TestCookies_underParallelRequests(t *testing.T) {
	for seed := range uint64(20) {
		w := newWorld(t, 3)
		b := due(t, w)
		random := rand.New(rand.NewPCG(seed, 0))
		lost := make([]bool, 100)
		for i := range lost {
			lost[i] = random.IntN(20) == 0
		}
		var mu sync.Mutex
		won, jar := 0, []sessions.Cookies(nil)
		var wg sync.WaitGroup
		for i := range lost {
			wg.Go(func() {
				e := w.nodes[i%3]
				v := e.Check(t.Context(), b.request())
				assert.Equal(t, sessions.SignedIn, v.Status)
				cookies, result := e.Cookies(t.Context(), &v)
				mu.Lock()
				defer mu.Unlock()
				if result == sessions.RotationWon {
					won++
				}
				if !lost[i] {
					jar = append(jar, cookies)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, won)
		for _, c := range jar { // in whatever order they came
			b.take(c)
		}
		for i := range 10 {
			require.Equal(t, sessions.SignedIn, b.visit(w.nodes[i%3]).Status)
		}
		w.pass(10 * time.Minute)
		require.Equal(t, sessions.SignedIn, b.visit(w.nodes[1]).Status)
	}
}

func TestCookies_rotationOff(t *testing.T) {
	w := newWorld(t, 1, func(c *sessions.Config) { c.Rotation = 0 })
	b := due(t, w)
	old := b.cookie
	for range 20 {
		w.pass(10 * time.Minute)
		b.visit(w.nodes[0])
	}
	assert.Equal(t, old, b.cookie)
}
