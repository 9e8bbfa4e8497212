package session

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

func TestLogin_leadsBackToWhereItBegan(t *testing.T) {
	f := open(t, "after_login /home")
	b := f.browser()
	w := b.navigate("/orders?page=2&q=%C3%A4")
	w = b.navigate(b.atProvider(b.begin(w.Header().Get("Location")), "mia"))
	assert.Equal(t, "/orders?page=2&q=%C3%A4", w.Header().Get("Location"))
	assert.Equal(t, "/home", b.signIn("mia"))
}

func TestLogin_leadsNowhereElse(t *testing.T) {
	f := open(t, "after_login /home")
	for _, to := range []string{
		"//evil.test", `/\evil.test`, `\\evil.test`, "/%09/evil.test", "/\t/evil.test", "/%0d%0aLocation:%20//evil.test", "http:evil.test", "https://evil.test",
		"good.example@evil.test", "javascript:alert(1)", "/%5cevil.test", "/..//evil.test", "/%2f/evil.test", "///evil.test", "/_auth/logout", "/_auth/login?x", "data:,x", "",
	} {
		b := f.browser()
		w := b.navigate(b.atProvider(b.begin("/_auth/login?return_to="+url.QueryEscape(to)), "mia"))
		assert.Equal(t, http.StatusFound, w.Code)
		assert.Equal(t, "/home", w.Header().Get("Location"), to)
	}
}

func TestLogin_refusesATamperedFlow(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	back := b.atProvider(b.begin("/_auth/login?return_to=/orders"), "mia")
	for name, value := range b.cookies {
		for i := 0; i < len(value); i += 7 {
			flipped := []byte(value)
			flipped[i] ^= 1
			thief := f.browser()
			thief.cookies[name] = string(flipped)
			w := thief.navigate(back)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Empty(t, thief.cookies[defaultCookie])
		}
	}
	assert.Equal(t, http.StatusFound, b.navigate(back).Code, "and as it was, it is good")
}

func TestCallback_needsTheStateOfThisBrowser(t *testing.T) {
	f := open(t, "")
	victim, attacker := f.browser(), f.browser()
	foreign := attacker.atProvider(attacker.begin("/_auth/login"), "adam")
	victim.begin("/_auth/login")
	for name, target := range map[string]string{
		"another browser's": foreign, // login CSRF
		"none":              "/_auth/callback/dev?code=x",
		"empty":             "/_auth/callback/dev?code=x&state=",
		"invented":          "/_auth/callback/dev?code=x&state=" + strings.Repeat("A", 22),
		"twice":             foreign + "&state=x",
		"nothing":           "/_auth/callback/dev",
	} {
		w := victim.navigate(target)
		assert.Equal(t, http.StatusBadRequest, w.Code, name)
		assert.Contains(t, w.Body.String(), "Try again", name)
		assert.Empty(t, victim.cookies[defaultCookie], name)
	}

	// Replayed: the second time there is no login under way, and a code is good once.
	flows := maps.Clone(attacker.cookies)
	require.Equal(t, http.StatusFound, attacker.navigate(foreign).Code)
	w := attacker.navigate(foreign)
	assert.Equal(t, http.StatusFound, w.Code)
	assert.Equal(t, "/", w.Header().Get("Location"), "loaded again by who is signed in")
	again := f.browser()
	again.cookies = flows
	assert.Equal(t, http.StatusBadRequest, again.navigate(foreign).Code, "the code was used")
	assert.Empty(t, again.cookies[defaultCookie])
}

func TestCallback_believesNoFalseProvider(t *testing.T) {
	f := open(t, "")
	for _, name := range []string{
		"wrong_nonce", "no_nonce", "wrong_aud", "wrong_iss", "wrong_azp", "extra_aud", "no_sub", "empty_sub", "control_sub", "expired", "nbf_future",
		"alg_none", "alg_hs256", "unknown_key", "wrong_key", "bad_signature", "no_id_token", "wrong_at_hash", "shadowed_claim",
		"response_wrong_iss", "response_no_iss", "response_wrong_state", "response_no_state", "response_twice", "invalid_grant",
	} {
		fault := idp.Fault{Name: name}
		b := f.browser()
		require.NoError(t, f.op.SetFaults(fault))
		w := b.navigate(b.atProvider(b.begin("/_auth/login"), "mia"))
		assert.Equal(t, http.StatusBadRequest, w.Code, fault.Name)
		assert.Empty(t, b.cookies[defaultCookie], name)
		assert.Contains(t, w.Body.String(), "Try again")
	}
	require.NoError(t, f.op.SetFaults())
	assert.Len(t, f.logs.FilterMessage("login refused").All(), 25, "each is audited")
	b := f.browser()
	b.signIn("mia")
}

