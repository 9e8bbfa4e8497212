package session

import (
	"bufio"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCookies_areSetAsBrowsersKeepThemSafe(t *testing.T) {
	for persist, age := range map[string]string{"": "", "cookie __Host-sid persist": "; Max-Age=86"} {
		t.Run(persist, func(t *testing.T) {
			f := open(t, persist)
			b := f.browser()
			w := b.navigate(b.atProvider(b.begin("/_auth/login"), "mia"))
			lines := w.Header()["Set-Cookie"]
			require.Len(t, lines, 3, "session, ticket, and the login that is over")
			for _, line := range lines {
				assert.Regexp(t, `^__Host-(sid|rt|login-[A-Za-z0-9_-]{8})=`, line)
				assert.Contains(t, line, "; Path=/")
				assert.Contains(t, line, "; HttpOnly; Secure; SameSite=Lax")
				assert.NotContains(t, line, "Domain")
				if !strings.HasPrefix(line, "__Host-login-") {
					assert.True(t, strings.Contains(line, age) && (age != "" || !strings.Contains(line, "Max-Age")), line)
				}
			}
			assert.Less(t, len(lines[1])+len(lines[2]), 1400)
			assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		})
	}
}

// rotationDue is a browser whose next response could carry a new verifier.
func rotationDue(t testing.TB) (*fixture, *browser) {
	t.Helper()
	f := open(t, "rotation 1m")
	b := f.browser()
	b.signIn("mia")
	b.call(http.MethodGet, "/")
	f.clock.advance(2 * time.Minute)
	return f, b
}

func TestResponse_carriesNoCookiesWhereOthersMayKeepThem(t *testing.T) {
	f, b := rotationDue(t)
	for name, header := range map[string]http.Header{
		"public":                   {"Cache-Control": {"public, max-age=60"}},
		"public alone":             {"Cache-Control": {"Public"}},
		"s-maxage":                 {"Cache-Control": {"private, s-maxage=60"}},
		"max-age":                  {"Cache-Control": {"max-age=60"}},
		"max-age, two lines":       {"Cache-Control": {"must-revalidate", "max-age=60"}},
		"Expires":                  {"Expires": {"Thu, 01 Dec 2044 16:00:00 GMT"}},
		"Expires, must-revalidate": {"Expires": {"Thu, 01 Dec 2044 16:00:00 GMT"}, "Cache-Control": {"must-revalidate"}},
		"private for one field":    {"Cache-Control": {`max-age=60, private="x-y"`}},
		"for the CDN":              {"Cdn-Cache-Control": {"max-age=60"}, "Cache-Control": {"private"}},
		"for the surrogate":        {"Surrogate-Control": {"max-age=60"}, "Cache-Control": {"no-store"}},
		"a stream":                 {"Content-Type": {"text/event-stream; charset=utf-8"}},
		"not modified":             {"X-Status": {"304"}},
	} {
		f.next = func(w http.ResponseWriter, _ *http.Request) error {
			maps.Copy(w.Header(), header)
			if header.Get("X-Status") != "" {
				w.WriteHeader(http.StatusNotModified)
				return nil
			}
			_, err := io.WriteString(w, "passed")
			return err
		}
		w := b.call(http.MethodGet, "/")
		assert.Empty(t, w.Header()["Set-Cookie"], name)
	}
}

func TestResponse_carriesCookiesWhereNobodyElseKeepsThem(t *testing.T) {
	for name, cache := range map[string]string{"": "private", "private, max-age=60": "private, max-age=60", "no-store": "no-store", "no-cache, max-age=0": "no-cache, max-age=0", "must-revalidate": "must-revalidate, private"} {
		t.Run("may: "+name, func(t *testing.T) {
			f, b := rotationDue(t)
			f.next = func(w http.ResponseWriter, _ *http.Request) error {
				if name != "" {
					w.Header().Set("Cache-Control", name)
				}
				_, err := io.WriteString(w, "passed")
				return err
			}
			before := b.cookies[defaultCookie]
			w := b.call(http.MethodGet, "/")
			assert.Len(t, w.Header()["Set-Cookie"], 2, name)
			assert.NotEqual(t, before, b.cookies[defaultCookie], "a rotation was due")
			assert.Equal(t, cache, strings.Join(w.Header()["Cache-Control"], ", "))
		})
	}
}

func TestResponse_rotationWaitsForOneThatMayCarryIt(t *testing.T) {
	f, b := rotationDue(t)
	old := b.cookies[defaultCookie]
	for _, headers := range [][]string{{"Sec-Purpose", "prefetch"}} {
		w := b.send(request(http.MethodGet, "/", append(headers, script...)...))
		assert.Equal(t, http.StatusOK, w.Code)
		assert.Empty(t, w.Header()["Set-Cookie"])
	}
	f.next = func(http.ResponseWriter, *http.Request) error { return io.ErrUnexpectedEOF }
	w := httptest.NewRecorder()
	require.Error(t, f.ServeHTTP(w, b.with(request(http.MethodGet, "/", script...)), handlerOf(f)))
	assert.Empty(t, w.Header()["Set-Cookie"], "an error's page may be cached")
	f.next = func(http.ResponseWriter, *http.Request) error { return nil } // who writes nothing answers 200
	b.call(http.MethodGet, "/")
	assert.NotEqual(t, old, b.cookies[defaultCookie])

	// The response was lost: the old verifier is as good as before, and leads to the same new one.
	lost := b.cookies[defaultCookie]
	b.cookies[defaultCookie] = old
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	assert.Equal(t, lost, b.cookies[defaultCookie])
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	f.clock.advance(2 * time.Minute)
	b.cookies[defaultCookie] = old
	w = b.call(http.MethodGet, "/")
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "reuse", problemOf(t, w).Reason)
	assert.Empty(t, w.Header()["Set-Cookie"])
	lines := f.logs.FilterMessageSnippet("replaced long ago").All()
	require.Len(t, lines, 1)
	assert.Equal(t, "192.0.2.1", lines[0].ContextMap()["client_ip"])
	assert.Contains(t, lines[0].ContextMap(), "owner_ip")
}

