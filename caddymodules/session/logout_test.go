package session

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogout_endsTheSessionEverywhere(t *testing.T) {
	f := open(t, "after_logout /bye")
	b := f.browser()
	b.signIn("mia")
	copied := f.browser()
	copied.cookies = map[string]string{"__Host-sid": b.cookies["__Host-sid"], "__Host-rt": b.cookies["__Host-rt"]}
	require.Equal(t, http.StatusOK, copied.call(http.MethodGet, "/").Code)

	w := b.navigate("/_auth/logout")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Body.String(), `<form method="post" action="/_auth/logout">`)
	assert.Equal(t, "same-origin", w.Header().Get("Referrer-Policy"), "or the form's Origin would be null")
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code, "looking signs nobody out")

	w = b.send(request(http.MethodPost, "/_auth/logout", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"))
	assert.Equal(t, http.StatusSeeOther, w.Code)
	assert.Equal(t, "/bye", w.Header().Get("Location"))
	assert.Equal(t, `"cache"`, w.Header().Get("Clear-Site-Data"))
	assert.Empty(t, b.cookies)
	w = copied.call(http.MethodGet, "/")
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "revoked", problemOf(t, w).Reason)
}

func TestLogout_notByAnotherSite(t *testing.T) {
	f := open(t, "rule * {\ncsrf off\n}")
	b := f.browser()
	b.signIn("mia")
	for _, headers := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.test"}, {"Origin", "null"},
	} {
		w := b.send(request(http.MethodPost, "/_auth/logout", headers...))
		assert.Equal(t, http.StatusForbidden, w.Code, "%v", headers)
		assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
	}
	b.send(request(http.MethodGet, "/_auth/logout", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Dest", "image"))
	assert.Equal(t, http.StatusOK, b.call(http.MethodGet, "/").Code)
}

func TestLogout_ofScriptsSaysWhereToGo(t *testing.T) {
	f := open(t, "clear_site_data off")
	b := f.browser()
	b.signIn("mia")
	w := b.call(http.MethodPost, "/_auth/logout")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.JSONEq(t, `{"location":"/"}`, w.Body.String())
	assert.Empty(t, w.Header()["Clear-Site-Data"])
	assert.Empty(t, b.cookies)
	assert.Equal(t, http.StatusOK, b.call(http.MethodPost, "/_auth/logout").Code, "once more does no harm")
}

func TestLogout_atTheProviderToo(t *testing.T) {
	f := open(t, "logout rp")
	b := f.browser()
	b.signIn("mia")
	assert.Contains(t, b.navigate("/_auth/logout").Header().Get("Content-Security-Policy"), "form-action 'self' "+f.op.Issuer())
	w := b.send(request(http.MethodPost, "/_auth/logout", "Sec-Fetch-Site", "same-origin", "Accept", "text/html"))
	assert.Equal(t, http.StatusSeeOther, w.Code)
	u, err := url.Parse(w.Header().Get("Location"))
	require.NoError(t, err)
	assert.Equal(t, f.op.Issuer(), u.Scheme+"://"+u.Host)
	assert.Equal(t, site+"/", u.Query().Get("post_logout_redirect_uri"))
	assert.NotEmpty(t, u.Query().Get("id_token_hint"))
	p, err := b.provider.Visit(t.Context(), u.String(), site)
	require.NoError(t, err)
	assert.Equal(t, site+"/", p.URL.String(), "the provider takes the hint and asks nobody")

	// Who presents nothing that is a session's gets no token.
	b.cookies[defaultCookie] = strange(t)
	w = b.send(request(http.MethodPost, "/_auth/logout", "Sec-Fetch-Site", "same-origin", "Accept", "text/html"))
	assert.Equal(t, "/", w.Header().Get("Location"))
}

func TestLogout_holdsWhileRedisIsAway(t *testing.T) {
	f := open(t, "")
	b := f.browser()
	b.signIn("mia")
	b.call(http.MethodGet, "/")
	copied := f.browser()
	copied.cookies = map[string]string{"__Host-sid": b.cookies["__Host-sid"], "__Host-rt": b.cookies["__Host-rt"]}
	f.store.set(true)
	w := b.call(http.MethodPost, "/_auth/logout")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Empty(t, b.cookies)
	w = copied.call(http.MethodGet, "/")
	assert.Equal(t, http.StatusUnauthorized, w.Code)
	assert.Equal(t, "revoked", problemOf(t, w).Reason)
	f.store.set(false)
	require.NoError(t, f.sharedState.node.LinkUp(t.Context()))
	assert.Equal(t, http.StatusUnauthorized, copied.call(http.MethodGet, "/").Code)
}