func TestCallback_keepsTwoProvidersApart(t *testing.T) {
	f := open(t, "")
	f.Handler = provision(t, "session {\n"+f.provider("dev", "")+"\n"+f.provider("other", "")+"\n}")
	for _, p := range f.providers {
		require.Eventually(t, func() bool { return p.Status().Ready }, 20*time.Second, 5*time.Millisecond)
	}
	b := f.browser()
	w := b.navigate("/_auth/login?return_to=/orders")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Body.String(), `href="/_auth/login/dev?return_to=%2Forders"`)
	assert.Contains(t, w.Body.String(), `href="/_auth/login/other?return_to=%2Forders"`)
	back := b.atProvider(b.begin("/_auth/login/other?return_to=/orders"), "mia")
	assert.Equal(t, http.StatusBadRequest, b.navigate(strings.Replace(back, "/callback/other", "/callback/dev", 1)).Code, "mixed up")
	assert.Empty(t, b.cookies[defaultCookie])
	w = b.navigate(b.atProvider(b.begin("/_auth/login/other?return_to=/orders"), "mia"))
	assert.Equal(t, "/orders", w.Header().Get("Location"))
	b.call(http.MethodGet, "/")
	assert.Equal(t, "other:mia", f.value("http.auth.user.id"), "the same name at another provider is another person")
}

func TestCallback_goesByAllow(t *testing.T) {
	f := open(t, "")
	f.Handler = provision(t, "session {\n"+f.provider("dev", "allow groups admins owners\nallow email adam@example.test")+"\n}")
	require.Eventually(t, func() bool { return f.providers[0].Status().Ready }, 20*time.Second, 5*time.Millisecond)
	for user, status := range map[string]int{"adam": http.StatusFound, "olivia": http.StatusForbidden, "mia": http.StatusForbidden, "nora": http.StatusForbidden} {
		b := f.browser()
		w := b.navigate(b.atProvider(b.begin("/_auth/login"), user))
		assert.Equal(t, status, w.Code, user)
		assert.Equal(t, status == http.StatusFound, b.cookies[defaultCookie] != "", user)
	}
}

func TestLogin_giveANewSessionAndEndTheOld(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	planted := strange(t)
	b.cookies[defaultCookie] = planted
	b.signIn("mia")
	assert.NotEqual(t, planted[:24], b.cookies[defaultCookie][:24], "a planted cookie is not taken up")
	first := f.browser()
	first.cookies[defaultCookie] = b.cookies[defaultCookie]
	require.Equal(t, http.StatusOK, first.call(http.MethodGet, "/").Code)
	b.provider = idp.NewBrowser(nil)
	b.signIn("adam")
	w := first.call(http.MethodGet, "/")
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "revoked", problemOf(t, w).Reason)
	b.call(http.MethodGet, "/")
	assert.Equal(t, "dev:adam", f.value("http.auth.user.id"))
}

func TestLogin_manyTabsAndManyThatWereLeft(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	first := b.begin("/_auth/login?return_to=/one")
	second := b.begin("/_auth/login?return_to=/two")
	assert.Equal(t, "/two", b.navigate(b.atProvider(second, "mia")).Header().Get("Location"))
	assert.Equal(t, "/one", b.navigate(b.atProvider(first, "mia")).Header().Get("Location"))

	for range 100 {
		f.clock.advance(time.Second)
		b.begin("/_auth/login")
	}
	assert.Len(t, b.cookies, 2+maxFlows)
	f.clock.advance(9 * time.Minute)
	b.begin("/_auth/login")
	assert.LessOrEqual(t, len(b.cookies), 2+maxFlows)
	f.clock.advance(11 * time.Minute)
	b.begin("/_auth/login")
	assert.Len(t, b.cookies, 3, "those that are too old are given up")

	// A browser that opens ten tabs at once is mended by its next request.
	for i := range 9 {
		b.cookies["__Host-login-"+strings.Repeat(string(rune('a'+i)), 8)] = "x"
	}
	assert.Equal(t, http.StatusBadRequest, b.navigate("/").Code)
	assert.NotEqual(t, http.StatusBadRequest, b.navigate("/").Code)
}

