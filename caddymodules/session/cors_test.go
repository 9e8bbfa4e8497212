package session

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const console = "https://console.test"

// asking is a preflight's question.
func asking(headers ...string) []string {
	return append([]string{"Sec-Fetch-Mode", "cors", requestMethod, "PUT", requestHeaders, "content-type,x-csrf"}, headers...)
}

// shared are the CORS headers of a response.
func shared(w *httptest.ResponseRecorder) http.Header {
	found := http.Header{}
	for name, values := range w.Header() {
		if strings.HasPrefix(name, "Access-Control-") {
			found[name] = values
		}
	}
	return found
}

// assertShared says that the console's page may read a response.
func assertShared(t *testing.T, w *httptest.ResponseRecorder, name string) {
	t.Helper()
	assert.Equal(t, http.Header{
		allowOrigin: {console}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {exposed},
	}, shared(w), name)
	assert.Equal(t, []string{"Origin"}, w.Header()["Vary"], name)
}

func TestCORS_answersPreflightsBeforeAllElse(t *testing.T) {
	f := open(t, "cors https://other.test "+console+"\ncors http://localhost:3000\npublic /open\nrule /admin/* {\nrequire groups admins\nnavigate on\n}\nerrors handle")
	f.store.set(true)
	many := strings.Repeat("__Host-sid=x; ", maxCookies+1)
	for name, tc := range map[string]struct {
		target  string
		headers []string
	}{
		"a path":                 {"/api", nil},
		"one of a rule":          {"/admin/x", nil},
		"a public one":           {"/open", nil},
		"one of ours":            {"/_auth/session", nil},
		"one that nobody has":    {"/_auth/nothing", nil},
		"with a strange cookie":  {"/api", []string{"Cookie", "__Host-sid=" + strange(t)}},
		"with too many cookies":  {"/api", []string{"Cookie", many}},
		"of an old browser":      {"/api", []string{"Accept", "text/html"}},
		"from a site of its own": {"/api", []string{"Sec-Fetch-Site", "cross-site"}},
	} {
		w := f.do(request(http.MethodOptions, tc.target, asking(append(tc.headers, "Origin", console)...)...))
		assert.Equal(t, http.StatusNoContent, w.Code, name)
		assert.Nil(t, f.got, "%s: it reached the app", name)
		assert.Equal(t, http.Header{
			allowOrigin: {console}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {exposed},
			"Access-Control-Allow-Methods": {"PUT"}, "Access-Control-Allow-Headers": {"content-type, x-csrf"}, "Access-Control-Max-Age": {"7200"},
		}, shared(w), name)
		assert.Equal(t, []string{"Origin", requestMethod, requestHeaders}, w.Header()["Vary"], name)
		assert.Equal(t, "no-store", w.Header().Get("Cache-Control"), name)
		assert.Empty(t, w.Header()["Set-Cookie"], name)
		assert.Empty(t, w.Body.String(), name)
	}
	w := f.do(request(http.MethodOptions, "/api", asking("Origin", "http://localhost:3000")...))
	assert.Equal(t, http.StatusNoContent, w.Code)
	assert.Equal(t, "http://localhost:3000", w.Header().Get(allowOrigin))
}

// strangers are the Origin headers of requests that do not come from the console's pages.
var strangers = map[string][]string{
	"none":                 nil,
	"empty":                {""},
	"null":                 {"null"},
	"any":                  {"*"},
	"another":              {"https://evil.test"},
	"our own":              {site},
	"it as a subdomain":    {console + ".evil.test"},
	"it as a prefix":       {console + "evil"},
	"it as a suffix":       {"https://evilconsole.test"},
	"below it":             {"https://evil.console.test"},
	"above it":             {"https://test"},
	"it as a user":         {"https://console.test@evil.test"},
	"it with a user":       {"https://evil@console.test"},
	"it with a slash":      {console + "/"},
	"it with a path":       {console + "/evil"},
	"it with a dot":        {console + "."},
	"it with a fragment":   {console + "#"},
	"another scheme":       {"http://console.test"},
	"no scheme":            {"console.test"},
	"a strange scheme":     {"app://console.test"},
	"another port":         {console + ":8443"},
	"the port left out":    {"http://localhost"},
	"the usual port":       {console + ":443"},
	"upper case":           {"https://CONSOLE.test"},
	"scheme in upper case": {"HTTPS://console.test"},
	"a space before":       {" " + console},
	"a space after":        {console + " "},
	"two in a line":        {console + ", https://evil.test"},
	"two with a space":     {console + " https://evil.test"},
	"two lines":            {console, "https://evil.test"},
	"two lines, turned":    {"https://evil.test", console},
	"it twice":             {console, console},
	"a line break":         {console + "\r\nX-Evil: 1"},
	"a NUL":                {console + "\x00.evil.test"},
}

