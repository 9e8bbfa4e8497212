package caller_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func atNoon() time.Time { return noon }

// chain is the whole of the package before a handler, and what it logs.
func chain(v *identity.Verifier, next http.HandlerFunc) (http.Handler, *observer.ObservedLogs) {
	core, logs := observer.New(zapcore.DebugLevel)
	logger := zap.New(core)
	log := caller.Log(caller.LogOptions{Logger: logger, Now: atNoon})
	return log(caller.Verify(caller.Options{Verifier: v, Logger: logger})(next)), logs
}

func TestVerify_saysWhoIsAsking(t *testing.T) {
	edge := callertest.At(t, atNoon)
	id := edge.Person("ann")
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	r.Header.Set("X-Request-Id", "edge-1")
	r.Header.Set("Gatehouse-Organization", "o1")
	var got caller.Caller
	var request store.Request
	h, _ := chain(edge.Verifier, func(_ http.ResponseWriter, r *http.Request) {
		got, _ = caller.From(r.Context())
		request = caller.Request(r.Context(), r)
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, edge.As(t, r, "ann"))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "edge-1", w.Header().Get("X-Request-Id"))
	want := store.Person{Issuer: callertest.Provider, Subject: "ann", Email: "ann@example.test"}
	require.Equal(t, want, got.Person)
	require.Equal(t, id.AuthTime, got.Identity.AuthTime)
	require.Equal(t, "ann", got.Identity.Claim("name"))
	require.Equal(t, store.Request{Person: want, Organization: "o1", RequestID: "edge-1"}, request)
}

func TestVerify_failsClosed(t *testing.T) {
	edge, other := callertest.At(t, atNoon), callertest.At(t, atNoon)
	blind, err := identity.NewVerifier(identity.VerifierConfig{Issuer: callertest.Issuer, Audience: callertest.Audience, Keys: noKeys{}, Now: atNoon})
	require.NoError(t, err)
	good := edge.Sign(t, edge.Person("ann"))
	nobody := edge.Person("ann")
	nobody.IDP, nobody.IDPSubject = "", ""
	noSubject := edge.Person("ann")
	noSubject.IDPSubject = ""
	late := callertest.At(t, func() time.Time { return noon.Add(-time.Hour) })
	for name, tc := range map[string]struct {
		verifier   *identity.Verifier
		assertions []string
		status     int
		code       string
	}{
		"none":                       {edge.Verifier, nil, 401, "unauthenticated"},
		"an empty one":               {edge.Verifier, []string{""}, 401, "unauthenticated"},
		"no token":                   {edge.Verifier, []string{"canary"}, 401, "unauthenticated"},
		"another edge's":             {edge.Verifier, []string{other.Sign(t, other.Person("ann"))}, 401, "unauthenticated"},
		"an old one":                 {edge.Verifier, []string{late.Sign(t, late.Person("ann"))}, 401, "unauthenticated"},
		"two":                        {edge.Verifier, []string{good, good}, 401, "unauthenticated"},
		"a changed one":              {edge.Verifier, []string{good[:len(good)-4] + "AAAA"}, 401, "unauthenticated"},
		"of no identity provider":    {edge.Verifier, []string{edge.Sign(t, nobody)}, 401, "unauthenticated"},
		"without provider's subject": {edge.Verifier, []string{edge.Sign(t, noSubject)}, 401, "unauthenticated"},
		"keys are unavailable":       {blind, []string{good}, 503, "identity_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			h, logs := chain(tc.verifier, func(http.ResponseWriter, *http.Request) { t.Error("the request got through") })
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/clients", nil)
			r.Header["X-Auth-Assertion"] = tc.assertions
			r.Header.Set("X-Request-Id", "edge-1")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			require.Equal(t, tc.status, w.Code)
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.Equal(t, "private, no-store", w.Header().Get("Cache-Control"))
			require.Equal(t, tc.status == 503, w.Header().Get("Retry-After") != "")
			var problem map[string]any
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &problem))
			require.NotEmpty(t, problem["title"])
			delete(problem, "title")
			require.Equal(t, map[string]any{"type": "/problems/" + tc.code, "code": tc.code, "status": float64(tc.status), "requestId": "edge-1"}, problem)
			for _, secret := range append(tc.assertions, "canary", "corp:ann", "ann@") {
				if secret != "" {
					require.NotContains(t, dump(logs)+w.Body.String(), secret)
				}
			}
		})
	}
}

func TestVerify_logsThatKeysAreGoneOnce(t *testing.T) {
	edge := callertest.At(t, atNoon)
	keys := &switched{PublicKeys: keysOf(t, edge)}
	v, err := identity.NewVerifier(identity.VerifierConfig{Issuer: callertest.Issuer, Audience: callertest.Audience, Keys: keys, Now: atNoon})
	require.NoError(t, err)
	h, logs := chain(v, func(http.ResponseWriter, *http.Request) {})
	for _, off := range []bool{false, true, true, true, false, false} {
		keys.off = off
		h.ServeHTTP(httptest.NewRecorder(), edge.As(t, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), "ann"))
	}
	require.Len(t, logs.FilterMessageSnippet("cannot be had").All(), 1)
	require.Len(t, logs.FilterMessageSnippet("can be had again").All(), 1)
}

func TestRequest_wish(t *testing.T) {
	for name, tc := range map[string]struct {
		header  []string
		cookies string
		want    string
	}{
		"none":                 {nil, "", ""},
		"header":               {[]string{"acme"}, "", "acme"},
		"cookie":               {nil, "org=acme", "acme"},
		"header before cookie": {[]string{"acme"}, "org=other", "acme"},
		"empty header":         {[]string{""}, "org=acme", "acme"},
		"two headers":          {[]string{"acme", "other"}, "", ", "}, // what nobody's organization is called
		"another cookie":       {nil, "org2=acme; xorg=acme", ""},
		"the first cookie":     {nil, "org=acme; org=other", "acme"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			r.Header["Gatehouse-Organization"] = tc.header
			if tc.cookies != "" {
				r.Header.Set("Cookie", tc.cookies)
			}
			ctx := caller.NewContext(t.Context(), caller.Caller{})
			require.Equal(t, tc.want, caller.Request(ctx, r).Organization)
			require.Equal(t, store.Request{}, caller.Request(t.Context(), r), "without a caller there is no wish")
		})
	}
}

// dump is all that was logged, as text.
func dump(logs *observer.ObservedLogs) string {
	var b strings.Builder
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"})
	for _, entry := range logs.All() {
		line, err := encoder.EncodeEntry(entry.Entry, entry.Context)
		if err != nil {
			panic(err)
		}
		b.WriteString(line.String())
	}
	return b.String()
}

// noKeys are keys that cannot be read.
type noKeys struct{}

func (noKeys) PublicKey(context.Context, string) (ed25519.PublicKey, error) {
	return nil, identity.ErrKeysUnavailable
}

// switched are keys that can be switched off.
type switched struct {
	identity.PublicKeys
	off bool
}

func (s *switched) PublicKey(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if s.off {
		return nil, identity.ErrKeysUnavailable
	}
	return s.PublicKeys.PublicKey(ctx, id)
}

func keysOf(t *testing.T, edge *callertest.Edge) identity.PublicKeys {
	t.Helper()
	return identity.KeysFromFile(edge.KeySet, identity.WithClock(atNoon))
}
