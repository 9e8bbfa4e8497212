package assertidentity

import (
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

func TestServeHTTP_assertsWhoIsSignedIn(t *testing.T) {
	f := open(t, "claims email name plan level tags")
	got := f.seen(with(ann(), "http.auth.user.plan", "pro", "http.auth.user.level", 3, "http.auth.user.tags", []any{"a", true}))
	assert.Equal(t, identity.Identity{
		Subject: "corp:ann", Issuer: "gatehouse", IDP: "https://login.example.com", IDPSubject: "ann", SessionID: "9f2c", ACR: "urn:mfa",
		AuthTime: time.Unix(1772362800, 0).UTC(), Groups: []string{"staff", "admins"}, Source: identity.FromSession,
		Claims: map[string]any{"email": "ann@example.com", "name": "Ann", "plan": "pro", "level": got.Claims["level"], "tags": []any{"a", true}},
	}, got)
	assert.EqualValues(t, "3", got.Claims["level"])
	assert.Empty(t, f.got.Header["X-Auth-User"], "plain headers are off by default")
}

func TestServeHTTP_assertsNobodyWithoutAUser(t *testing.T) {
	f := open(t, "headers X-Auth-User X-Auth-Email")
	for name, placeholders := range map[string]map[string]any{
		"nothing":         nil,
		"an empty id":     {"http.auth.user.id": ""},
		"no id":           with(ann(), "http.auth.user.id", nil),
		"a candidate":     {"http.auth.candidate.id": "corp:ann"},
		"another's claim": {"http.auth.user.email": "ann@example.com", "http.auth.user.email_verified": true},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(placeholders)
			r.Header.Set("X-Auth-Assertion", "forged")
			r.Header.Set("X-Auth-User", "root")
			f.do(r)
			require.NotNil(t, f.got)
			assert.Equal(t, http.Header{"X-Request-Id": f.got.Header["X-Request-Id"]}, f.got.Header)
		})
	}
	assert.InDelta(t, 5, count(t, f.counts.anonymous), 0)
	assert.InDelta(t, 5, count(t, f.counts.stripped), 0)
}

func TestServeHTTP_deletesWhatTheClientClaims(t *testing.T) {
	f := open(t, "headers Remote-User")
	for _, name := range []string{
		"X-Auth-User", "x_auth_user", "X.Auth.User", "X-Auth-User ", "X_AUTH-Groups", "X-Auth-Anything", "X-Auth-Assertion", "x_auth_assertion",
		"Remote-User", "remote_user", "REMOTE.USER", "X_Request_Id", "X.Request.Id",
	} {
		for who, placeholders := range map[string]map[string]any{"nobody": nil, "ann": ann()} {
			r := request(placeholders)
			r.Header[name] = []string{"root", "admin"}
			r.Header["Connection"] = []string{"keep-alive, X-Auth-Assertion", name}
			r.Trailer = http.Header{name: nil, "Checksum": nil}
			f.do(r)
			require.NotNil(t, f.got)
			for left, values := range f.got.Header {
				assert.NotContains(t, values, "root", "%s sent %q, and %q passed", who, name, left)
			}
			assert.Equal(t, []string{"keep-alive"}, f.got.Header["Connection"], "%s sent Connection: %s", who, name)
			assert.Equal(t, http.Header{"Checksum": nil}, f.got.Trailer, "%s announced %q", who, name)
			assert.Equal(t, who == "ann", len(f.got.Header["X-Auth-Assertion"]) == 1)
		}
	}
}

func TestServeHTTP_setsTheRequestIDOfTheEdge(t *testing.T) {
	f := open(t, "")
	for _, placeholders := range []map[string]any{nil, ann()} {
		r := request(placeholders)
		r.Header["X-Request-Id"] = []string{"mine", "mine too"}
		r.Header["x_request_id"] = []string{"mine"}
		w := f.do(r)
		want, ok := replacer(r).GetString("http.request.uuid")
		require.True(t, ok)
		assert.Equal(t, []string{want}, f.got.Header["X-Request-Id"])
		assert.Regexp(t, `^[0-9a-f-]{36}$`, want)
		assert.NotContains(t, f.got.Header, "x_request_id")
		assert.Empty(t, w.Header()["X-Request-Id"], "the response is for the site's own header directive")
	}
	stripped := count(t, f.counts.stripped)
	assert.InDelta(t, 2, stripped, 0, "the odd spelling")
	r := request(nil)
	r.Header["X-Request-Id"] = []string{"of a load balancer"}
	f.do(r)
	assert.InDelta(t, stripped, count(t, f.counts.stripped), 0, "an id in its usual spelling is nobody's attack")
}

