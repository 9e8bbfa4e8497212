package crosscheck

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

const (
	redirectURI   = "https://app.example/_auth/callback/corp"
	postLogoutURI = "https://app.example/bye"
	secret        = "a secret/with+signs"
)

// site is our relying party at one provider, a person's browser, and where logout tokens arrive.
type site struct {
	*oidc.Provider
	browser *idp.Browser
	prompt  string // what a refresh token costs at this provider
	pages   func(t *testing.T, b *idp.Browser, p *idp.Page, user string) *idp.Page
	logouts chan string
}

// at runs a story for a client at each kind of provider.
func at(t *testing.T, clientID string, userInfo bool, story func(t *testing.T, s *site)) {
	t.Helper()
	run := func(t *testing.T, s *site, issuer string) {
		t.Helper()
		p, err := oidc.New(oidc.Config{
			Name: "corp", Issuer: issuer, ClientID: clientID, ClientSecret: secret, UserInfo: userInfo,
			Scopes: []string{"openid", "profile", "email", "offline_access"}, Audiences: []string{"urn:api"},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { p.Run(ctx) })
		t.Cleanup(func() {
			cancel()
			wg.Wait()
		})
		for !p.Status().Ready {
			if err := p.Status().Err; err != nil {
				t.Fatal(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
		s.Provider, s.browser = p, idp.NewBrowser(nil)
		story(t, s)
	}
	t.Run("devidp", func(t *testing.T) {
		s := &site{logouts: make(chan string, 10)}
		receiver := httptest.NewServer(receive(s.logouts))
		t.Cleanup(receiver.Close)
		op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{Clients: []idp.Client{{
			ID: clientID, Secret: secret, RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{postLogoutURI},
			BackchannelLogoutURI: receiver.URL, Audience: "urn:api",
		}}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = op.Close() })
		s.pages = func(t *testing.T, b *idp.Browser, p *idp.Page, user string) *idp.Page {
			t.Helper()
			return submit(t, b, p, url.Values{"user": {user}})
		}
		run(t, s, op.Issuer())
	})
	t.Run("oidc-provider", func(t *testing.T) {
		issuer := provider(t)
		s := &site{logouts: certified.logouts, prompt: "consent"}
		s.pages = func(t *testing.T, b *idp.Browser, p *idp.Page, user string) *idp.Page {
			t.Helper()
			// A page asks who it is, another whether the client may know.
			for p.Status == http.StatusOK {
				p = submit(t, b, p, url.Values{"login": {user}, "password": {"x"}})
			}
			return p
		}
		run(t, s, issuer)
	})
}

func submit(t *testing.T, b *idp.Browser, p *idp.Page, fields url.Values) *idp.Page {
	t.Helper()
	next, err := b.Submit(t.Context(), p, fields, "https://app.example/")
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func (s *site) answer(t *testing.T, f oidc.Flow, r oidc.AuthRequest, user string) url.Values {
	t.Helper()
	r.RedirectURI = redirectURI
	address, err := s.AuthURL(f, r)
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.browser.Visit(t.Context(), address, redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	if p.Status == http.StatusOK {
		p = s.pages(t, s.browser, p, user)
	}
	if p.Status != 0 {
		t.Fatalf("%s answered %d: %s", p.URL, p.Status, p.Body)
	}
	return p.URL.Query()
}

func (s *site) login(t *testing.T, user string) (oidc.Identity, oidc.Tokens) {
	t.Helper()
	f := oidc.NewFlow("corp", "/", time.Now())
	who, tokens, err := s.Login(t.Context(), s.answer(t, f, oidc.AuthRequest{Prompt: s.prompt}, user), f, redirectURI)
	if err != nil {
		t.Fatal(err)
	}
	return who, tokens
}

// once is an oidc.Once that has seen nothing.
type once map[string]bool

func (o once) Once(_ context.Context, key string, _ time.Duration) (bool, error) {
	first := !o[key]
	o[key] = true
	return first, nil
}

func TestStory_login(t *testing.T) {
	for name, userInfo := range map[string]bool{"token": false, "userinfo": true} {
		t.Run(name, func(t *testing.T) {
			at(t, "app", userInfo, func(t *testing.T, s *site) {
				before := time.Now().Add(-time.Minute)
				who, tokens := s.login(t, "adam")
				if who.Subject != "adam" || who.Email != "adam@example.test" || who.SessionID == "" || who.Name == "" || !slices.Contains(who.Groups, "staff") {
					t.Errorf("got %+v", who)
				}
				if who.AuthTime.Before(before) && !who.AuthTime.IsZero() {
					t.Errorf("signed in at %s", who.AuthTime)
				}
				if tokens.Access == "" || tokens.ID == "" || tokens.Refresh == "" || tokens.Expiry.Before(time.Now()) {
					t.Errorf("a token is missing, or expired at %s", tokens.Expiry)
				}
				if stranger, _ := (&site{Provider: s.Provider, browser: idp.NewBrowser(nil), pages: s.pages, prompt: s.prompt}).login(t, "nora"); stranger.Email != "" {
					t.Errorf("an address that is not verified came through: %q", stranger.Email)
				}
			})
		})
	}
}

func TestStory_codeReplay(t *testing.T) {
	at(t, "app", false, func(t *testing.T, s *site) {
		f := oidc.NewFlow("corp", "/", time.Now())
		answer := s.answer(t, f, oidc.AuthRequest{}, "adam")
		stolen := f
		stolen.Verifier = oidc.NewFlow("corp", "/", time.Now()).Verifier
		if _, _, err := s.Login(t.Context(), answer, stolen, redirectURI); !errors.Is(err, oidc.ErrInvalidGrant) {
			t.Errorf("with another verifier got %v, want ErrInvalidGrant", err)
		}
		f = oidc.NewFlow("corp", "/", time.Now())
		answer = s.answer(t, f, oidc.AuthRequest{}, "adam")
		if _, _, err := s.Login(t.Context(), answer, f, redirectURI); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Login(t.Context(), answer, f, redirectURI); !errors.Is(err, oidc.ErrInvalidGrant) {
			t.Errorf("the second time got %v, want ErrInvalidGrant", err)
		}
	})
}

func TestStory_promptAndMaxAge(t *testing.T) {
	at(t, "app", false, func(t *testing.T, s *site) {
		f := oidc.NewFlow("corp", "/", time.Now())
		_, _, err := s.Login(t.Context(), s.answer(t, f, oidc.AuthRequest{Prompt: "none"}, "adam"), f, redirectURI)
		var refusal *oidc.ResponseError
		if !errors.As(err, &refusal) || refusal.Code != "login_required" {
			t.Errorf("nobody is signed in, got %v, want login_required", err)
		}
		first, _ := s.login(t, "adam")
		f = oidc.NewFlow("corp", "/", time.Now()).WithMaxAge(time.Hour)
		again, _, err := s.Login(t.Context(), s.answer(t, f, oidc.AuthRequest{Prompt: "none"}, "adam"), f, redirectURI)
		if err != nil || again.SessionID != first.SessionID || again.AuthTime.IsZero() {
			t.Errorf("silently got %+v, %v, want the session of %+v with its auth_time", again, err, first)
		}
	})
}

func TestStory_refresh(t *testing.T) {
	at(t, "app", true, func(t *testing.T, s *site) {
		who, first := s.login(t, "adam")
		newer, second, err := s.Refresh(t.Context(), first.Refresh, who)
		if err != nil {
			t.Fatal(err)
		}
		if newer.Subject != who.Subject || newer.SessionID != who.SessionID || newer.Email != who.Email || second.Refresh == first.Refresh || second.Access == first.Access {
			t.Errorf("got %+v after %+v; the refresh token changed: %v", newer, who, second.Refresh != first.Refresh)
		}
		// In this order: the spent token is what ends the chain of the other.
		if _, _, err := s.Refresh(t.Context(), first.Refresh, who); !errors.Is(err, oidc.ErrInvalidGrant) {
			t.Errorf("a spent refresh token got %v, want ErrInvalidGrant", err)
		}
		if _, _, err := s.Refresh(t.Context(), second.Refresh, who); !errors.Is(err, oidc.ErrInvalidGrant) {
			t.Errorf("the next token of a chain that was robbed got %v, want ErrInvalidGrant", err)
		}
	})
}

func TestStory_logout(t *testing.T) {
	at(t, "app", false, func(t *testing.T, s *site) {
		who, tokens := s.login(t, "adam")
		address, err := s.EndSessionURL(tokens.ID, postLogoutURI, "a-state")
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.browser.Visit(t.Context(), address, "https://app.example/")
		if err == nil && p.Status == http.StatusOK { // oidc-provider asks, hint or not
			p, err = s.browser.Submit(t.Context(), p, url.Values{"logout": {"yes"}}, "https://app.example/")
		}
		if err != nil || p.URL.String() != postLogoutURI+"?state=a-state" {
			t.Fatalf("ended at %+v, %v", p, err)
		}
		var raw string
		select {
		case raw = <-s.logouts:
		case <-time.After(time.Minute):
			t.Fatal("no logout token came")
		}
		remembered := once{}
		got, err := s.VerifyLogoutToken(t.Context(), raw, remembered)
		if err != nil || got.SessionID != who.SessionID || got.Issuer != who.Issuer {
			t.Errorf("the logout token says %+v, %v, want the session of %+v", got, err, who)
		}
		var rejected *oidc.RejectedError
		if _, err := s.VerifyLogoutToken(t.Context(), raw, remembered); !errors.As(err, &rejected) || rejected.Reason != oidc.ReasonReplay {
			t.Errorf("the second time got %v, want a replay", err)
		}
		if _, err := s.VerifyLogoutToken(t.Context(), tokens.ID, once{}); !errors.As(err, &rejected) || rejected.Reason != oidc.ReasonEvent {
			t.Errorf("an ID token in its place got %v, want it rejected for its event", err)
		}
		f := oidc.NewFlow("corp", "/", time.Now())
		_, _, err = s.Login(t.Context(), s.answer(t, f, oidc.AuthRequest{Prompt: "none"}, "adam"), f, redirectURI)
		var refusal *oidc.ResponseError
		if !errors.As(err, &refusal) || refusal.Code != "login_required" {
			t.Errorf("after the logout got %v, want login_required", err)
		}
	})
}

func TestStory_bearer(t *testing.T) {
	at(t, "api-client", false, func(t *testing.T, s *site) {
		_, tokens := s.login(t, "adam")
		who, err := s.VerifyBearer(t.Context(), tokens.Access)
		if err != nil || who.Subject != "adam" {
			t.Errorf("an access token got %+v, %v", who, err)
		}
		var rejected *oidc.RejectedError
		if _, err := s.VerifyBearer(t.Context(), tokens.ID); !errors.As(err, &rejected) || rejected.Reason != oidc.ReasonType {
			t.Errorf("an ID token got %v, want it rejected for its type", err)
		}
	})
}

// The other way round: a certified relying party finds no fault with devidp.
func TestDevidp_satisfiesACertifiedRelyingParty(t *testing.T) {
	for _, alg := range []string{"ES256", "RS256"} {
		t.Run(alg, func(t *testing.T) {
			op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{Algorithm: alg, Clients: []idp.Client{{
				ID: "app", Secret: secret, RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{postLogoutURI},
			}}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer op.Close()
			out, err := exec.CommandContext(t.Context(), node(t), "relyingparty.mjs",
				op.Issuer(), "app", secret, redirectURI, postLogoutURI, "adam").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}