func TestCORS_tellsStrangersNothing(t *testing.T) {
	f := open(t, "cors "+console+" http://localhost:3000\npublic /open")
	b := f.browser()
	b.signIn("mia")
	for name, from := range strangers {
		for target, status := range map[string]int{"/api": http.StatusUnauthorized, "/open": http.StatusOK} {
			r := request(http.MethodOptions, target, asking()...)
			r.Header["Origin"] = from
			w := f.do(r)
			assert.Equal(t, status, w.Code, "%s: %s: a preflight is a request like others", name, target)
			assert.Equal(t, status == http.StatusOK, f.got != nil, "%s: %s", name, target)
			assert.Empty(t, shared(w), "%s: %s", name, target)
			assert.Equal(t, []string{"Origin"}, w.Header()["Vary"], "%s: %s", name, target)
		}
		r := request(http.MethodGet, "/api", script...)
		r.Header["Origin"] = from
		w := b.send(r)
		assert.Equal(t, http.StatusOK, w.Code, name)
		assert.Empty(t, shared(w), name)
		assert.Equal(t, []string{"Origin"}, w.Header()["Vary"], name)
	}
}

func TestCORS_leavesOtherOptionsToTheRules(t *testing.T) {
	f := open(t, "cors "+console+"\npublic /open")
	w := f.do(request(http.MethodOptions, "/api", "Origin", console))
	assert.Equal(t, http.StatusUnauthorized, w.Code, "without a method it is no preflight")
	assertShared(t, w, "OPTIONS")
	f.do(request(http.MethodOptions, "/open", "Origin", console))
	assert.NotNil(t, f.got)
	w = f.do(request(http.MethodGet, "/api", asking("Origin", console)...))
	assert.Equal(t, http.StatusUnauthorized, w.Code, "a preflight is OPTIONS")
}

func TestCORS_isOffUnlessConfigured(t *testing.T) {
	f := open(t, "public /open")
	for _, target := range []string{"/api", "/open"} {
		w := f.do(request(http.MethodOptions, target, asking("Origin", console)...))
		assert.NotEqual(t, http.StatusNoContent, w.Code)
		assert.Empty(t, shared(w))
		assert.Empty(t, w.Header()["Vary"])
	}
}

func TestCORS_repeatsNothingButNames(t *testing.T) {
	f := open(t, "cors "+console)
	long := strings.Repeat("x-a,", 20)
	for name, tc := range map[string]struct {
		method, headers []string
		methods, names  string
	}{
		"as browsers ask":       {[]string{"DELETE"}, []string{"authorization,content-type"}, "DELETE", "authorization, content-type"},
		"no headers":            {[]string{"DELETE"}, nil, "DELETE", ""},
		"spaces":                {[]string{" PATCH "}, []string{"a ,\tb"}, "PATCH", "a, b"},
		"two lines":             {[]string{"PUT"}, []string{"a", "b"}, "PUT", "a, b"},
		"many":                  {[]string{"PUT"}, []string{long + "b"}, "PUT", strings.ReplaceAll(long, ",", ", ") + "b"},
		"too long":              {[]string{"PUT"}, []string{strings.Repeat("a", maxAsked+1)}, "PUT", ""},
		"too long in two lines": {[]string{"PUT"}, []string{strings.Repeat("a", maxAsked), "b"}, "PUT", ""},
		"as long as may be":     {[]string{"PUT"}, []string{strings.Repeat("a", maxAsked)}, "PUT", strings.Repeat("a", maxAsked)},
		"a header smuggled":     {[]string{"PUT"}, []string{"a\r\nSet-Cookie: __Host-sid=evil"}, "PUT", ""},
		"a line smuggled":       {[]string{"PUT"}, []string{"a\n\n<script>"}, "PUT", ""},
		"a line at the end":     {[]string{"PUT"}, []string{"a\n"}, "PUT", ""},
		"a carriage return":     {[]string{"PUT"}, []string{"a,\rb"}, "PUT", ""},
		"a NUL":                 {[]string{"PUT"}, []string{"a\x00"}, "PUT", ""},
		"beyond ASCII":          {[]string{"PUT"}, []string{"ä"}, "PUT", ""},
		"two words":             {[]string{"PUT"}, []string{"a b"}, "PUT", ""},
		"a value":               {[]string{"PUT"}, []string{"a: b"}, "PUT", ""},
		"quotes":                {[]string{"PUT"}, []string{`"a"`}, "PUT", ""},
		"nothing between":       {[]string{"PUT"}, []string{"a,,b"}, "PUT", ""},
		"smuggled by a method":  {[]string{"PUT\r\nSet-Cookie: a=b"}, []string{"a"}, "", "a"},
		"a method too long":     {[]string{strings.Repeat("A", maxAsked+1)}, []string{"a"}, "", "a"},
		"a method of two words": {[]string{"PUT GET"}, []string{"a"}, "", "a"},
	} {
		r := request(http.MethodOptions, "/api", "Origin", console)
		r.Header[requestMethod] = tc.method
		if tc.headers != nil {
			r.Header[requestHeaders] = tc.headers
		}
		w := f.do(r)
		assert.Equal(t, http.StatusNoContent, w.Code, name)
		assert.Equal(t, tc.methods, strings.Join(w.Header()["Access-Control-Allow-Methods"], "|"), name)
		assert.Equal(t, tc.names, strings.Join(w.Header()["Access-Control-Allow-Headers"], "|"), name)
		assert.Empty(t, w.Header()["Set-Cookie"], name)
	}
}