func TestServeHTTP_passesOnVerifiedEmailsOnly(t *testing.T) {
	f := open(t, "headers X-Auth-Email")
	for name, tc := range map[string]struct {
		give map[string]any
		want string
	}{
		"of a session":                    {ann(), "ann@example.com"},
		"of a ticket":                     {with(ann(), "http.session.source", "ticket"), "ann@example.com"},
		"of a session, said unverified":   {with(ann(), "http.auth.user.email_verified", false), ""},
		"of another handler":              {with(ann(), "http.session.source", nil), ""},
		"of another beside session":       {with(ann(), "http.session.source", "none"), ""},
		"of another, verified":            {with(ann(), "http.session.source", nil, "http.auth.user.email_verified", true), "ann@example.com"},
		"of another, verified in text":    {with(ann(), "http.session.source", nil, "http.auth.user.email_verified", "true"), "ann@example.com"},
		"of another, verified by a crowd": {with(ann(), "http.session.source", nil, "http.auth.user.email_verified", "True "), ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, f.seen(tc.give).Claim("email"))
			assert.Equal(t, tc.want, f.got.Header.Get("X-Auth-Email"))
		})
	}
}

func TestServeHTTP_saysWhereTheUserIsFrom(t *testing.T) {
	f := open(t, "")
	for source, want := range map[any]identity.Source{
		"cache": identity.FromSession, "copy": identity.FromSession, "redis": identity.FromSession,
		"ticket": identity.FromTicket, "bearer": identity.FromBearer, "none": identity.FromOther, nil: identity.FromOther,
	} {
		assert.Equal(t, want, f.seen(with(ann(), "http.session.source", source)).Source, source)
	}
}

func TestServeHTTP_readsGroupsAsListOrText(t *testing.T) {
	f := open(t, "headers X-Auth-Groups")
	for name, tc := range map[string]struct {
		give  any
		want  []string
		plain string
	}{
		"a list":                  {[]string{"staff", "admins"}, []string{"staff", "admins"}, "staff,admins"},
		"a list of anything":      {[]any{"staff", "admins"}, []string{"staff", "admins"}, "staff,admins"},
		"a list with a text":      {namedList{"staff", "admins"}, []string{"staff", "admins"}, "staff,admins"},
		"a text":                  {"staff, admins ,", []string{"staff", "admins"}, "staff,admins"},
		"spaces in a list":        {[]string{"staff", "admins ", " "}, []string{"staff", "admins ", " "}, "staff"},
		"nothing":                 {nil, nil, ""},
		"an empty list":           {[]string{}, nil, ""},
		"an empty text":           {"", nil, ""},
		"a comma in a list":       {[]string{"staff", "x,admins"}, []string{"staff", "x,admins"}, "staff"},
		"a line break in a list":  {[]string{"staff", "a\r\nX-Auth-User: root"}, []string{"staff", "a\r\nX-Auth-User: root"}, "staff"},
		"only a comma in a group": {[]string{"a,b"}, []string{"a,b"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, f.seen(with(ann(), "http.auth.user.groups", tc.give)).Groups)
			assert.Equal(t, tc.plain, f.got.Header.Get("X-Auth-Groups"))
		})
	}
}

func TestServeHTTP_readsTheTimeOfTheSignIn(t *testing.T) {
	f := open(t, "")
	want := time.Unix(1772362800, 0).UTC()
	for name, tc := range map[string]struct {
		give any
		want time.Time
	}{
		"seconds": {int64(1772362800), want}, "int": {1772362800, want}, "text": {"1772362800", want}, "float": {1772362800.0, want},
		"a time": {want, want}, "RFC 3339": {"2026-03-01T11:00:00Z", want},
		"nonsense": {"yesterday", time.Time{}}, "nothing": {nil, time.Time{}}, "negative": {-5, time.Time{}}, "a fraction": {1.5, time.Time{}},
	} {
		assert.Equal(t, tc.want, f.seen(with(ann(), "http.auth.user.auth_time", tc.give)).AuthTime, name)
	}
}

