package oidc

import (
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

func TestLogin(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256", "PS256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			w := newWorld(t, func(c *idp.Config, _ *Config) { c.Algorithm = alg })
			who, tokens := w.mustLogin(t, "adam")
			if who.SessionID == "" {
				t.Error("there is no SessionID")
			}
			who.SessionID, who.Claims = "", nil
			want := Identity{
				Provider: "corp", Issuer: w.op.Issuer(), Subject: "adam", ACR: "pwd", AMR: []string{"pwd"},
				AuthTime: w.clock.now(), Email: "adam@example.test", Name: "Adam Adeyemi", Groups: []string{"staff", "admins"},
			}
			if !reflect.DeepEqual(who, want) {
				t.Errorf("got %+v, want %+v", who, want)
			}
			if tokens.Access == "" || tokens.Refresh == "" || tokens.ID == "" || !tokens.Expiry.Equal(w.clock.now().Add(5*time.Minute)) {
				t.Errorf("a token is missing or Expiry is %s", tokens.Expiry)
			}
		})
	}
}

func TestLogin_authenticatesTheClientInEachWay(t *testing.T) {
	t.Run("public", func(t *testing.T) {
		w := newWorld(t, func(_ *idp.Config, c *Config) { c.ClientID, c.ClientSecret = "public", "" })
		w.mustLogin(t, "adam")
	})
	t.Run("secret in the form", func(t *testing.T) {
		w := newWorld(t, nil)
		m := *w.meta
		m.AuthMethods = []string{"client_secret_post"}
		var err error
		if m.style, err = authStyle(m.AuthMethods, true); err != nil {
			t.Fatal(err)
		}
		w.meta = &m
		w.mustLogin(t, "adam")
	})
	t.Run("wrong secret", func(t *testing.T) {
		w := newWorld(t, func(_ *idp.Config, c *Config) { c.ClientSecret = "guess" })
		_, _, err := w.login(t, "adam")
		var refused *EndpointError
		if !errors.As(err, &refused) || refused.Code != "invalid_client" || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrInvalidGrant) {
			t.Errorf("got %v, want invalid_client", err)
		}
		if n := w.op.Calls("token"); n != 1 {
			t.Errorf("the token endpoint was called %d times: a second attempt would spend the code", n)
		}
	})
}

// What the provider gets wrong in an ID token, and why it is not believed.
func TestLogin_rejectsIDTokens(t *testing.T) {
	for _, tt := range []struct {
		fault  idp.Fault
		reason Reason
	}{
		{idp.Fault{Name: "alg_none"}, ReasonAlgorithm},
		{idp.Fault{Name: "alg_hs256"}, ReasonAlgorithm},
		{idp.Fault{Name: "unknown_key"}, ReasonUnknownKey},
		{idp.Fault{Name: "wrong_key"}, ReasonSignature},
		{idp.Fault{Name: "bad_signature"}, ReasonSignature},
		{idp.Fault{Name: "wrong_iss"}, ReasonIssuer},
		{idp.Fault{Name: "wrong_aud"}, ReasonAudience},
		{idp.Fault{Name: "no_aud"}, ReasonAudience},
		{idp.Fault{Name: "extra_aud"}, ReasonParty},
		{idp.Fault{Name: "wrong_azp"}, ReasonParty},
		{idp.Fault{Name: "wrong_nonce"}, ReasonNonce},
		{idp.Fault{Name: "no_nonce"}, ReasonNonce},
		{idp.Fault{Name: "no_sub"}, ReasonSubject},
		{idp.Fault{Name: "empty_sub"}, ReasonSubject},
		{idp.Fault{Name: "control_sub"}, ReasonSubject},
		{idp.Fault{Name: "shadowed_claim"}, ReasonMalformed},
		{idp.Fault{Name: "expired"}, ReasonExpired},
		{idp.Fault{Name: "expired", Arg: "-31s"}, ReasonExpired},
		{idp.Fault{Name: "no_exp"}, ReasonMalformed},
		{idp.Fault{Name: "nbf_future"}, ReasonTime},
		{idp.Fault{Name: "nbf_future", Arg: "301s"}, ReasonTime},
		{idp.Fault{Name: "iat_future"}, ReasonTime},
		{idp.Fault{Name: "clock_skew", Arg: "10m"}, ReasonTime},
		{idp.Fault{Name: "clock_skew", Arg: "-10m"}, ReasonExpired},
		{idp.Fault{Name: "wrong_at_hash"}, ReasonAccessToken},
		{idp.Fault{Name: "wrong_typ", On: "id"}, ReasonType},
		{idp.Fault{Name: "padding"}, ReasonMalformed},
		{idp.Fault{Name: "no_id_token"}, ReasonMalformed},
	} {
		t.Run(tt.fault.Name+tt.fault.Arg, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fault(t, tt.fault)
			_, tokens, err := w.login(t, "adam")
			wantReason(t, err, "id token", tt.reason)
			if tokens.Access != "" {
				t.Error("tokens came with the rejection")
			}
		})
	}
}

