package oidc

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// A logout at the provider reaches the relying party over the wire.
func TestBackchannelLogout(t *testing.T) {
	w := newWorld(t, nil)
	type result struct {
		token LogoutToken
		err   error
	}
	got := make(chan result, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var res result
		raw, err := ReadLogoutToken(rw, r)
		if err == nil {
			res.token, err = w.VerifyLogoutToken(r.Context(), raw, &seen{})
		}
		res.err = err
		got <- res
	}))
	defer receiver.Close()
	if err := w.op.SetClient(idp.Client{
		ID: "app", Secret: "a secret/with+signs", RedirectURIs: []string{redirectURI},
		PostLogoutRedirectURIs: []string{"https://app.example/bye"}, BackchannelLogoutURI: receiver.URL,
	}); err != nil {
		t.Fatal(err)
	}
	who, tokens := w.mustLogin(t, "adam")
	address, err := w.EndSessionURL(tokens.ID, "https://app.example/bye", "a-state")
	if err != nil {
		t.Fatal(err)
	}
	p, err := w.browser.Visit(t.Context(), address, "https://app.example/")
	if err != nil || p.URL.String() != "https://app.example/bye?state=a-state" {
		t.Fatalf("the logout ended at %+v, %v", p, err)
	}
	res := <-got
	if res.err != nil {
		t.Fatal(res.err)
	}
	if res.token.SessionID != who.SessionID || res.token.Subject != "adam" || res.token.Issuer != who.Issuer || !res.token.IssuedAt.Equal(w.clock.now()) {
		t.Errorf("got %+v, want the session of %+v", res.token, who)
	}
}

func (w *world) logoutToken(t *testing.T, sub, sid string) string {
	t.Helper()
	raw, err := w.op.LogoutToken("app", sub, sid)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestVerifyLogoutToken(t *testing.T) {
	for _, tt := range []struct {
		sub, sid string
		fault    idp.Fault
	}{
		{sub: "adam", sid: "s1"},
		{sub: "adam"},
		{sid: "s1"},
		{sub: "adam", fault: idp.Fault{Name: "plain_typ", On: "logout"}},
		{sub: "adam", fault: idp.Fault{Name: "old_iat", Arg: "-329s"}},
		{sub: "adam", fault: idp.Fault{Name: "expired", On: "logout", Arg: "-29s"}},
	} {
		w := newWorld(t, nil)
		if tt.fault.Name != "" {
			w.fault(t, tt.fault)
		}
		got, err := w.VerifyLogoutToken(t.Context(), w.logoutToken(t, tt.sub, tt.sid), &seen{})
		if err != nil || got.Subject != tt.sub || got.SessionID != tt.sid || got.OnceKey == "" {
			t.Errorf("%+v: got %+v, %v", tt, got, err)
		}
	}
}

func TestVerifyLogoutToken_rejects(t *testing.T) {
	for _, tt := range []struct {
		fault  idp.Fault
		reason Reason
	}{
		{idp.Fault{Name: "bad_signature", On: "logout"}, ReasonSignature},
		{idp.Fault{Name: "wrong_key", On: "logout"}, ReasonSignature},
		{idp.Fault{Name: "unknown_key", On: "logout"}, ReasonUnknownKey},
		{idp.Fault{Name: "alg_none", On: "logout"}, ReasonAlgorithm},
		{idp.Fault{Name: "alg_hs256", On: "logout"}, ReasonAlgorithm},
		{idp.Fault{Name: "wrong_iss", On: "logout"}, ReasonIssuer},
		{idp.Fault{Name: "wrong_aud", On: "logout"}, ReasonAudience},
		{idp.Fault{Name: "with_nonce"}, ReasonNonce},
		{idp.Fault{Name: "no_events"}, ReasonEvent},
		{idp.Fault{Name: "other_events"}, ReasonEvent},
		{idp.Fault{Name: "events_list"}, ReasonEvent},
		{idp.Fault{Name: "event_text"}, ReasonEvent},
		{idp.Fault{Name: "no_sid_no_sub"}, ReasonSession},
		{idp.Fault{Name: "no_jti"}, ReasonMalformed},
		{idp.Fault{Name: "no_iat"}, ReasonMalformed},
		{idp.Fault{Name: "old_iat"}, ReasonTime},
		{idp.Fault{Name: "old_iat", Arg: "-331s"}, ReasonTime},
		{idp.Fault{Name: "iat_future", On: "logout"}, ReasonTime},
		{idp.Fault{Name: "expired", On: "logout"}, ReasonExpired},
		{idp.Fault{Name: "no_exp", On: "logout"}, ReasonMalformed},
		{idp.Fault{Name: "wrong_typ"}, ReasonType},
		{idp.Fault{Name: "looks_like_id"}, ReasonEvent},
		{idp.Fault{Name: "shadowed_claim", On: "logout"}, ReasonMalformed},
	} {
		t.Run(tt.fault.Name+tt.fault.Arg, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fault(t, tt.fault)
			once := &seen{}
			_, err := w.VerifyLogoutToken(t.Context(), w.logoutToken(t, "adam", "s1"), once)
			wantReason(t, err, "logout token", tt.reason)
			if len(once.keys) > 0 {
				t.Error("a rejected token spent its id")
			}
		})
	}
	t.Run("an ID token", func(t *testing.T) {
		w := newWorld(t, nil)
		_, tokens := w.mustLogin(t, "adam")
		_, err := w.VerifyLogoutToken(t.Context(), tokens.ID, &seen{})
		wantReason(t, err, "logout token", ReasonEvent)
	})
	t.Run("an access token", func(t *testing.T) {
		w := newWorld(t, nil)
		_, tokens := w.mustLogin(t, "adam")
		_, err := w.VerifyLogoutToken(t.Context(), tokens.Access, &seen{})
		wantReason(t, err, "logout token", ReasonType)
	})
	for _, raw := range []string{"", ".", "..", "a.b.c", strings.Repeat("a", maxToken+1)} {
		w := newWorld(t, nil)
		_, err := w.VerifyLogoutToken(t.Context(), raw, &seen{})
		wantReason(t, err, "logout token", ReasonMalformed)
	}
}