func TestServeHTTP_setsPlainHeadersThatSayExactlyThat(t *testing.T) {
	f := open(t, "headers X-Auth-User Remote-Email x-auth-name X-Auth-Groups")
	f.seen(ann())
	assert.Equal(t, []string{"corp:ann"}, f.got.Header["X-Auth-User"])
	assert.Equal(t, []string{"ann@example.com"}, f.got.Header["Remote-Email"])
	assert.Equal(t, []string{"Ann"}, f.got.Header["X-Auth-Name"])
	assert.Equal(t, []string{"staff,admins"}, f.got.Header["X-Auth-Groups"])

	// What a header cannot carry unchanged is left out; the assertion still has it.
	for _, odd := range []string{"Ann\n", "An\nn", "A\x00", " Ann", "Ann ", "\tAnn", "A\x7f", "A\rX-Auth-User: root", "\u00a0Ann"} {
		id := f.seen(with(ann(), "http.auth.user.name", odd, "http.auth.user.id", odd))
		assert.Equal(t, odd, id.Subject)
		assert.NotContains(t, f.got.Header, "X-Auth-Name", "%q", odd)
		assert.NotContains(t, f.got.Header, "X-Auth-User", "%q", odd)
	}
	assert.Equal(t, "Zoë", func() string {
		f.seen(with(ann(), "http.auth.user.name", "Zoë"))
		return f.got.Header.Get("X-Auth-Name")
	}())
}

func TestServeHTTP_failsClosed(t *testing.T) {
	f := open(t, "headers X-Auth-User\nclaims email profile")
	for name, placeholders := range map[string]map[string]any{
		"too large":              with(ann(), "http.auth.user.groups", strings.Split(strings.Repeat("a long group name,", 2000), ",")),
		"a subject not in UTF-8": with(ann(), "http.auth.user.id", "a\xff"),
		"a list in a claim":      with(ann(), "http.auth.user.profile", []any{[]any{"x"}}),
	} {
		t.Run(name, func(t *testing.T) {
			w := f.do(request(placeholders))
			assert.Equal(t, http.StatusInternalServerError, w.Code)
			assert.Nil(t, f.got, "the request passed")
		})
	}
	assert.InDelta(t, 3, count(t, f.counts.failed), 0)

	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusInternalServerError, f.do(r).Code, "a request that Caddy has not prepared")
}

func TestServeHTTP_reusesAnAssertionForHalfItsLife(t *testing.T) {
	f := open(t, "ttl 60s")
	token := func(placeholders map[string]any) string {
		f.seen(placeholders)
		return f.got.Header.Get("X-Auth-Assertion")
	}
	first := token(ann())
	f.at = start.Add(30*time.Second - 1)
	assert.Equal(t, first, token(ann()), "just before half its life")
	f.at = start.Add(30 * time.Second)
	second := token(ann())
	assert.NotEqual(t, first, second, "at half its life")
	assert.Equal(t, second, token(ann()))
	assert.InDelta(t, 2, count(t, f.counts.signed), 0)
	assert.InDelta(t, 2, count(t, f.counts.cached), 0)
}

// Whatever differs between two requests of a user, or between two users, is never answered from the
// other's assertion.
func TestServeHTTP_reusesAnAssertionForTheSameUserOnly(t *testing.T) {
	f := open(t, "claims email name plan")
	users := []map[string]any{ann()}
	for name, other := range map[string]any{
		"http.auth.user.id": "corp:bob", "http.auth.user.iss": "https://other.example", "http.auth.user.sub": "bob",
		"http.auth.user.session": "0000", "http.auth.user.acr": "urn:pwd", "http.auth.user.auth_time": int64(1772362801),
		"http.auth.user.email": "bob@example.com", "http.auth.user.name": "Bob", "http.auth.user.plan": "pro",
		"http.session.source": "ticket", "http.auth.user.email_verified": false,
	} {
		users = append(users, with(ann(), name, other), with(ann(), name, nil))
	}
	for _, groups := range []any{
		nil, "staff", "staff,admins,", []string{"staff"}, []string{"staff,admins"}, []string{"staff", "admins", ""}, []any{"staff", "admins", 1}, []any{"staff", "admins1"},
		namedList{"staffadmins"}, namedList{"staff", "admin", "s"},
	} {
		users = append(users, with(ann(), "http.auth.user.groups", groups))
	}
	// Texts that run together the same way.
	users = append(users,
		with(ann(), "http.auth.user.iss", "ab", "http.auth.user.sub", "c"), with(ann(), "http.auth.user.iss", "a", "http.auth.user.sub", "bc"),
		with(ann(), "http.auth.user.plan", 1), with(ann(), "http.auth.user.plan", "1"), with(ann(), "http.auth.user.plan", true), with(ann(), "http.auth.user.plan", "true"),
		with(ann(), "http.auth.user.plan", 1.0), with(ann(), "http.auth.user.plan", start),
	)
	for range 2 {
		for _, placeholders := range users {
			if placeholders["http.auth.user.id"] != nil {
				assert.Equal(t, f.uncached(placeholders), f.seen(placeholders))
			}
		}
	}
	assert.Positive(t, count(t, f.counts.cached))
}