func TestLogin_isForPagesAlone(t *testing.T) {
	f := open(t, "")
	for _, headers := range [][]string{
		script, nil,
		{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"},
		append([]string{"Sec-Purpose", "prefetch"}, pageHeaders...),
	} {
		w := f.do(request(http.MethodGet, "/_auth/login", headers...))
		assert.Equal(t, http.StatusUnauthorized, w.Code)
		assert.Empty(t, w.Header()["Set-Cookie"])
	}
}

func TestLogin_isAtTheOriginsAlone(t *testing.T) {
	f := open(t, "origin "+site+" https://app.test:8443")
	for target, status := range map[string]int{
		site + "/_auth/login": http.StatusFound, "https://app.test:8443/_auth/login": http.StatusFound, "https://APP.test:443/_auth/login": http.StatusFound,
		"https://evil.test/_auth/login": http.StatusMisdirectedRequest, "http://app.test/_auth/login": http.StatusMisdirectedRequest, "https://app.test:444/_auth/login": http.StatusMisdirectedRequest,
	} {
		w := f.do(request(http.MethodGet, target, pageHeaders...))
		assert.Equal(t, status, w.Code, target)
	}
	f.Handler = provision(t, f.directive(""))
	require.Eventually(t, func() bool { return f.providers[0].Status().Ready }, 20*time.Second, 5*time.Millisecond)
	assert.Equal(t, http.StatusForbidden, f.do(request(http.MethodGet, "http://app.test/_auth/login", pageHeaders...)).Code, "no cookie would stay")
	w := f.do(request(http.MethodGet, "http://localhost:8080/_auth/login", pageHeaders...))
	assert.Equal(t, http.StatusFound, w.Code)
	for _, host := range []string{"app.test/x", `app.test\x`, "app.test@evil", "a b", "", "app.test?x", "<x>"} {
		r := request(http.MethodGet, "/_auth/login", pageHeaders...)
		r.Host = host
		assert.Equal(t, http.StatusMisdirectedRequest, f.do(r).Code, host)
	}
}

func TestOriginOf_believesTrustedProxiesAlone(t *testing.T) {
	for trusted, want := range map[bool]string{false: "http://inside", true: "https://app.test"} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://inside/", http.NoBody)
		r.Header.Set("X-Forwarded-Proto", "http, HTTPS")
		// A client can send lines of its own; the nearest proxy writes the last one.
		r.Header.Add("X-Forwarded-Host", "evil.test")
		r.Header.Add("X-Forwarded-Host", "evil.test, other.test, App.test:443")
		r = prepare(r)
		caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, trusted)
		assert.Equal(t, want, originOf(r).String())
		r.TLS = &tls.ConnectionState{}
	}
}

func TestLogin_asksForAFreshSignIn(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	u, err := url.Parse(b.begin("/_auth/login?max_age=60"))
	require.NoError(t, err)
	assert.Equal(t, "60", u.Query().Get("max_age"))
	assert.Equal(t, "S256", u.Query().Get("code_challenge_method"))
	assert.Equal(t, "query", u.Query().Get("response_mode"))
	for _, odd := range []string{"-1", "x", "99999999999"} {
		u, err = url.Parse(b.begin("/_auth/login?max_age=" + odd))
		require.NoError(t, err)
		assert.Empty(t, u.Query().Get("max_age"))
	}
}

func TestLogin_withoutItsProvider(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	back := b.atProvider(b.begin("/_auth/login"), "mia")
	require.NoError(t, f.op.SetFaults(idp.Fault{Name: "http_500", On: "token"}))
	w := b.navigate(back)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.NotEmpty(t, w.Header().Get("Retry-After"))
	assert.Empty(t, b.cookies[defaultCookie])
}

func TestLogin_whenRedisGoesMeanwhile(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	back := b.atProvider(b.begin("/_auth/login"), "mia")
	f.store.set(true)
	w := b.navigate(back)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Empty(t, b.cookies[defaultCookie])
}

func TestMaxSessions(t *testing.T) {
	f := open(t, "max_sessions 2 deny")
	for i := range 3 {
		b := f.browser()
		w := b.navigate(b.atProvider(b.begin("/_auth/login"), "mia"))
		assert.Equal(t, map[bool]int{true: http.StatusFound, false: http.StatusForbidden}[i < 2], w.Code)
	}
}

func TestUserID(t *testing.T) {
	f := open(t, "")
	for userID, want := range map[string]string{"sub": "mia", "email": "mia@example.test"} {
		f.Handler = provision(t, "session {\n"+f.provider("dev", "user_id "+userID)+"\n}")
		require.Eventually(t, func() bool { return f.providers[0].Status().Ready }, 20*time.Second, 5*time.Millisecond)
		b := f.browser()
		b.signIn("mia")
		b.call(http.MethodGet, "/")
		assert.Equal(t, want, f.value("http.auth.user.id"))
		if userID == "email" {
			nobody := f.browser()
			assert.Equal(t, http.StatusForbidden, nobody.navigate(nobody.atProvider(nobody.begin("/_auth/login"), "nora")).Code)
		}
	}
}