func TestCORS_sharesOurAnswers(t *testing.T) {
	for _, mode := range []string{errorsWrite, errorsHandle} {
		t.Run(mode, func(t *testing.T) {
			f := open(t, "cors "+console+"\nrule @admin {\nrequire groups admins\n}\nrule /strict/* {\non_outage strict\n}\nrule /old/* {\nnavigate on\n}\nerrors "+mode)
			b := f.browser()
			b.signIn("mia")
			fetch := []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "same-site", "Origin", console}
			answers := func(who *browser, method, target string, status int) {
				t.Helper()
				w := who.send(request(method, target, fetch...))
				assert.Equal(t, status, w.Code, target)
				assertShared(t, w, target)
			}
			answers(f.browser(), http.MethodGet, "/api", http.StatusUnauthorized)
			answers(f.browser(), http.MethodGet, "/_auth/login", http.StatusUnauthorized)
			answers(b, http.MethodGet, "/admin/x", http.StatusForbidden)
			answers(b, http.MethodGet, "/_auth/session", http.StatusOK)
			answers(b, http.MethodGet, "/_auth/logout", http.StatusOK)
			answers(f.browser(), http.MethodGet, "/old/x", http.StatusFound)
			answers(b, http.MethodGet, "/_auth/nothing", http.StatusNotFound)
			answers(b, http.MethodDelete, "/_auth/session", http.StatusMethodNotAllowed)
			f.store.set(true)
			answers(b, http.MethodGet, "/strict/x", http.StatusServiceUnavailable)
			f.store.set(false)
			answers(b, http.MethodPost, "/_auth/logout", http.StatusOK)

			w := f.do(request(http.MethodPost, "/api", "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"))
			assert.Equal(t, http.StatusForbidden, w.Code)
			assert.Empty(t, shared(w))
			assert.Equal(t, []string{"Origin"}, w.Header()["Vary"])
		})
	}
}

