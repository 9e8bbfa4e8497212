package session

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

func TestCSRF(t *testing.T) {
	f := open(t, "trusted_origins https://admin.test\npublic /open\nrule /hook {\ncsrf off\n}")
	b := f.browser()
	b.signIn("mia")
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Key", "x"}
	for name, tc := range map[string]struct {
		method, target string
		headers        []string
		status         int
	}{
		"same origin":                   {http.MethodPost, "/", []string{"Sec-Fetch-Site", "same-origin", "Origin", site}, 200},
		"by hand":                       {http.MethodPost, "/", []string{"Sec-Fetch-Site", "none"}, 200},
		"a program":                     {http.MethodPost, "/", nil, 200},
		"cross-site":                    {http.MethodPost, "/", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, 403},
		"same site":                     {http.MethodPost, "/", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://x.app.test"}, 403},
		"cross-site PUT":                {http.MethodPut, "/", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"another origin, old browser":   {http.MethodPost, "/", []string{"Origin", "https://evil.test"}, 403},
		"no origin to speak of":         {http.MethodPost, "/", []string{"Origin", "null"}, 403},
		"own origin, old browser":       {http.MethodPost, "/", []string{"Origin", site}, 200},
		"trusted":                       {http.MethodPost, "/", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://admin.test"}, 200},
		"public":                        {http.MethodPost, "/open", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"webhook":                       {http.MethodPost, "/hook", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, 200},
		"reading":                       {http.MethodGet, "/", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"WebSocket":                     {http.MethodGet, "/", append([]string{"Origin", site}, upgrade...), 200},
		"WebSocket of a program":        {http.MethodGet, "/", upgrade, 200},
		"WebSocket without an origin":   {http.MethodGet, "/", append([]string{"Sec-Fetch-Site", "cross-site"}, upgrade...), 403},
		"WebSocket of another site":     {http.MethodGet, "/", append([]string{"Origin", "https://evil.test"}, upgrade...), 403},
		"WebSocket of another scheme":   {http.MethodGet, "/", append([]string{"Origin", "http://app.test"}, upgrade...), 403},
		"WebSocket of no origin":        {http.MethodGet, "/", append([]string{"Origin", "null"}, upgrade...), 403},
		"WebSocket of a trusted origin": {http.MethodGet, "/", append([]string{"Origin", "https://admin.test"}, upgrade...), 200},
		"WebSocket over HTTP/2":         {http.MethodConnect, "/", []string{"Origin", "https://evil.test", ":protocol", "websocket"}, 403},
	} {
		r := request(tc.method, tc.target, tc.headers...)
		w := b.send(r)
		assert.Equal(t, tc.status, w.Code, name)
		assert.Equal(t, tc.status == 200, f.got != nil, name)
	}
}

func TestRules_requireAndShorten(t *testing.T) {
	f := open(t, "rule @admin {\nrequire groups admins\n}\nrule /admin/owner/* {\nrequire groups owners staff-of-old\n}\nrule /short/* {\nidle 5m\nabsolute 20m\n}")
	b, admin := f.browser(), f.browser()
	b.signIn("mia")
	admin.signIn("adam")
	assert.Equal(t, http.StatusForbidden, b.call(http.MethodGet, "/admin/x").Code)
	assert.Equal(t, http.StatusForbidden, b.call(http.MethodGet, "/ADMIN/x").Code, "a rule holds however the path is written")
	assert.Equal(t, http.StatusForbidden, b.call(http.MethodGet, "/x/..//admin/x").Code)
	w := b.navigate("/admin/x")
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.Contains(t, w.Body.String(), "You are signed in, but")
	assert.Equal(t, http.StatusOK, admin.call(http.MethodGet, "/admin/x").Code)
	assert.Equal(t, http.StatusForbidden, admin.call(http.MethodGet, "/admin/owner/x").Code, "all rules that match hold")

	f.clock.advance(6 * time.Minute)
	w = b.call(http.MethodGet, "/short/x")
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "idle", problemOf(t, w).Reason)
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code, "it lives elsewhere")
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/short/x").Code)
	for range 4 {
		f.clock.advance(4 * time.Minute)
		b.call(http.MethodGet, "/")
	}
	assert.Equal(t, "absolute", problemOf(t, b.call(http.MethodGet, "/short/x")).Reason)
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
}

// What an app may take for /admin is refused to who may not go there.
func TestRules_holdForWhatAnAppMayRead(t *testing.T) {
	f := open(t, "rule @admin {\nrequire groups admins\n}\nrule /only {\nrequire groups admins\n}")
	b := f.browser()
	b.signIn("mia")
	as := func(target string) int { return b.send(raw(t, target)).Code }
	for _, target := range []string{
		"/admin/x", "/admin;a=b/x", "/admin;/x", "/;x/../admin/x", "/admin%3bx/y", "/x/..;/admin/x", `/admin\x`, "/admin%5cx", "/x%5c..%5cadmin%5cx",
		"/admin%252fx", "/%2561dmin/x", "/x/%252e%252e/admin/x", "/admin;%252f..%252fx/y", "/admin%2fx", "/%2e/admin/x", "//admin/x",
		"/only;x", "/only;jsessionid=1", "/x/..;x/only",
	} {
		assert.Equal(t, http.StatusForbidden, as(target), target)
		assert.Nil(t, f.got, target)
	}
	for _, target := range []string{"/", "/x;admin/y", "/administrators", "/x%252fadmin", "/a%2fb;c"} {
		assert.Equal(t, http.StatusOK, as(target), target)
	}
}

// A door is open for what is written on it and nothing else.
func TestRules_openDoorsExactly(t *testing.T) {
	f := open(t, "on_outage strict\nrule /hook/* {\ncsrf off\non_outage ride\n}")
	for target, opens := range map[string]bool{
		"/hook/x": true, "/hook/a%20b": true,
		"/hook/..;/admin": false, "/hook/x;y": false, "/hook/%252e%252e/admin": false, "/hook/..%5cadmin": false, "/hook/a%2fb": false, "/HOOK/x": false, "/x/../hook/y": false,
	} {
		got, err := f.policyOf(raw(t, target))
		require.NoError(t, err)
		want := policy{outage: sessions.Strict, navigate: navigateAuto, csrf: true}
		if opens {
			want = policy{outage: sessions.Ride, navigate: navigateAuto}
		}
		assert.Equal(t, want, got, target)
	}
}

// A rule that is stricter than the handler applies to each spelling of its path, also to one that is not canonical.
func TestRules_strictOutageHoldsForEverySpelling(t *testing.T) {
	f := open(t, "rule /pay/* {\non_outage strict\n}")
	for target, want := range map[string]sessions.Outage{
		"/pay/x": sessions.Strict, "/pay;a=b/x": sessions.Strict, "/x/..;/pay/x": sessions.Strict, "/pay%2fx": sessions.Strict, "//pay/x": sessions.Strict,
		"/": sessions.Ride, "/payments": sessions.Ride,
	} {
		got, err := f.policyOf(raw(t, target))
		require.NoError(t, err)
		assert.Equal(t, want, got.outage, target)
	}
}

func TestRules_navigate(t *testing.T) {
	f := open(t, "rule /api/* {\nnavigate off\n}\nrule /legacy/* {\nnavigate on\n}")
	assert.Equal(t, http.StatusUnauthorized, f.do(request(http.MethodGet, "/api/x", pageHeaders...)).Code)
	assert.Equal(t, http.StatusFound, f.do(request(http.MethodGet, "/legacy/x")).Code)
	assert.Equal(t, http.StatusUnauthorized, f.do(request(http.MethodPost, "/legacy/x")).Code)
	assert.Equal(t, http.StatusUnauthorized, f.do(request(http.MethodGet, "/legacy/x", "Connection", "Upgrade", "Upgrade", "websocket")).Code)
}

func TestPassive_doesNotProlong(t *testing.T) {
	f := open(t, "passive @poll")
	b := f.browser()
	b.signIn("mia")
	require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	for range 7 {
		f.clock.advance(2 * time.Minute)
		require.Equal(t, http.StatusOK, b.call(http.MethodGet, "/poll").Code)
	}
	f.clock.advance(2 * time.Minute)
	assert.Equal(t, "idle", problemOf(t, b.call(http.MethodGet, "/poll")).Reason)
}

func TestPolicyOf_strictestHolds(t *testing.T) {
	f := open(t, "on_outage strict\nrule * {\non_outage ride\nidle 10m\ncsrf off\nnavigate on\n}\nrule /a/* {\non_outage safe-only\nidle 5m\ncsrf on\n}\nrule /a/b {\non_outage ride\nidle 8m\ncsrf off\nnavigate off\n}")
	got, err := f.policyOf(request(http.MethodGet, "/a/b"))
	require.NoError(t, err)
	assert.Equal(t, policy{idle: 5 * time.Minute, outage: sessions.RideSafe, navigate: off, csrf: true}, got)
	got, err = f.policyOf(request(http.MethodGet, "/x"))
	require.NoError(t, err)
	assert.Equal(t, policy{idle: 10 * time.Minute, outage: sessions.Ride, navigate: on}, got, "the handler's counts where no rule sets it")
}

func TestAuthorize_failsClosedOnATicketThatWasCut(t *testing.T) {
	cut := &sessions.Session{GroupsCut: true, ClaimsCut: true, Identity: sessions.Identity{Groups: []string{"staff"}, ACR: "mfa"}}
	for _, tc := range []struct {
		require []Requirement
		want    authorization
	}{
		{nil, satisfied},
		{[]Requirement{{"groups", []string{"staff"}}}, satisfied},
		{[]Requirement{{"groups", []string{"admins"}}}, unknown},
		{[]Requirement{{"plan", []string{"pro"}}}, unknown},
		{[]Requirement{{"acr", []string{"mfa"}}}, satisfied},
		{[]Requirement{{"acr", []string{"phr"}}}, unsatisfied},
		{[]Requirement{{"plan", []string{"pro"}}, {"acr", []string{"phr"}}}, unsatisfied},
	} {
		assert.Equal(t, tc.want, authorize(tc.require, cut), "%v", tc.require)
	}
	rebuilt := &sessions.Session{Rebuilt: true, Identity: sessions.Identity{ACR: "mfa"}}
	assert.Equal(t, unsatisfied, authorize([]Requirement{{"acr", []string{"mfa"}}}, rebuilt))
}

// Behind a trusted proxy the site's host is the forwarded one, and pages of each configured origin may open a WebSocket.
func TestCSRF_goesByTheOriginThatTheBrowserSees(t *testing.T) {
	f := open(t, "origin "+site+" https://shop.test")
	b := f.browser()
	b.signIn("mia")
	for name, tc := range map[string]struct {
		method  string
		headers []string
		status  int
	}{
		"a form of the site":             {http.MethodPost, []string{"Origin", site}, http.StatusOK},
		"a form of the inner host":       {http.MethodPost, []string{"Origin", "https://inside"}, http.StatusForbidden},
		"a WebSocket of another origin":  {http.MethodGet, []string{"Origin", "https://shop.test", "Connection", "Upgrade"}, http.StatusOK},
		"a WebSocket of the inner host":  {http.MethodGet, []string{"Origin", "https://inside", "Connection", "Upgrade"}, http.StatusForbidden},
		"a WebSocket of no known origin": {http.MethodGet, []string{"Origin", "https://evil.test", "Connection", "Upgrade"}, http.StatusForbidden},
	} {
		r := request(tc.method, "https://inside/", append([]string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "app.test"}, tc.headers...)...)
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, true)
		assert.Equal(t, tc.status, b.send(r).Code, name)
	}
}

// Cookies that no one of ours has written: never 200, never 500.
func TestCookies_malformed(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("mia")
	b.call(http.MethodGet, "/")
	good := b.cookies[defaultCookie]
	for _, value := range []string{
		"", "1", "1..", "2" + good[1:], good[:len(good)-1], good + "A", good + "\x00", good[:30] + "\x00" + good[31:], "1." + good[2:24] + "." + good[2:24],
		string(make([]byte, 5000)), "%31" + good[1:], good[:24] + "." + strange(t)[25:], strange(t),
	} {
		r := request(http.MethodGet, "/", script...)
		r.Header.Set("Cookie", "__Host-sid="+value)
		assert.Equal(t, http.StatusUnauthorized, f.do(r).Code, "%q", value)
	}
	r := request(http.MethodGet, "/", script...)
	r.Header.Set("Cookie", "__Host-sid="+good+"; __Host-sid="+good)
	assert.Equal(t, http.StatusUnauthorized, f.do(r).Code, "two of one name")
	r = request(http.MethodGet, "/", script...)
	for range 9 {
		r.Header.Add("Cookie", "__Host-rt=x")
	}
	assert.Equal(t, http.StatusBadRequest, f.do(r).Code)
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
}

func TestTicket_aloneAndTampered(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("mia")
	ticket, good := b.cookies["__Host-rt"], b.cookies[defaultCookie]
	f.store.set(true)
	f.sharedState.node.LinkDown(sessions.ErrUnavailable)
	ask := func(host, cookie, ticket string) int {
		r := request(http.MethodGet, "https://"+host+"/", script...)
		r.Header.Set("Cookie", "__Host-sid="+cookie+"; __Host-rt="+ticket)
		return f.do(r).Code
	}
	assert.Equal(t, http.StatusUnauthorized, ask("app.test", "", ticket), "the ticket alone is nothing")
	assert.Equal(t, http.StatusServiceUnavailable, ask("app.test", good, ""))
	assert.Equal(t, http.StatusServiceUnavailable, ask("app.test", strange(t), ticket))
	assert.Equal(t, http.StatusServiceUnavailable, ask("other.test", good, ticket), "of another host")
	for i := 0; i < len(ticket); i += 5 {
		flipped := []byte(ticket)
		flipped[i] ^= 1
		assert.Equal(t, http.StatusServiceUnavailable, ask("app.test", good, string(flipped)), "bit %d", i)
	}
	assert.Equal(t, http.StatusOK, ask("app.test:8444", good, ticket), "cookies ignore ports")
}