func TestSecrets_areNotLogged(t *testing.T) {
	f := open(t, "rotation 1m")
	b := f.browser()
	back := b.atProvider(b.begin("/_auth/login"), "mia")
	flow := b.cookies
	b.navigate(back)
	b.navigate(back)
	b.call(http.MethodGet, "/")
	f.clock.advance(2 * time.Minute)
	f.store.set(true)
	b.call(http.MethodGet, "/")
	b.send(request(http.MethodPost, "/_auth/logout", script...))
	u, err := url.Parse(back)
	require.NoError(t, err)
	var secrets []string
	for _, values := range u.Query() {
		secrets = append(secrets, values...)
	}
	for _, value := range flow {
		secrets = append(secrets, value)
	}
	for _, line := range f.logs.All() {
		for _, secret := range secrets {
			for key, value := range line.ContextMap() {
				if text, ok := value.(string); ok && len(secret) > 8 && secret != f.op.Issuer() {
					assert.NotContains(t, text, secret, "%s: %s", line.Message, key)
				}
			}
		}
	}
	assert.NotEmpty(t, f.logs.FilterMessage("login").All())
	assert.NotEmpty(t, f.logs.FilterMessage("logout").All())
}

// A login leads only to a page of this site, also if the address in its flow is another one.
func TestCallback_checksTheAddressOfItsFlow(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	back := b.atProvider(b.begin("/_auth/login"), "mia")
	sealer, err := f.flowSealer("app.test")
	require.NoError(t, err)
	for name, value := range b.cookies {
		flow, err := sealer.Open(value)
		require.NoError(t, err)
		flow.ReturnTo = "https://evil.test/"
		b.cookies[name], err = sealer.Seal(flow)
		require.NoError(t, err)
	}
	w := b.navigate(back)
	assert.Equal(t, http.StatusFound, w.Code)
	assert.Equal(t, f.AfterLogin, w.Header().Get("Location"))
}

// A callback with two states names no login. The login that one of them belongs to can still be finished.
func TestCallback_twoStatesFinishNothing(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	back := b.atProvider(b.begin("/_auth/login"), "mia")
	for _, second := range []string{"x", ""} {
		w := b.navigate(back + "&state=" + second)
		assert.Equal(t, http.StatusBadRequest, w.Code)
		assert.Empty(t, w.Header()["Set-Cookie"], "the cookie of the login stays")
	}
	assert.Equal(t, http.StatusFound, b.navigate(back).Code)
	assert.NotEmpty(t, b.cookies[defaultCookie])
}

// FuzzOriginOf feeds Host and the forwarding headers: an address that counts as an origin is read back as itself by a
// URL parser, and only a trusted proxy changes it.
func FuzzOriginOf(f *testing.F) {
	for _, seed := range [][3]string{
		{"app.test", "https", "evil.test"}, {"app.test:443", "http, https", "a, b"}, {"[::1]:80", "", "[::1"}, {"a@b", "ftp", "a/b"}, {"", " HTTPS ", ",,"},
		{"app.test:80:443", "https,", "app.test\\x"}, {"APP.TEST.", "javascript", "a b"}, {"%41.test", "", "a:99999"}, {"app.test\x00", "", "xn--a"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, host, proto, forwarded string) {
		for _, trusted := range []bool{false, true} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://inside/", http.NoBody)
			r.Host = host
			r.Header["X-Forwarded-Proto"], r.Header["X-Forwarded-Host"] = []string{"evil", proto}, []string{"evil.test", forwarded}
			r = prepare(r)
			caddyhttp.SetVar(r.Context(), caddyhttp.TrustedProxyVarKey, trusted)
			o := originOf(r)
			if o.scheme != "http" && o.scheme != "https" {
				t.Fatalf("scheme is %q", o.scheme)
			}
			if !trusted && (o.scheme != "http" || o.host != strings.TrimSuffix(strings.ToLower(host), ":80")) {
				t.Fatalf("a client that is no trusted proxy changed the origin to %s", o)
			}
			if !o.valid() {
				continue
			}
			u, err := url.Parse(o.String() + "/_auth/callback/dev")
			if err != nil || u.Scheme != o.scheme || u.Host != o.host || u.Path != "/_auth/callback/dev" || u.User != nil || strings.ContainsAny(o.host, " \t\r\n\x00") {
				t.Fatalf("%q is taken for an origin", o.String())
			}
			if o.secure() && o.scheme != "https" && !strings.Contains(o.host, "localhost") && !strings.Contains(o.host, "127.") && !strings.Contains(o.host, ":") {
				t.Fatalf("%q is taken for secure", o.String())
			}
		}
	})
}