func TestVerifyLogoutToken_isGoodOnce(t *testing.T) {
	w := newWorld(t, nil)
	once := &seen{}
	raw := w.logoutToken(t, "adam", "s1")
	first, err := w.VerifyLogoutToken(t.Context(), raw, once)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.VerifyLogoutToken(t.Context(), raw, once)
	wantReason(t, err, "logout token", ReasonReplay)
	// The same id in another token is the same id.
	w.fault(t, idp.Fault{Name: "replay"})
	_, err = w.VerifyLogoutToken(t.Context(), w.logoutToken(t, "mia", "s2"), once)
	wantReason(t, err, "logout token", ReasonReplay)
	// It is remembered for longer than a token can be accepted.
	if ttl := once.keys[first.OnceKey]; ttl <= maxLogoutAge+futureNBF+w.cfg.Leeway {
		t.Errorf("remembered for %s only", ttl)
	}
	once.err = errors.New("out of order")
	if _, err := w.VerifyLogoutToken(t.Context(), w.logoutToken(t, "adam", "s1"), once); !errors.Is(err, once.err) {
		t.Errorf("got %v, want the error of the memory", err)
	}
}

func TestVerifyLogoutToken_providerNotReached(t *testing.T) {
	w := newWorld(t, nil)
	p, err := New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.VerifyLogoutToken(t.Context(), w.logoutToken(t, "adam", ""), &seen{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
}

func TestReadLogoutToken(t *testing.T) {
	const form = "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name, method, target, kind, body string
		want                             string
	}{
		{"sound", "POST", "/", form, "logout_token=abc", "abc"},
		{"sound with charset", "POST", "/", form + "; charset=utf-8", "logout_token=abc&x=y", "abc"},
		{"GET", "GET", "/?logout_token=abc", form, "", ""},
		{"PUT", "PUT", "/", form, "logout_token=abc", ""},
		{"in the query", "POST", "/?logout_token=abc", form, "", ""},
		{"JSON", "POST", "/", "application/json", `{"logout_token":"abc"}`, ""},
		{"no type", "POST", "/", "", "logout_token=abc", ""},
		{"two", "POST", "/", form, "logout_token=abc&logout_token=def", ""},
		{"empty", "POST", "/", form, "logout_token=", ""},
		{"too large", "POST", "/", form, "logout_token=" + strings.Repeat("a", maxLogoutBody), ""},
		{"broken", "POST", "/", form, "logout_token=%zz", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), tt.method, tt.target, strings.NewReader(tt.body))
			if tt.kind != "" {
				r.Header.Set("Content-Type", tt.kind)
			}
			got, err := ReadLogoutToken(httptest.NewRecorder(), r)
			if got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
			if tt.want == "" {
				wantReason(t, err, "logout request", ReasonMalformed)
			}
		})
	}
}

func TestEndSessionURL(t *testing.T) {
	w := newWorld(t, nil)
	w.meta.EndSessionURL = w.op.Issuer() + "/logout?tenant=a"
	got, err := w.EndSessionURL("", "", "")
	if want := w.op.Issuer() + "/logout?client_id=app&tenant=a"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	got, err = w.EndSessionURL("hint", "https://app.example/bye?x=1&y", "s")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(got)
	if q := u.Query(); err != nil || q.Get("id_token_hint") != "hint" || q.Get("post_logout_redirect_uri") != "https://app.example/bye?x=1&y" || q.Get("state") != "s" {
		t.Errorf("got %q, %v", got, err)
	}
	w.meta.EndSessionURL = ""
	if _, err := w.EndSessionURL("", "", ""); !errors.Is(err, ErrNoEndSession) {
		t.Errorf("got %v, want ErrNoEndSession", err)
	}
}

func TestVerifyLogoutToken_longAfter(t *testing.T) {
	w := newWorld(t, nil)
	raw := w.logoutToken(t, "adam", "s1")
	w.clock.add(time.Hour)
	_, err := w.VerifyLogoutToken(t.Context(), raw, &seen{})
	wantReason(t, err, "logout token", ReasonExpired)
}
