package session

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// site2 is a second site on the same Redis.
func (f *fixture) site2(t *testing.T, provider string) *fixture {
	t.Helper()
	second := *f
	second.Handler = provision(t, "session {\n"+provider+"\npublic /health\n}")
	second.now = f.clock.Now
	for _, p := range second.providers {
		require.Eventually(t, func() bool { return p.Status().Ready }, 20*time.Second, 5*time.Millisecond)
	}
	return &second
}

// Two sites of one Caddyfile had one provider and two clients. A user whom the second site did not admit
// copied the cookie of the first site, and got in.
func TestSession_countsOnlyAtTheSiteThatMadeIt(t *testing.T) {
	for _, c := range []struct {
		name, provider, url string
	}{
		{"another client", strings.Replace("provider dev {\nissuer ISSUER\nclient_id app\nclient_secret hush\n}", "client_id app", "client_id shop", 1), "/"},
		{"another provider", "provider other {\nissuer ISSUER\nclient_id app\nclient_secret hush\n}", "/"},
		{"another host", "provider dev {\nissuer ISSUER\nclient_id app\nclient_secret hush\n}", "https://shop.test/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, "")
			second := f.site2(t, strings.Replace(c.provider, "ISSUER", f.op.Issuer(), 1))
			b := f.browser()
			b.signIn("adam")
			require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)

			thief := second.browser()
			thief.cookies = b.cookies
			refusedAt := func(state string) {
				w := thief.call(http.MethodGet, c.url)
				require.Equal(t, http.StatusUnauthorized, w.Code, state)
				assert.Equal(t, "none", problemOf(t, w).Reason, state)
				assert.Empty(t, w.Result().Cookies(), state)
				require.Equal(t, http.StatusUnauthorized, thief.call(http.MethodGet, strings.TrimSuffix(c.url, "/")+"/_auth/session").Code, state)
				require.Equal(t, http.StatusOK, thief.call(http.MethodGet, strings.TrimSuffix(c.url, "/")+"/health").Code, state)
				assert.Empty(t, second.value("http.auth.user.id"), state)
			}
			refusedAt("from the cached session")
			f.sharedState.node.Forget(selectorOf(t, b.cookies[defaultCookie]))
			refusedAt("from the store")
			require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code, "the session goes on where it was made")
			f.store.set(true)
			w := thief.call(http.MethodGet, c.url)
			assert.NotEqual(t, http.StatusOK, w.Code, "riding on the cached session")
			f.sharedState.node.Forget(selectorOf(t, b.cookies[defaultCookie]))
			w = thief.call(http.MethodGet, c.url)
			assert.NotEqual(t, http.StatusOK, w.Code, "riding on the ticket")
			require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code, "where it was made the session rides on its ticket")
		})
	}
}

func selectorOf(t *testing.T, cookie string) sessions.Selector {
	t.Helper()
	c, ok := sessions.ParseCookie(cookie)
	require.True(t, ok)
	return c.Selector
}

// A port is no other host: cookies ignore ports.
func TestSession_countsAtAnotherPort(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("adam")
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "https://app.test:8443/").Code)
}

// allow was checked at the callback alone: a reload that tightened it let everybody go on who was signed in.
func TestAllow_isCheckedOnEveryRequest(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("mia")
	require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)

	tight := f.site2(t, f.provider("dev", "allow groups admins"))
	refused := tight.browser()
	refused.cookies = b.cookies
	w := refused.call(http.MethodGet, "/")
	require.Equal(t, http.StatusForbidden, w.Code)
	assert.Equal(t, "not_allowed", problemOf(t, w).Reason)
	assert.Empty(t, w.Result().Cookies())
	assert.Equal(t, http.StatusForbidden, refused.call(http.MethodGet, "/_auth/session").Code)
	page := refused.navigate("/orders")
	require.Equal(t, http.StatusForbidden, page.Code)
	assert.Contains(t, page.Body.String(), "Sign in as somebody else")
	assert.Contains(t, page.Body.String(), "/_auth/login?return_to=%2Forders&amp;prompt=login")
	require.Equal(t, http.StatusOK, refused.call(http.MethodGet, "/health").Code)
	assert.Empty(t, tight.value("http.auth.user.id"), "the app must not see a user who is not admitted")

	// Somebody else signs in by the page's button, and goes on at the page.
	assert.Contains(t, refused.begin("/_auth/login?return_to=%2Forders&prompt=login"), "prompt=login")
	w = refused.navigate(refused.atProvider(refused.begin("/_auth/login?return_to=%2Forders&prompt=login"), "adam"))
	assert.Equal(t, "/orders", w.Header().Get("Location"))
	assert.Equal(t, http.StatusOK, refused.call(http.MethodGet, "/orders").Code)
}