func TestLogin_toleratesClocksThatDiffer(t *testing.T) {
	for _, f := range []idp.Fault{
		{Name: "expired", Arg: "-29s"},
		{Name: "nbf_future", Arg: "299s"},
		{Name: "clock_skew", Arg: "2m"},
		{Name: "clock_skew", Arg: "-2m"},
	} {
		w := newWorld(t, nil)
		w.fault(t, f)
		if _, _, err := w.login(t, "adam"); err != nil {
			t.Errorf("%s %s: %v", f.Name, f.Arg, err)
		}
	}
}

// The answer that the browser brings, before any token.
func TestLogin_rejectsCallbacks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		fault  string
		change func(url.Values, *Flow)
		reason Reason
	}{
		{name: "state of another login", fault: "response_wrong_state", reason: ReasonState},
		{name: "no state", fault: "response_no_state", reason: ReasonState},
		{name: "flow without state", change: func(v url.Values, f *Flow) { v.Del("state"); f.State = "" }, reason: ReasonState},
		{name: "flow of another provider", change: func(_ url.Values, f *Flow) { f.Provider = "partner" }, reason: ReasonState},
		{name: "iss of another provider", fault: "response_wrong_iss", reason: ReasonIssuer},
		{name: "promised iss missing", fault: "response_no_iss", reason: ReasonIssuer},
		{name: "empty iss", change: func(v url.Values, _ *Flow) { v.Set("iss", "") }, reason: ReasonIssuer},
		{name: "two codes", fault: "response_twice", reason: ReasonMalformed},
		{name: "two states", change: func(v url.Values, _ *Flow) { v.Add("state", "x") }, reason: ReasonMalformed},
		{name: "neither code nor error", change: func(v url.Values, _ *Flow) { v.Del("code") }, reason: ReasonMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			if tt.fault != "" {
				w.fault(t, idp.Fault{Name: tt.fault})
			}
			f := NewFlow("corp", "/", w.clock.now())
			answer := w.answer(t, f, AuthRequest{}, "adam")
			if tt.change != nil {
				tt.change(answer, &f)
			}
			_, _, err := w.Login(t.Context(), answer, f, redirectURI)
			wantReason(t, err, "callback", tt.reason)
			if n := w.op.Calls("token"); n != 0 {
				t.Errorf("the code was exchanged all the same")
			}
		})
	}
}

// A provider that does not promise iss may leave it out, but not send another.
func TestLogin_withAProviderThatDoesNotPromiseIss(t *testing.T) {
	for fault, ok := range map[string]bool{"response_no_iss": true, "response_wrong_iss": false} {
		w := newWorld(t, nil)
		w.meta.IssuerInResponse = false
		w.fault(t, idp.Fault{Name: fault})
		if _, _, err := w.login(t, "adam"); (err == nil) != ok {
			t.Errorf("%s: got %v", fault, err)
		}
	}
}

func TestLogin_tellsTheProvidersRefusal(t *testing.T) {
	w := newWorld(t, nil)
	f := NewFlow("corp", "/", w.clock.now())
	answer := w.answer(t, f, AuthRequest{Prompt: "none"}, "adam")
	_, _, err := w.Login(t.Context(), answer, f, redirectURI)
	var refusal *ResponseError
	if !errors.As(err, &refusal) || refusal.Code != "login_required" {
		t.Errorf("got %v, want login_required", err)
	}
	// Anybody can send an error here: it must not be taken for this login's without its state.
	answer.Set("state", "guess")
	_, _, err = w.Login(t.Context(), answer, f, redirectURI)
	wantReason(t, err, "callback", ReasonState)
	answer.Set("state", f.State)
	answer.Set("iss", "https://other.example")
	_, _, err = w.Login(t.Context(), answer, f, redirectURI)
	wantReason(t, err, "callback", ReasonIssuer)
}

