package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

const redirectURI = "https://app.example/_auth/callback/corp"

// clock is moved by hand; provider and relying party read the same one.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Unix(1_750_000_000, 0)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is a development provider, a relying party that has discovered it, and a person's browser.
type world struct {
	*Provider
	op      *idp.Server
	browser *idp.Browser
	clock   *clock
	cfg     Config
}

func startIDP(t *testing.T, c *clock, change func(*idp.Config)) *idp.Server {
	t.Helper()
	cfg := idp.Config{
		Clients: []idp.Client{
			{ID: "app", Secret: "a secret/with+signs", Audience: "api", RedirectURIs: []string{redirectURI},
				PostLogoutRedirectURIs: []string{"https://app.example/bye"}},
			{ID: "public", RedirectURIs: []string{redirectURI}},
		},
		Now: c.now,
	}
	if change != nil {
		change(&cfg)
	}
	op, err := idp.Start(t.Context(), "127.0.0.1:0", cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := op.Close(); err != nil {
			t.Error(err)
		}
	})
	return op
}

func newWorld(t *testing.T, change func(*idp.Config, *Config)) *world {
	t.Helper()
	w := &world{browser: idp.NewBrowser(nil), clock: newClock()}
	w.cfg = Config{
		Name: "corp", ClientID: "app", ClientSecret: "a secret/with+signs", Audiences: []string{"other-api", "api"},
		Scopes: []string{"openid", "profile", "email", "offline_access"}, Now: w.clock.now, HTTPClient: &http.Client{},
	}
	w.op = startIDP(t, w.clock, func(c *idp.Config) {
		if change != nil {
			change(c, &w.cfg)
		}
	})
	w.cfg.Issuer = w.op.Issuer()
	w.Provider = discovered(t, w.cfg)
	return w
}

// discovered makes a provider that has reached its issuer.
func discovered(t *testing.T, c Config) *Provider {
	t.Helper()
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) fault(t *testing.T, faults ...idp.Fault) {
	t.Helper()
	if err := w.op.SetFaults(faults...); err != nil {
		t.Fatal(err)
	}
}

// answer takes a person through the provider and returns the query of the callback.
func (w *world) answer(t *testing.T, f Flow, r AuthRequest, user string) url.Values {
	t.Helper()
	r.RedirectURI = redirectURI
	address, err := w.AuthURL(f, r)
	if err != nil {
		t.Fatal(err)
	}
	u, err := w.browser.SignIn(t.Context(), address, redirectURI, user)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// login is a whole login as user.
func (w *world) login(t *testing.T, user string) (Identity, Tokens, error) {
	t.Helper()
	f := NewFlow("corp", "/", w.clock.now())
	return w.Login(t.Context(), w.answer(t, f, AuthRequest{}, user), f, redirectURI)
}

func (w *world) mustLogin(t *testing.T, user string) (Identity, Tokens) {
	t.Helper()
	who, tokens, err := w.login(t, user)
	if err != nil {
		t.Fatal(err)
	}
	return who, tokens
}

// wantReason checks that an error is a rejection of what, for a reason.
func wantReason(t *testing.T, err error, what string, reason Reason) {
	t.Helper()
	var got *RejectedError
	if !errors.As(err, &got) || got.What != what || got.Reason != reason {
		t.Errorf("got %v, want %s rejected for %s", err, what, reason)
	}
	if errors.Is(err, ErrUnavailable) {
		t.Errorf("%v is also ErrUnavailable", err)
	}
}

// seen is a Once in memory.
type seen struct {
	mu   sync.Mutex
	keys map[string]time.Duration
	err  error
}

func (s *seen) Once(_ context.Context, key string, ttl time.Duration) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, s.err
	}
	_, before := s.keys[key]
	if s.keys == nil {
		s.keys = map[string]time.Duration{}
	}
	s.keys[key] = ttl
	return !before, nil
}