// A claim of allow need not be among the claims that are published.
func TestAllow_storesTheClaimsThatItNeeds(t *testing.T) {
	f := open(t, "")
	second := f.site2(t, f.provider("dev", "claims name\nallow groups admins\nallow email adam@example.test"))
	b := second.browser()
	b.signIn("adam")
	require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	assert.Empty(t, second.value("http.auth.user.groups"))
	assert.Empty(t, second.value("http.auth.user.email"))
	assert.Equal(t, "dev:adam", second.value("http.auth.user.id"))
	f.store.set(true)
	f.sharedState.node.Forget(selectorOf(t, b.cookies[defaultCookie]))
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code, "the ticket carries them too")
}

// A ticket has no room for all groups of some users. Without the store the handler cannot know that allow admits them,
// so it neither forwards the request nor signs the user out.
func TestAllow_failsClosedOnATicketThatWasCut(t *testing.T) {
	f := open(t, "")
	second := f.site2(t, f.provider("dev", "allow groups last"))
	b := second.browser()
	b.signIn("gina")
	require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	f.store.set(true)
	f.sharedState.node.Forget(selectorOf(t, b.cookies[defaultCookie]))
	for _, target := range []string{"/", "/_auth/session"} {
		w := b.call(http.MethodGet, target)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, target)
		assert.Equal(t, "unavailable", problemOf(t, w).Reason, target)
		assert.Empty(t, w.Result().Cookies(), target)
	}
	require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/health").Code)
	assert.Empty(t, second.value("http.auth.user.id"))
}

// A callback without its login ignores a session of another site: it must not lead to a page as if the user were
// signed in.
func TestCallback_withoutItsFlowIgnoresASessionOfAnotherSite(t *testing.T) {
	f := open(t, "")
	second := f.site2(t, strings.Replace(f.provider("dev", ""), "client_id app", "client_id shop", 1))
	b := f.browser()
	b.signIn("adam")
	require.Equal(t, http.StatusFound, b.navigate("/_auth/callback/dev?code=x&state=x").Code, "at its own site")
	other := second.browser()
	other.cookies = b.cookies
	assert.Equal(t, http.StatusBadRequest, other.navigate("/_auth/callback/dev?code=x&state=x").Code)
}

// A provider's name may lead to another issuer after a reload. Its sessions belong to the issuer.
func TestSession_isOfTheIssuer(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("adam")
	other, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{Clients: []idp.Client{{ID: "app", Secret: "hush"}}}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	moved := f.site2(t, strings.Replace(f.provider("dev", ""), f.op.Issuer(), other.Issuer(), 1))
	later := moved.browser()
	later.cookies = b.cookies
	assert.Equal(t, http.StatusUnauthorized, later.call(http.MethodGet, "/").Code)
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
}

// A sibling domain can plant a second cookie of a login's name. Neither of the two is taken.
func TestCallback_takesNoneOfTwoFlowCookies(t *testing.T) {
	f := open(t, "")
	b, attacker := f.browser(), f.browser()
	back := b.atProvider(b.begin("/_auth/login"), "mia")
	planted := attacker.begin("/_auth/login")
	require.NotEmpty(t, planted)
	for name, value := range attacker.cookies {
		for own := range b.cookies {
			r := request(http.MethodGet, back, pageHeaders...)
			r.Header.Add("Cookie", own+"="+value)
			r.Header.Add("Cookie", own+"="+b.cookies[own])
			w := f.do(r)
			assert.Equal(t, http.StatusBadRequest, w.Code, name)
			assert.NotContains(t, strings.Join(w.Header()["Set-Cookie"], "\n"), defaultCookie+"=")
			r = request(http.MethodGet, back, pageHeaders...)
			r.Header.Add("Cookie", own+"="+b.cookies[own])
			r.Header.Add("Cookie", own+"="+value)
			assert.Equal(t, http.StatusBadRequest, f.do(r).Code, "in the other order")
		}
	}
}