func TestLogin_codeIsGoodOnceAndWithItsVerifier(t *testing.T) {
	w := newWorld(t, nil)
	f := NewFlow("corp", "/", w.clock.now())
	answer := w.answer(t, f, AuthRequest{}, "adam")
	stolen := f
	stolen.Verifier = NewFlow("corp", "/", w.clock.now()).Verifier
	if _, _, err := w.Login(t.Context(), answer, stolen, redirectURI); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("a code with another verifier got %v, want ErrInvalidGrant", err)
	}
	if _, _, err := w.Login(t.Context(), answer, f, redirectURI); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Login(t.Context(), answer, f, redirectURI); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("a code that was used got %v, want ErrInvalidGrant", err)
	}
}

// Two providers with the same client id and the same subjects: what one says is nothing to the other.
func TestLogin_twoProvidersMixedUp(t *testing.T) {
	w := newWorld(t, nil)
	other := w.cfg
	partner := startIDP(t, w.clock, nil)
	other.Name, other.Issuer = "partner", partner.Issuer()
	p := discovered(t, other)

	f := NewFlow("corp", "/", w.clock.now())
	answer := w.answer(t, f, AuthRequest{}, "adam")
	_, _, err := p.Login(t.Context(), answer, f, redirectURI)
	wantReason(t, err, "callback", ReasonState)
	// Even with a flow that names the wrong provider, iss tells them apart before the code is sent.
	f.Provider = "partner"
	_, _, err = p.Login(t.Context(), answer, f, redirectURI)
	wantReason(t, err, "callback", ReasonIssuer)
	if n := partner.Calls("token"); n != 0 {
		t.Errorf("the code of one provider went to the other %d times", n)
	}
	// And a token of one is not a token of the other.
	_, tokens := w.mustLogin(t, "adam")
	_, err = p.verifyIDToken(t.Context(), tokens)
	wantReason(t, err, "id token", ReasonUnknownKey)

	theirs := &world{Provider: p, op: partner, browser: idp.NewBrowser(nil), clock: w.clock, cfg: other}
	f = NewFlow("partner", "/", w.clock.now())
	who, _, err := p.Login(t.Context(), theirs.answer(t, f, AuthRequest{}, "adam"), f, redirectURI)
	ours, _ := w.mustLogin(t, "adam")
	if err != nil || who.Subject != ours.Subject || who.Provider == ours.Provider || who.Issuer == ours.Issuer {
		t.Errorf("the same subject at two providers: %+v and %+v (%v) must differ by provider and issuer", ours, who, err)
	}
}

func TestLogin_maxAge(t *testing.T) {
	for _, tt := range []struct {
		name   string
		maxAge time.Duration
		fault  idp.Fault
		reason Reason
	}{
		{name: "signed in long ago", maxAge: 10 * time.Minute, fault: idp.Fault{Name: "old_auth_time"}, reason: ReasonAuthTime},
		{name: "just too long ago", maxAge: 10 * time.Minute, fault: idp.Fault{Name: "old_auth_time", Arg: "-631s"}, reason: ReasonAuthTime},
		{name: "within leeway", maxAge: 10 * time.Minute, fault: idp.Fault{Name: "old_auth_time", Arg: "-629s"}},
		{name: "not told", maxAge: 10 * time.Minute, fault: idp.Fault{Name: "no_auth_time"}, reason: ReasonAuthTime},
		{name: "no sign-in asked, an old one sent", maxAge: 0, fault: idp.Fault{Name: "old_auth_time", Arg: "-1m"}, reason: ReasonAuthTime},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fault(t, tt.fault)
			f := NewFlow("corp", "/", w.clock.now()).WithMaxAge(tt.maxAge)
			_, _, err := w.Login(t.Context(), w.answer(t, f, AuthRequest{}, "adam"), f, redirectURI)
			if tt.reason == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantReason(t, err, "id token", tt.reason)
		})
	}
	t.Run("asks again", func(t *testing.T) {
		w := newWorld(t, nil)
		w.mustLogin(t, "adam")
		w.clock.add(11 * time.Minute)
		f := NewFlow("corp", "/", w.clock.now()).WithMaxAge(10 * time.Minute)
		who, _, err := w.Login(t.Context(), w.answer(t, f, AuthRequest{}, "adam"), f, redirectURI)
		if err != nil || !who.AuthTime.Equal(w.clock.now()) {
			t.Errorf("got AuthTime %s, %v, want now", who.AuthTime, err)
		}
	})
}