func TestCORS_sharesResponsesUnlessTheAppDecides(t *testing.T) {
	f := open(t, "cors "+console)
	b := f.browser()
	b.signIn("mia")
	with := append([]string{"Origin", console}, script...)
	for name, write := range map[string]func(http.ResponseWriter) error{
		"written":   func(w http.ResponseWriter) error { _, err := io.WriteString(w, "passed"); return err },
		"by status": func(w http.ResponseWriter) error { w.WriteHeader(http.StatusTeapot); return nil },
		"early hints first": func(w http.ResponseWriter) error {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
			return nil
		},
		"not modified": func(w http.ResponseWriter) error { w.WriteHeader(http.StatusNotModified); return nil },
		"flushed":      func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
		"copied": func(w http.ResponseWriter) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("passed"))
			return err
		},
		"nothing written":    func(http.ResponseWriter) error { return nil },
		"an error":           func(http.ResponseWriter) error { return caddyhttp.Error(http.StatusBadGateway, io.ErrUnexpectedEOF) },
		"Vary by the origin": func(w http.ResponseWriter) error { w.Header().Set("Vary", "Origin"); return nil },
	} {
		f.next = func(w http.ResponseWriter, _ *http.Request) error { return write(w) }
		assertShared(t, b.send(request(http.MethodGet, "/api", with...)), name)
	}

	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set(allowOrigin, "*")
		w.Header().Set("Access-Control-Expose-Headers", "ETag")
		w.Header().Set("Vary", "Accept-Encoding, origin")
		return nil
	}
	w := b.send(request(http.MethodGet, "/api", with...))
	assert.Equal(t, http.Header{allowOrigin: {"*"}, "Access-Control-Expose-Headers": {"ETag"}}, shared(w), "the app has decided")
	assert.Equal(t, []string{"Accept-Encoding, origin"}, w.Header()["Vary"])

	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Access-Control-Expose-Headers", "ETag")
		w.Header().Set("Vary", "Accept-Encoding, X-Origin")
		return nil
	}
	w = b.send(request(http.MethodGet, "/api", with...))
	assert.Equal(t, console, w.Header().Get(allowOrigin))
	assert.Equal(t, []string{"ETag", exposed}, w.Header()["Access-Control-Expose-Headers"])
	assert.Equal(t, []string{"Accept-Encoding, X-Origin", "Origin"}, w.Header()["Vary"])
}

func TestCORS_originsMaySendWhatChangesSomething(t *testing.T) {
	f := open(t, "cors "+console+" http://localhost:3000")
	b := f.browser()
	b.signIn("mia")
	upgrade := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-Websocket-Key", "x"}
	for name, headers := range map[string][]string{"POST": {"Sec-Fetch-Site", "same-site"}, "old browser": nil, "WebSocket": upgrade} {
		method := http.MethodPost
		if name == "WebSocket" {
			method = http.MethodGet
		}
		r := request(method, "/api", headers...)
		r.Header.Set("Origin", console)
		assert.Equal(t, http.StatusOK, b.send(r).Code, name)
		for who, from := range strangers {
			if len(from) == 0 || from[0] == "" || from[0] == site {
				continue // a program, or our own page
			}
			if len(from) > 1 && name != "WebSocket" {
				continue // no browser's, and so nobody's who is signed in
			}
			r = request(method, "/api", headers...)
			r.Header["Origin"] = from
			assert.Equal(t, http.StatusForbidden, b.send(r).Code, "%s, %s", name, who)
		}
	}
}

func TestCORS_warnsOfPlainHTTP(t *testing.T) {
	f := open(t, "cors "+console+" http://console.test http://localhost:3000 http://127.0.0.1:3000")
	f.warn()
	lines := f.logs.FilterMessageSnippet("plain http").All()
	require.Len(t, lines, 1, "on this machine nobody is on the way")
	assert.Equal(t, "http://console.test", lines[0].ContextMap()["origin"])
}

func TestParseOrigin(t *testing.T) {
	for give, want := range map[string]string{
		"https://console.example.com":       "https://console.example.com",
		"https://console.example.com/":      "https://console.example.com",
		"HTTPS://Console.Example.com:443":   "https://console.example.com",
		"http://localhost:3000":             "http://localhost:3000",
		"http://a.test:80":                  "http://a.test",
		"https://a.test:80":                 "https://a.test:80",
		"https://[::1]:8443":                "https://[::1]:8443",
		"":                                  "",
		"*":                                 "",
		"null":                              "",
		"console.example.com":               "",
		"//console.example.com":             "",
		"https://":                          "",
		"https://:443":                      "",
		"https://*.example.com":             "",
		"https://*":                         "",
		"https://a.test:*":                  "",
		"https://a.test:":                   "",
		"https://a.test:0443":               "",
		"https://a.test:https":              "",
		"https://a.test/path":               "",
		"https://a.test//":                  "",
		"https://a.test?":                   "",
		"https://a.test?q":                  "",
		"https://a.test#":                   "",
		"https://a.test#f":                  "",
		"https://me@a.test":                 "",
		"https://a.test,https://b.test":     "",
		"https://a.test https://b.test":     "",
		" https://a.test":                   "",
		"https://b\u00fccher.test":          "", // browsers say xn--bcher-kva.test
		"https://a%2etest":                  "",
		"ftp://a.test":                      "",
		"wss://a.test":                      "",
		"chrome-extension://abcdefghijklmn": "",
	} {
		got, err := parseOrigin(give)
		assert.Equal(t, want, got, give)
		assert.Equal(t, want == "", err != nil, give)
	}
}
