package session

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func TestServeHTTP_answersBySortOfRequest(t *testing.T) {
	f := open(t, "")
	navigation := []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}
	for name, tc := range map[string]struct {
		method  string
		headers []string
		status  int
		kind    string // page, problem, redirect
	}{
		"page":                        {http.MethodGet, navigation, 302, "redirect"},
		"page, HEAD":                  {http.MethodHead, navigation, 302, "redirect"},
		"page of an old browser":      {http.MethodGet, []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}, 302, "redirect"},
		"page with html refused":      {http.MethodGet, []string{"Accept", "text/html;q=0, application/json"}, 401, "problem"},
		"program":                     {http.MethodGet, []string{"Accept", "*/*"}, 401, "problem"},
		"program that says nothing":   {http.MethodGet, nil, 401, "problem"},
		"fetch":                       {http.MethodGet, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/html"}, 401, "problem"},
		"XMLHttpRequest, old browser": {http.MethodGet, []string{"X-Requested-With", "XMLHttpRequest", "Accept", "text/html"}, 401, "problem"},
		"frame":                       {http.MethodGet, []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"}, 401, "problem"},
		"picture":                     {http.MethodGet, []string{"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, 401, "problem"},
		"stream":                      {http.MethodGet, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Accept", "text/event-stream"}, 401, "problem"},
		"WebSocket":                   {http.MethodGet, []string{"Connection", "keep-alive, Upgrade", "Upgrade", "websocket", "Sec-Websocket-Key", "x", "Accept", "text/html"}, 401, "problem"},
		"prefetch":                    {http.MethodGet, append([]string{"Sec-Purpose", "prefetch;prerender"}, navigation...), 401, "problem"},
		"prefetch, as once":           {http.MethodGet, []string{"Purpose", "prefetch", "Accept", "text/html"}, 401, "problem"},
		"form":                        {http.MethodPost, append([]string{"Sec-Fetch-Site", "same-origin"}, navigation...), 401, "page"},
		"DELETE by a script":          {http.MethodDelete, []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-origin"}, 401, "problem"},
		"POST of a program":           {http.MethodPost, []string{"Accept", "application/json"}, 401, "problem"},
	} {
		t.Run(name, func(t *testing.T) {
			w := f.do(request(tc.method, "/orders?page=2", tc.headers...))
			assert.Equal(t, tc.status, w.Code, w.Body.String())
			assert.Nil(t, f.got, "it reached the app")
			assert.Empty(t, w.Header()["Set-Cookie"], "cookies are for logins")
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			switch tc.kind {
			case "redirect":
				assert.Equal(t, "/_auth/login?return_to=%2Forders%3Fpage%3D2", w.Header().Get("Location"))
			case "problem":
				p := problemOf(t, w)
				assert.Equal(t, "none", p.Reason)
				assert.Equal(t, "/_auth/login", p.Login)
				assert.NotEmpty(t, p.RequestID)
				assert.Equal(t, `Session reason="none"`, w.Header().Get("WWW-Authenticate"))
			case "page":
				assert.Contains(t, w.Body.String(), "Nothing was sent")
				assert.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
			}
		})
	}
}

func TestServeHTTP_leadsScriptsBackToTheirPage(t *testing.T) {
	f := open(t, "")
	for referer, want := range map[string]string{
		site + "/orders?page=2":    "/_auth/login?return_to=%2Forders%3Fpage%3D2",
		"https://evil.test/orders": "/_auth/login",
		site + "/_auth/logout":     "/_auth/login",
		"http://app.test/orders":   "/_auth/login",
		"https://app.test@evil/a":  "/_auth/login",
		site + "//evil.test":       "/_auth/login",
	} {
		p := problemOf(t, f.do(request(http.MethodGet, "/api", append([]string{"Referer", referer}, script...)...)))
		assert.Equal(t, want, p.Login, referer)
	}
}

func TestServeHTTP_saysWhyThereIsNoSession(t *testing.T) {
	f := open(t, "absolute 1h")
	b := f.browser()
	b.signIn("mia")
	require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/api").Code)
	before := b.cookies[defaultCookie]

	f.clock.advance(16 * time.Minute)
	w := b.call(http.MethodGet, "/api")
	require.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "idle", problemOf(t, w).Reason)
	assert.Empty(t, w.Header()["Set-Cookie"], "cookies are deleted by logout alone")
	assert.Equal(t, http.StatusFound, b.navigate("/").Code)

	b.signIn("mia")
	assert.NotEqual(t, before, b.cookies[defaultCookie])
	for range 6 {
		f.clock.advance(9 * time.Minute)
		require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/api").Code)
	}
	f.clock.advance(7 * time.Minute)
	w = b.call(http.MethodGet, "/api")
	require.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "absolute", problemOf(t, w).Reason)
}

func TestServeHTTP_leavesAnswersToHandleErrors(t *testing.T) {
	f := open(t, "errors handle")
	w := f.do(request(http.MethodGet, "/api", script...))
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Empty(t, w.Body.String())
	r := request(http.MethodGet, "/api", script...)
	err := f.ServeHTTP(w, r, caddyhttp.HandlerFunc(nil))
	require.Error(t, err)
	v, _ := replacer(r).GetString("http.session.reason")
	assert.Equal(t, "none", v)
	assert.Equal(t, http.StatusFound, f.do(request(http.MethodGet, "/", pageHeaders...)).Code, "pages are sent to the login all the same")
}

func TestServeHTTP_passesWhoIsSignedIn(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	require.Equal(t, "/", b.signIn("adam"))
	w := b.call(http.MethodGet, "/api", "Cookie", "theme=dark")
	require.Equal(t, "passed", w.Body.String())
	assert.Equal(t, []string{"theme=dark"}, f.got.Header["Cookie"], "our cookies stay here")
	for name, want := range map[string]string{
		"http.auth.user.id": "dev:adam", "http.auth.user.sub": "adam", "http.auth.user.iss": f.op.Issuer(),
		"http.auth.user.provider": "dev", "http.auth.user.email": "adam@example.test", "http.auth.user.name": "Adam Adeyemi",
		"http.auth.user.groups": "staff,admins", "http.session.reason": "", "http.auth.user.email_verified": "true",
	} {
		assert.Equal(t, want, f.value(name), name)
	}
	assert.Regexp(t, `^[0-9a-f]{24}$`, f.value("http.auth.user.session"))
	assert.NotContains(t, f.value("http.auth.user.session"), b.cookies[defaultCookie][2:24])
	assert.Contains(t, []string{"redis", "cache"}, f.value("http.session.source"))
}

func TestServeHTTP_keepsAnUnverifiedEmailOut(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("nora")
	b.call(http.MethodGet, "/api")
	assert.Empty(t, f.value("http.auth.user.email"))
	assert.Empty(t, f.value("http.auth.user.email_verified"))
	assert.Equal(t, "dev:nora", f.value("http.auth.user.id"))
}

func TestServeHTTP_hasNobodyShineThrough(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("viktor")
	r := b.with(request(http.MethodGet, "/api", script...))
	replacer(r).Set("http.auth.user.id", "root") // an earlier handler's, such as basic_auth
	replacer(r).Set("http.auth.user.email", "root@example.test")
	f.do(r)
	assert.Equal(t, "dev:viktor", f.value("http.auth.user.id"))
	assert.Equal(t, "viktor@example.test", f.value("http.auth.user.email"))
}

func TestOwn_tellsOfTheSessionWithoutProlongingIt(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	w := b.call(http.MethodGet, "/_auth/session")
	require.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "none", problemOf(t, w).Reason)
	assert.Equal(t, http.StatusUnauthorized, b.navigate("/_auth/session").Code, "whoever asks is told, and not sent away")

	b.signIn("adam")
	for range 5 {
		f.clock.advance(4 * time.Minute)
		w = b.call(http.MethodGet, "/_auth/session")
		if w.Code != http.StatusOK {
			break
		}
		assert.JSONEq(t, `"dev:adam"`, field(t, w, "user"))
		assert.JSONEq(t, `["staff","admins"]`, field(t, w, "groups"))
	}
	assert.Equal(t, http.StatusUnauthorized, w.Code, "looking is no activity")
	assert.Equal(t, "idle", problemOf(t, w).Reason)
}

func TestOutage_keepsPeopleSignedIn(t *testing.T) {
	f := open(t, "rule /strict/* {\non_outage strict\n}\nrule /safe/* {\non_outage safe-only\n}\npublic /health")
	b := f.browser()
	b.signIn("mia")
	f.store.set(true)
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/api").Code)
	assert.Contains(t, []string{"copy", "ticket"}, f.value("http.session.source"))
	assert.Equal(t, http.StatusOK, b.call(http.MethodPost, "/api").Code)
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/safe/x").Code)
	for target, method := range map[string]string{"/strict/x": http.MethodGet, "/safe/x": http.MethodPost} {
		w := b.call(method, target)
		assert.Equal(t, http.StatusServiceUnavailable, w.Code, target)
		assert.Equal(t, "5", w.Header().Get("Retry-After"))
		assert.Equal(t, "unavailable", problemOf(t, w).Reason)
		assert.Empty(t, w.Header()["Set-Cookie"])
	}
	w := b.navigate("/strict/x")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Contains(t, w.Body.String(), "You are not signed out")

	stranger := f.browser()
	stranger.cookies[defaultCookie] = strange(t)
	assert.Equal(t, http.StatusServiceUnavailable, stranger.call(http.MethodGet, "/api").Code, "it cannot be known, so it is not denied")
	assert.Equal(t, http.StatusOK, stranger.call(http.MethodGet, "/health").Code, "a public path needs no store")
	assert.Equal(t, http.StatusUnauthorized, f.browser().call(http.MethodGet, "/api").Code, "without a cookie there is nothing to ask")
	w = f.browser().navigate("/_auth/login")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code, "nobody signs in")
	assert.Empty(t, w.Header()["Set-Cookie"])

	f.clock.advance(11 * time.Minute)
	assert.Equal(t, http.StatusServiceUnavailable, b.call(http.MethodGet, "/api").Code, "longer than ride_through")
	f.store.set(false)
	require.NoError(t, f.sharedState.node.LinkUp(t.Context()))
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/api").Code)
}