func TestLogin_acr(t *testing.T) {
	w := newWorld(t, nil)
	w.mustLogin(t, "adam")
	f := NewFlow("corp", "/", w.clock.now())
	who, _, err := w.Login(t.Context(), w.answer(t, f, AuthRequest{ACRValues: []string{"unknown", "mfa"}}, "adam"), f, redirectURI)
	if err != nil || who.ACR != "mfa" {
		t.Errorf("got acr %q, %v, want mfa", who.ACR, err)
	}
}

func TestLogin_emailOnlyWhenVerified(t *testing.T) {
	for _, tt := range []struct {
		name, user string
		faults     []idp.Fault
		want       string
	}{
		{"verified", "adam", nil, "adam@example.test"},
		{"not verified", "nora", nil, ""},
		{"verification taken back", "adam", []idp.Fault{{Name: "unverified"}}, ""},
		{"two @", "adam", []idp.Fault{{Name: "double_email"}}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fault(t, tt.faults...)
			who, _ := w.mustLogin(t, tt.user)
			if who.Email != tt.want || who.Claims.text("email") != tt.want || who.Claims.has("email") != (tt.want != "") {
				t.Errorf("email is %q, among the claims %s; want %q", who.Email, who.Claims["email"], tt.want)
			}
		})
	}
}

func TestLogin_userinfo(t *testing.T) {
	with := func(_ *idp.Config, c *Config) { c.UserInfo = true }
	t.Run("completes the token", func(t *testing.T) {
		w := newWorld(t, with)
		if who, _ := w.mustLogin(t, "adam"); who.Email != "adam@example.test" || w.op.Calls("userinfo") != 1 {
			t.Errorf("email is %q after %d calls", who.Email, w.op.Calls("userinfo"))
		}
	})
	for fault, reason := range map[string]Reason{
		"userinfo_other_sub": ReasonSubject,
		"userinfo_no_sub":    ReasonSubject,
	} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t, with)
			w.fault(t, idp.Fault{Name: fault})
			_, _, err := w.login(t, "adam")
			wantReason(t, err, "userinfo", reason)
		})
	}
	t.Run("not JSON", func(t *testing.T) {
		w := newWorld(t, with)
		w.fault(t, idp.Fault{Name: "not_json", On: "userinfo"})
		_, _, err := w.login(t, "adam")
		wantReason(t, err, "userinfo", ReasonMalformed)
	})
	// The ID token vouches for its own address, not for that of userinfo.
	t.Run("an address that nobody has verified", func(t *testing.T) {
		w := newWorld(t, with)
		w.fault(t, idp.Fault{Name: "userinfo_unverified"})
		if who, _ := w.mustLogin(t, "adam"); who.Email != "" {
			t.Errorf("email is %q, want none", who.Email)
		}
	})
	t.Run("protocol claims", func(t *testing.T) {
		w := newWorld(t, with)
		w.fault(t, idp.Fault{Name: "userinfo_acr"})
		if who, _ := w.mustLogin(t, "adam"); who.ACR != "pwd" || who.SessionID == "other" || !who.AuthTime.Equal(w.clock.now()) {
			t.Errorf("userinfo changed what only the signed token may say: %+v", who)
		}
	})
}

func TestLogin_providerFails(t *testing.T) {
	for _, tt := range []struct {
		fault idp.Fault
		want  error
	}{
		{idp.Fault{Name: "http_500", On: "token"}, ErrUnavailable},
		{idp.Fault{Name: "not_json", On: "token"}, ErrUnavailable},
		{idp.Fault{Name: "huge", On: "token"}, ErrUnavailable},
		{idp.Fault{Name: "redirect", On: "token"}, ErrUnavailable},
		{idp.Fault{Name: "invalid_grant"}, ErrInvalidGrant},
	} {
		t.Run(tt.fault.Name, func(t *testing.T) {
			w := newWorld(t, nil)
			w.fault(t, tt.fault)
			if _, _, err := w.login(t, "adam"); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if n := w.op.Calls("token"); n != 1 {
				t.Errorf("the token endpoint was called %d times, want once", n)
			}
		})
	}
	t.Run("wrong_token_type", func(t *testing.T) {
		w := newWorld(t, nil)
		w.fault(t, idp.Fault{Name: "wrong_token_type"})
		_, _, err := w.login(t, "adam")
		wantReason(t, err, "token answer", ReasonType)
	})
	t.Run("userinfo", func(t *testing.T) {
		w := newWorld(t, func(_ *idp.Config, c *Config) { c.UserInfo = true })
		w.fault(t, idp.Fault{Name: "http_500", On: "userinfo"})
		if _, _, err := w.login(t, "adam"); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
	})
}

