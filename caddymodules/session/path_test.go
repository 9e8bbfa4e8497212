package session

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// raw is a request by its first line, as bytes on the wire.
func raw(t testing.TB, target string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: app.test\r\n\r\n")))
	require.NoError(t, err)
	r.RemoteAddr = "192.0.2.1:4711"
	return prepare(r)
}

func TestPublic_isReadAsItIsWritten(t *testing.T) {
	f := open(t, "public @static /health /Docs/* @ico /a/*/c")
	for _, target := range []string{
		"/health", "/health?x=/../y", "/assets/app.js", "/assets/a%20b.js", "/assets/%C3%A4.css", "/favicon.ico", "/Docs/x", "/x/y.ico", "/a/b/c",
	} {
		assert.Equal(t, http.StatusOK, f.do(raw(t, target)).Code, target)
	}
	for _, target := range []string{
		"/", "/healthy", "/health/", "/admin",
		"/health#/../admin", "/health%23/../admin", "/assets/%23", "/assets//admin", "//assets/x", "/assets/./x", "/assets/../admin",
		"/assets/%2e%2e/admin", "/assets/%2E%2e/admin", "/assets/..%2fadmin", "/assets/%2e./admin", "/assets/.%2E", "/assets/..;/admin",
		"/assets/x;jsessionid=1", "/assets/%3b", "/assets/a%2fb", "/assets/a%2Fb", "/assets/a%5cb", "/assets/a%5Cb", `/assets/a\b`,
		"/assets/%00", "/assets/x%00.js", "/assets/%0d%0aX", "/assets/%7f", "/assets/%252e%252e/admin", "/assets/%3f",
		"/assets/%c0%ae%c0%ae/admin", "/assets/%ff",
		"/ASSETS/app.js", "/Assets/app.js", "/HEALTH", "/docs/x", "/health%2e", "/x/y.ICO", "/A/b/c", "/api/../health",
		"http://app.test//health", "*",
	} {
		w := f.do(raw(t, target))
		assert.Equal(t, http.StatusUnauthorized, w.Code, "%s passed without a session", target)
		assert.Nil(t, f.got, target)
	}
}

// A rewrite stands before session: what was asked for counts, not what it became.
func TestPublic_goesByWhatWasAskedFor(t *testing.T) {
	f := open(t, "public /open/*")
	r := request(http.MethodGet, "/admin")
	r.URL.Path, r.RequestURI = "/open/x", "/open/x"
	assert.Equal(t, http.StatusUnauthorized, f.do(r).Code)
	r = request(http.MethodGet, "/open/x")
	r.URL.Path, r.RequestURI = "/index.php", "/index.php"
	assert.Equal(t, http.StatusOK, f.do(r).Code)
	assert.Equal(t, "/index.php", f.got.URL.Path)
}

func TestPublic_readsASessionIfThereIsOne(t *testing.T) {
	f := open(t, "public *")
	assert.Equal(t, http.StatusOK, f.do(request(http.MethodGet, "/")).Code)
	assert.Empty(t, f.value("http.auth.user.id"))
	assert.Equal(t, "none", f.value("http.session.reason"))
	b := f.browser()
	b.signIn("mia")
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	assert.Equal(t, "dev:mia", f.value("http.auth.user.id"))
	b.cookies[defaultCookie] = "rubbish"
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	assert.Empty(t, f.value("http.auth.user.id"))
}

func TestEndpoints_andNothingElse(t *testing.T) {
	f := open(t, "public /_auth/*")
	for _, target := range []string{
		"/_auth", "/_auth/", "/_auth/x", "/_auth/login/", "/_auth/login/nobody", "/_auth/login/dev/x", "/_auth/login/dev/",
		"/_auth/callback", "/_auth/callback/", "/_auth/callback/nobody", "/_auth/callback/dev/", "/_auth/callback/dev/x", "/_auth/callback/dev;x",
		"/_auth/callback/dev%2f", "/_auth/callback/dev%00", "/_auth/logout/", "/_auth/logout/x", "/_auth/logout;x", "/_auth/logout%2fall", "/_auth//logout",
		"/_auth/logout/all", "/_auth/sessions", "/_auth/backchannel/dev", "/_auth/session/", "/_auth/./login", "/_auth/%2e%2e/admin", "/_auth/lo%67in%20", "/_auth%2flogout", "/_auth/callback%2Fdev",
	} {
		w := f.do(raw(t, target))
		assert.Equal(t, http.StatusNotFound, w.Code, target)
		assert.Nil(t, f.got, target)
		assert.Empty(t, w.Header()["Set-Cookie"], target)
	}
	for _, target := range []string{"/_AUTH/login", "/_authx", "/x/_auth/login", "//_auth/login"} {
		assert.Equal(t, http.StatusUnauthorized, f.do(raw(t, target)).Code, "%s is the app's", target)
	}
	for target, allow := range map[string]string{"/_auth/login": "GET, HEAD", "/_auth/callback/dev": "GET", "/_auth/session": "GET, HEAD"} {
		w := f.do(request(http.MethodPost, target, pageHeaders...))
		assert.Equal(t, http.StatusMethodNotAllowed, w.Code, target)
		assert.Equal(t, allow, w.Header().Get("Allow"))
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/a%20b", "/%2e%2e/", "/a;b", "//", "/%zz", "/%", "/ä", "/a%2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		if strings.ContainsAny(target, " \r\n") || !strings.HasPrefix(target, "/") {
			return
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n")))
		if err != nil || !canonical(r) {
			return
		}
		// Whatever anybody makes of it, it stays where it is.
		path := r.URL.Path
		for _, bad := range []string{"//", `\`, ";", "#", "%", "?", "\x00", "\n"} {
			if strings.Contains(path, bad) {
				t.Errorf("%q is canonical, and has %q", target, bad)
			}
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				t.Errorf("%q is canonical, and has %q", target, segment)
			}
		}
	})
}
