package sessions_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
)

func TestLogin_isNeverPreset(t *testing.T) {
	w := newWorld(t, 1)
	planted := sessions.Cookie{Selector: sessions.Selector{1}, Verifier: sessions.Verifier{2}}
	b := &browser{t: t, cookie: planted.Value()}
	b.signIn(w.nodes[0])
	fresh, ok := sessions.ParseCookie(b.cookie)
	require.True(t, ok)
	assert.NotEqual(t, planted.Selector, fresh.Selector)
	assert.NotEqual(t, planted.Verifier, fresh.Verifier)
	refused(t, w.nodes[0].Check(t.Context(), sessions.Request{Cookie: planted.Value()}), sessions.ReasonNone)
}

// TestLogin_throwsOutWhoeverHasTheOldCookie: with the current verifier, its predecessor, or one that was
// retired long ago.
func TestLogin_throwsOutWhoeverHasTheOldCookie(t *testing.T) {
	for name, age := range map[string]int{"current": 0, "predecessor": 1, "retired": 2} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 2)
			b := due(t, w)
			thief := *b
			if age > 0 {
				thief.visit(w.nodes[1]) // rotates, and the owner's response is lost
			}
			if age > 1 {
				thief.visit(w.nodes[1])
				w.pass(sessions.GracePeriod)
				thief.visit(w.nodes[1])
			}
			require.Equal(t, sessions.SignedIn, thief.ask(w.nodes[1]).Status)
			b.signIn(w.nodes[0])
			refused(t, thief.ask(w.nodes[1]), sessions.ReasonRevoked)
			refused(t, thief.ask(w.nodes[0]), sessions.ReasonRevoked)
			require.Equal(t, sessions.SignedIn, b.visit(w.nodes[1]).Status)
		})
	}
}

func TestLogin_failsWithTheStore(t *testing.T) {
	w := newWorld(t, 1)
	w.cut()
	_, cookies, err := w.nodes[0].Login(t.Context(), sessions.Request{Host: host}, sessionstest.Person())
	require.ErrorIs(t, err, sessions.ErrUnavailable)
	assert.True(t, cookies.Empty())
}

func TestLogin_limitsSessions(t *testing.T) {
	ctx := context.Background()
	limit := func(full sessions.OnMaxSessions) func(*sessions.Config) {
		return func(c *sessions.Config) { c.MaxSessions, c.OnMaxSessions = 2, full }
	}
	t.Run("oldest goes", func(t *testing.T) {
		w := newWorld(t, 2, limit(sessions.EndOldest))
		first := w.login(w.nodes[0])
		w.pass(time.Second)
		second := w.login(w.nodes[0])
		second.visit(w.nodes[1])
		first.visit(w.nodes[1])
		third := w.login(w.nodes[1])
		refused(t, first.visit(w.nodes[0]), sessions.ReasonRevoked)
		refused(t, first.visit(w.nodes[1]), sessions.ReasonRevoked)
		require.Equal(t, sessions.SignedIn, second.visit(w.nodes[0]).Status)
		require.Equal(t, sessions.SignedIn, third.visit(w.nodes[0]).Status)
	})
	t.Run("new is denied", func(t *testing.T) {
		w := newWorld(t, 1, limit(sessions.Deny))
		first, second := w.login(w.nodes[0]), w.login(w.nodes[0])
		_, _, err := w.nodes[0].Login(ctx, sessions.Request{Host: host}, sessionstest.Person())
		require.ErrorIs(t, err, sessions.ErrTooMany)
		require.Equal(t, sessions.SignedIn, first.visit(w.nodes[0]).Status)
		require.Equal(t, sessions.SignedIn, second.visit(w.nodes[0]).Status)
		other := sessionstest.Person()
		other.Subject = "u-2"
		_, _, err = w.nodes[0].Login(ctx, sessions.Request{Host: host}, other)
		require.NoError(t, err, "another user")
		// A new sign-in in the browser of one of them takes its place.
		first.signIn(w.nodes[0])
		// Those that are idle do not count, though nobody came to notice.
		w.pass(idle)
		for range 2 {
			w.login(w.nodes[0])
		}
	})
}