func TestTokens_printAsNothing(t *testing.T) {
	secret := Tokens{Access: "hidden-1", Refresh: "hidden-2", ID: "hidden-3"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(verb, secret); strings.Contains(got, "hidden") {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}

func TestRefresh(t *testing.T) {
	w := newWorld(t, nil)
	who, first := w.mustLogin(t, "adam")
	w.clock.add(4 * time.Minute)
	newer, second, err := w.Refresh(t.Context(), first.Refresh, who)
	if err != nil {
		t.Fatal(err)
	}
	if newer.Subject != "adam" || newer.SessionID != who.SessionID || second.Refresh == first.Refresh ||
		second.Access == first.Access || !second.Expiry.Equal(w.clock.now().Add(5*time.Minute)) {
		t.Errorf("got %+v and the refresh token changed: %v", newer, second.Refresh != first.Refresh)
	}
	if _, _, err := w.Refresh(t.Context(), first.Refresh, who); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("a spent refresh token got %v, want ErrInvalidGrant", err)
	}
	if _, _, err := w.Refresh(t.Context(), second.Refresh, who); !errors.Is(err, ErrInvalidGrant) {
		t.Errorf("after the reuse of its forerunner a refresh token got %v, want ErrInvalidGrant", err)
	}
}

func TestRefresh_rejects(t *testing.T) {
	for fault, reason := range map[string]Reason{
		"other_sub": ReasonSubject, "wrong_iss": ReasonIssuer, "wrong_aud": ReasonAudience, "bad_signature": ReasonSignature, "expired": ReasonExpired,
	} {
		t.Run(fault, func(t *testing.T) {
			w := newWorld(t, nil)
			who, tokens := w.mustLogin(t, "adam")
			w.fault(t, idp.Fault{Name: fault})
			_, tokens, err := w.Refresh(t.Context(), tokens.Refresh, who)
			wantReason(t, err, "id token", reason)
			if tokens.Access != "" {
				t.Error("tokens came with the rejection")
			}
		})
	}
}

func TestRefresh_providerFails(t *testing.T) {
	t.Run("token endpoint", func(t *testing.T) {
		w := newWorld(t, nil)
		who, tokens := w.mustLogin(t, "adam")
		w.fault(t, idp.Fault{Name: "http_500", On: "token"})
		calls := w.op.Calls("token")
		if _, _, err := w.Refresh(t.Context(), tokens.Refresh, who); !errors.Is(err, ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		if n := w.op.Calls("token") - calls; n != 1 {
			t.Errorf("the token endpoint was called %d times, want once", n)
		}
	})
	t.Run("no ID token", func(t *testing.T) {
		w := newWorld(t, nil)
		who, tokens := w.mustLogin(t, "adam")
		w.fault(t, idp.Fault{Name: "no_id_token"})
		newer, got, err := w.Refresh(t.Context(), tokens.Refresh, who)
		if err != nil || got.Refresh == "" || !reflect.DeepEqual(newer, who) {
			t.Errorf("got %+v, %v, want the identity as it was", newer, err)
		}
	})
	// The old refresh token is spent by now: the new one must not be lost with the keys.
	t.Run("keys", func(t *testing.T) {
		w := newWorld(t, nil)
		who, tokens := w.mustLogin(t, "adam")
		w.clock.add(time.Minute)
		if err := w.op.RotateKeys(true); err != nil {
			t.Fatal(err)
		}
		w.fault(t, idp.Fault{Name: "http_500", On: "jwks"})
		newer, got, err := w.Refresh(t.Context(), tokens.Refresh, who)
		if err != nil || got.Refresh == "" || got.Refresh == tokens.Refresh || !reflect.DeepEqual(newer, who) {
			t.Errorf("got %+v, %v, want new tokens and the identity as it was", newer, err)
		}
	})
}

// A login whose flow has no nonce is refused, also if the ID token has none: two empty texts are equal.
func TestLogin_rejectsAFlowWithoutNonce(t *testing.T) {
	w := newWorld(t, nil)
	w.fault(t, idp.Fault{Name: "no_nonce"})
	f := NewFlow("corp", "/", w.clock.now())
	answer := w.answer(t, f, AuthRequest{}, "adam")
	f.Nonce = ""
	_, _, err := w.Login(t.Context(), answer, f, redirectURI)
	wantReason(t, err, "id token", ReasonNonce)
}