func TestResponse_keepsTheAppFromOurCookies(t *testing.T) {
	f := open(t, "public /open")
	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		for _, c := range []string{"__Host-sid=evil; Path=/; Secure", "__Host-rt=; Max-Age=0", " __Host-login-abcdefgh=x", "theme=dark"} {
			w.Header().Add("Set-Cookie", c)
		}
		w.WriteHeader(http.StatusOK)
		return nil
	}
	assert.Equal(t, []string{"theme=dark"}, f.do(request(http.MethodGet, "/open")).Header()["Set-Cookie"])
	b := f.browser()
	b.signIn("mia")
	b.call(http.MethodGet, "/")
	mine := b.cookies[defaultCookie]
	b.call(http.MethodGet, "/")
	assert.Equal(t, mine, b.cookies[defaultCookie])
	assert.Equal(t, "dark", b.cookies["theme"])
}

// Browsers bring a cookie without a name back as its value alone, which reads as another cookie.
func TestStripSet_goesByWhatComesBack(t *testing.T) {
	n := newCookieNames("sid")
	for line, stays := range map[string]bool{
		"theme=dark": true, "=theme=dark": true, "theme": true, "": true, "=": true, "sidx=1": true, "a=sid=x": true, "==sid=x": true, "theme=sid; sid=x": true,
		"sid=x": false, "sid": false, "sid;x=y": false, "=sid=x": false, " = sid =x; Path=/": false, "=sid": false, "=sid-rt=x": false, "=sid-login-abc=x": false,
	} {
		header := http.Header{"Set-Cookie": {line}}
		n.stripSet(header)
		assert.Equal(t, stays, len(header["Set-Cookie"]) == 1, "%q", line)
	}
}

func TestResponse_keepsTheAppFromOurCookiesInEarlyHints(t *testing.T) {
	f := open(t, "public /open")
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = f.ServeHTTP(w, prepare(r), handlerOf(f))
	}))
	server.Config.ReadHeaderTimeout = time.Minute
	server.Start()
	defer server.Close()
	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		w.Header()["Set-Cookie"] = []string{"__Host-sid=evil; Path=/; Secure", "theme=dark"}
		w.WriteHeader(http.StatusEarlyHints)
		clear(w.Header())
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
		hints = append(hints, h["Set-Cookie"]...)
		return nil
	}})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/open", http.NoBody)
	require.NoError(t, err)
	resp, err := server.Client().Do(r)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusNoContent, resp.StatusCode)
	assert.Equal(t, []string{"theme=dark"}, hints)
}

// A real server behind the wrapper: streams flush, and a connection can be taken over.
func TestResponse_canStreamAndSwitchProtocols(t *testing.T) {
	f, b := rotationDue(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = f.ServeHTTP(w, prepare(r), handlerOf(f))
	}))
	server.Config.ReadHeaderTimeout = time.Minute
	server.Start()
	defer server.Close()
	f.next = func(w http.ResponseWriter, r *http.Request) error {
		control := http.NewResponseController(w)
		if r.URL.Path == "/ws" {
			w.Header().Set("Upgrade", "echo")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
			conn, rw, err := control.Hijack()
			if err != nil {
				return err
			}
			defer conn.Close()
			line, _ := rw.ReadString('\n')
			_, err = conn.Write([]byte(line))
			return err
		}
		w.Header().Set("Content-Type", "text/event-stream")
		if _, err := io.WriteString(w, "data: one\n\n"); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
		<-r.Context().Done()
		return nil
	}
	cookie := "Cookie: __Host-sid=" + b.cookies[defaultCookie] + "\r\n"
	for path, tc := range map[string]struct{ send, want string }{
		"/ws":     {"Connection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n", "hello"},
		"/events": {"\r\n", "data: one"},
	} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
		_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: app.test\r\n"+cookie+tc.send)
		require.NoError(t, err)
		reader := bufio.NewReader(conn)
		got := ""
		for !strings.Contains(got, tc.want) {
			line, err := reader.ReadString('\n')
			require.NoError(t, err, "%s: %s", path, got)
			got += line
		}
		assert.NotContains(t, got, "Set-Cookie")
		conn.Close()
	}
}