// A handler that follows may change the values of a header in place; no other request sees it.
func TestServeHTTP_sharesNoHeaderValues(t *testing.T) {
	f := open(t, "headers X-Auth-User X-Auth-Name")
	f.seen(ann())
	for _, values := range f.got.Header {
		values[0] = "spoilt"
		assert.Equal(t, 1, cap(values), "an append would write into the next header")
	}
	f.seen(ann())
	assert.Equal(t, "corp:ann", f.got.Header.Get("X-Auth-User"))
	assert.InDelta(t, 1, count(t, f.counts.cached), 0)
}

func TestServeHTTP_signsAnewWhenKeysChange(t *testing.T) {
	f := open(t, "")
	f.seen(ann())
	first := f.got.Header.Get("X-Auth-Assertion")
	newID := addKey(t, f.Keys, "2.pem")
	require.NoError(t, os.Remove(filepath.Join(f.Keys, "1.pem")))
	require.NoError(t, f.keyring.Reload(t.Context()))
	require.Equal(t, newID, f.keyring.KeyID())
	f.do(request(ann()))
	second := f.got.Header.Get("X-Auth-Assertion")
	require.NotEqual(t, first, second, "an assertion of the withdrawn key is still sent")
	verifier, err := identity.NewVerifier(identity.VerifierConfig{Issuer: "gatehouse", Audience: "app", Keys: f.published(), Now: f.now})
	require.NoError(t, err)
	_, err = verifier.Verify(t.Context(), second)
	require.NoError(t, err)
	_, err = verifier.Verify(t.Context(), first)
	require.ErrorIs(t, err, identity.ErrInvalid)
}

func TestServeHTTP_keepsABoundedNumberOfAssertions(t *testing.T) {
	f := open(t, "")
	long := strings.Repeat("x", 8000)
	for i := range 4000 { // 100 MB in all
		f.do(request(with(ann(), "http.auth.user.id", strconv.Itoa(i), "http.auth.user.name", long)))
	}
	bytes, entries := f.cache.Size()
	assert.LessOrEqual(t, bytes, maxCached)
	assert.Positive(t, entries)
}

func TestServeHTTP_servesTheKeySet(t *testing.T) {
	f := open(t, "jwks_path /keys.json")
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "OPTIONS": 405} {
		r := request(nil)
		r.Method, r.URL.Path = method, "/keys.json"
		w := f.do(r)
		assert.Equal(t, want, w.Code, method)
		assert.Nil(t, f.got, "%s passed", method)
		if want == 405 {
			assert.Equal(t, "GET, HEAD", w.Header().Get("Allow"))
			continue
		}
		assert.Equal(t, "application/jwk-set+json", w.Header().Get("Content-Type"))
		assert.Equal(t, "public, max-age=60", w.Header().Get("Cache-Control"))
		assert.Equal(t, strconv.Itoa(len(f.keyring.JWKS())), w.Header().Get("Content-Length"))
		assert.Equal(t, method == "GET", w.Body.String() == string(f.keyring.JWKS()))
		assert.Equal(t, method == "HEAD", w.Body.Len() == 0)
	}
	for _, path := range []string{"/keys.json/", "/keys.jso", "/Keys.json", "/a/keys.json", "/.well-known/gatehouse-jwks.json"} {
		r := request(nil)
		r.URL.Path = path
		f.do(r)
		assert.NotNil(t, f.got, "%s is not the upstream's", path)
	}
}

func replacer(r *http.Request) *caddy.Replacer {
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	return repl
}

// uncached is what the upstream would see of an assertion that was signed for this request.
func (f *fixture) uncached(placeholders map[string]any) identity.Identity {
	f.tb.Helper()
	u := new(user)
	require.True(f.tb, f.user.read(replacer(request(placeholders)), nil, u))
	signed, err := f.signer.Sign(f.user.identity(u))
	require.NoError(f.tb, err)
	id, err := f.verifier.Verify(f.tb.Context(), signed.Token)
	require.NoError(f.tb, err)
	return id
}