func TestLogout_endsTheSessionOnAllNodes(t *testing.T) {
	w := newWorld(t, 2)
	b := w.login(w.nodes[0])
	b.visit(w.nodes[0])
	b.visit(w.nodes[1])
	w.pass(time.Second)
	b.visit(w.nodes[1]) // its activity is still to be flushed
	who, err := w.nodes[0].Logout(t.Context(), b.request())
	require.NoError(t, err)
	require.Equal(t, "sid-1", who.ProviderSession)
	refused(t, b.visit(w.nodes[0]), sessions.ReasonRevoked)
	w.pass(2 * flush) // a late touch does not revive it
	refused(t, b.visit(w.nodes[1]), sessions.ReasonRevoked)
	for _, cookie := range []string{"", "nonsense", b.cookie} {
		who, err = w.nodes[0].Logout(t.Context(), sessions.Request{Cookie: cookie})
		require.NoError(t, err)
		require.Nil(t, who)
	}
}

func TestRevokeUser_reachesEverySession(t *testing.T) {
	w := newWorld(t, 2)
	b, c := w.login(w.nodes[0]), w.login(w.nodes[1])
	b.visit(w.nodes[0])
	c.visit(w.nodes[1])
	_, err := w.local.RevokeUser(t.Context(), sessions.UserOf(sessionstest.Person().Issuer, "u-1"), lifetime)
	require.NoError(t, err)
	refused(t, b.visit(w.nodes[0]), sessions.ReasonRevoked)
	refused(t, c.visit(w.nodes[0]), sessions.ReasonRevoked)
	refused(t, c.visit(w.nodes[1], outage(sessions.StrictAlways)), sessions.ReasonRevoked)
	// One that begins in the same millisecond is of before.
	refused(t, w.login(w.nodes[0]).visit(w.nodes[0]), sessions.ReasonRevoked)
	w.pass(time.Millisecond)
	require.Equal(t, sessions.SignedIn, w.login(w.nodes[0]).visit(w.nodes[0]).Status)
}

func TestCheck_malformedCookiesAreNone(t *testing.T) {
	w := newWorld(t, 1)
	good := w.login(w.nodes[0]).cookie
	before := w.nodes[0].link.Calls()
	for _, value := range []string{
		"", "1", "1..", good[1:], good + "A", good + "\x00", good[:len(good)-1], "2" + good[1:], good[:10] + "\x00" + good[11:],
		good[:10] + "\n" + good[11:], good[:24] + "," + good[25:], good[:len(good)-1] + "_", "1." + good,
	} {
		refused(t, w.nodes[0].Check(t.Context(), sessions.Request{Cookie: value, Host: host}), sessions.ReasonNone)
	}
	assert.Equal(t, before, w.nodes[0].link.Calls(), "nothing of it reaches the store")
}

func TestNew_refusesSettings(t *testing.T) {
	w := newWorld(t, 1)
	base := sessions.Config{Node: w.nodes[0].node, Keys: w.keys}
	for _, c := range []struct {
		change func(*sessions.Config)
		want   string
	}{
		{func(c *sessions.Config) { c.Keys = nil }, "required"},
		{func(c *sessions.Config) { c.Idle = time.Second }, "idle"},
		{func(c *sessions.Config) { c.ShortestIdle = time.Hour }, "shorter"},
		{func(c *sessions.Config) { c.Lifetime = time.Minute }, "absolute"},
		{func(c *sessions.Config) { c.Rotation = time.Millisecond }, "rotation"},
		{func(c *sessions.Config) { c.RideThrough = 61 * time.Minute }, "ride_through"},
		{func(c *sessions.Config) { c.MaxSessions = -1 }, "max_sessions"},
	} {
		config := base
		c.change(&config)
		_, err := sessions.New(config)
		require.ErrorContains(t, err, c.want)
	}
	_, err := sessions.New(base)
	require.NoError(t, err)
}

// TestLogin_limitsSessionsThatStartTogether: whoever signs in at the same moment.
func TestLogin_limitsSessionsThatStartTogether(t *testing.T) {
	for name, full := range map[string]sessions.OnMaxSessions{"oldest goes": sessions.EndOldest, "new is denied": sessions.Deny} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, func(c *sessions.Config) { c.MaxSessions, c.OnMaxSessions = 3, full })
			var wg sync.WaitGroup
			jars := make([]browser, 12)
			for i := range jars {
				wg.Go(func() {
					_, cookies, err := w.nodes[i%3].Login(t.Context(), sessions.Request{Host: host}, sessionstest.Person())
					if err == nil {
						jars[i] = browser{t: t, cookie: cookies.Session, ticket: cookies.Ticket}
					}
				})
			}
			wg.Wait()
			alive := 0
			for i := range jars {
				if jars[i].cookie != "" && jars[i].ask(w.nodes[0]).Status == sessions.SignedIn {
					alive++
				}
			}
			assert.LessOrEqual(t, alive, 3)
			assert.Positive(t, alive)
		})
	}
}