// A response to an upgrade carries no cookies, whatever its status is: over HTTP/2 status 200 begins a WebSocket.
func TestResponse_carriesNoCookiesIfItSwitchesProtocols(t *testing.T) {
	f, b := rotationDue(t)
	w := b.call(http.MethodGet, "/", "Origin", site, "Connection", "Upgrade", "Upgrade", "websocket")
	require.Equal(t, http.StatusOK, w.Code)
	require.NotNil(t, f.got)
	assert.Empty(t, w.Header()["Set-Cookie"])
	assert.Len(t, b.call(http.MethodGet, "/").Header()["Set-Cookie"], 2, "the next response carries them")
}

func TestTake_leavesTheOtherCookies(t *testing.T) {
	n := newCookieNames(defaultCookie)
	for name, tc := range map[string]struct {
		give []string
		want presented
		left []string
	}{
		"none":           {nil, presented{}, nil},
		"others":         {[]string{"a=1; b=2"}, presented{}, []string{"a=1; b=2"}},
		"ours":           {[]string{"__Host-sid=x"}, presented{session: "x", count: 1}, nil},
		"between":        {[]string{"a=1;__Host-sid=x ; b=2; __Host-rt=y"}, presented{session: "x", ticket: "y", count: 2}, []string{"a=1; b=2"}},
		"two of a name":  {[]string{"__Host-sid=x; __Host-sid=y"}, presented{count: 2}, nil},
		"two tickets":    {[]string{"__Host-rt=x; __Host-rt=y"}, presented{count: 2}, nil},
		"in two lines":   {[]string{"__Host-sid=x; a=1", "__Host-sid=x"}, presented{count: 2}, []string{"a=1"}},
		"other case":     {[]string{"__host-sid=x"}, presented{}, []string{"__host-sid=x"}},
		"no value":       {[]string{"__Host-sid"}, presented{count: 1}, nil},
		"a space before": {[]string{" __Host-sid =x"}, presented{session: "x", count: 1}, nil},
		"flow":           {[]string{"__Host-login-abc=z"}, presented{count: 1, flows: []flowCookie{{"__Host-login-abc", "z"}}}, nil},
		"quoted":         {[]string{`a="x; __Host-sid=y"`}, presented{session: `y"`, count: 1}, []string{`a="x`}},
	} {
		header := http.Header{}
		if tc.give != nil {
			header["Cookie"] = tc.give
		}
		assert.Equal(t, tc.want, n.take(header), name)
		assert.Equal(t, tc.left, header["Cookie"], name)
	}
}

func FuzzTake(f *testing.F) {
	for _, seed := range []string{"a=1; __Host-sid=x", ";;;", "=", "__Host-sid", "a=\"__Host-rt=\x00\"", "__Host-login-x=1;__Host-login-y=2"} {
		f.Add(seed)
	}
	n := newCookieNames(defaultCookie)
	f.Fuzz(func(t *testing.T, line string) {
		header := http.Header{"Cookie": {line}}
		n.take(header)
		// Nobody who reads what is left by the rules of net/http finds one of ours.
		for _, c := range (&http.Request{Header: header}).Cookies() {
			if n.ours(c.Name) {
				t.Errorf("%q left %q", line, header["Cookie"])
			}
		}
		if again := n.take(header); again.count != 0 {
			t.Errorf("%q left %q", line, header["Cookie"])
		}
	})
}

func FuzzStripSet(f *testing.F) {
	for _, seed := range []string{
		"a=1; Path=/", "__Host-sid=x; Secure", " __Host-sid =x", "=__Host-sid=x", "==__Host-sid=x", "__Host-sid", "=__Host-sid", "\t__Host-login-abc=;", "__Host-rt=\x00", "a=__Host-sid=x", ";__Host-sid=x", "",
	} {
		f.Add(seed)
	}
	n := newCookieNames(defaultCookie)
	f.Fuzz(func(t *testing.T, line string) {
		const other = "theme=dark; Path=/"
		header := http.Header{"Set-Cookie": {other, line}}
		n.stripSet(header)
		left := header["Set-Cookie"]
		if len(left) == 0 || left[0] != other {
			t.Fatalf("%q took another cookie away: %q", line, left)
		}
		for _, c := range (&http.Response{Header: header}).Cookies() {
			if n.ours(c.Name) {
				t.Errorf("%q sets %q", line, c.Name)
			}
		}
		for _, l := range left {
			// A browser returns the pair; a pair without a name comes back as its value alone (RFC 6265bis, 5.6).
			pair, _, _ := strings.Cut(l, ";")
			name, value, found := strings.Cut(pair, "=")
			if name = strings.TrimSpace(name); !found || name == "" {
				name = strings.TrimSpace(value)
				if !found {
					name = strings.TrimSpace(pair)
				}
			} else {
				name += "=" + strings.TrimSpace(value)
			}
			if back := (http.Header{"Cookie": {name}}); n.take(back).count != 0 {
				t.Errorf("%q comes back as a cookie of ours: %q", line, name)
			}
		}
	})
}
