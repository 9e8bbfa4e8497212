package oidc

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// wire carries requests to a handler in this process, so that time in a synctest bubble can pass.
type wire struct {
	handler http.Handler

	mu   sync.Mutex
	down bool
}

func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, errors.New("no route to host")
	}
	rec := httptest.NewRecorder()
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.handler.ServeHTTP(rec, r)
	}()
	select {
	case <-done:
		return rec.Result(), nil
	case <-r.Context().Done():
		<-done
		return nil, r.Context().Err()
	}
}

// bubble is a provider and its relying party without sockets, for tests of long times.
type bubble struct {
	op       *idp.Provider
	wire     *wire
	cfg      Config
	statuses []Status
}

func newBubble(t *testing.T) *bubble {
	t.Helper()
	op, err := idp.New(idp.Config{Issuer: "https://idp.example", Clients: []idp.Client{{ID: "app", RedirectURIs: []string{redirectURI}}}})
	if err != nil {
		t.Fatal(err)
	}
	b := &bubble{op: op, wire: &wire{handler: op}}
	b.cfg = Config{
		Name: "corp", Issuer: op.Issuer(), ClientID: "app", HTTPClient: &http.Client{Transport: b.wire},
		OnStatus: func(s Status) { b.statuses = append(b.statuses, s) },
	}
	return b
}

// run runs a provider until the returned function is called.
func (b *bubble) run(t *testing.T) (p *Provider, stop func()) {
	t.Helper()
	p, err := New(b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.Run(ctx)
	}()
	return p, func() {
		cancel()
		<-done
	}
}

// token is one that the provider has just signed.
func (b *bubble) token(t *testing.T) string {
	t.Helper()
	raw, err := b.op.LogoutToken("app", "adam", "s1")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRun_findsAProviderThatComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.wire.cut(true)
		p, stop := b.run(t)
		defer stop()
		begun := time.Now()
		if _, err := p.AuthURL(NewFlow("corp", "", begun), AuthRequest{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("before discovery a login got %v, want ErrUnavailable", err)
		}
		if _, err := p.VerifyLogoutToken(t.Context(), b.token(t), &seen{}); !errors.Is(err, ErrUnavailable) {
			t.Errorf("before discovery a token got %v, want ErrUnavailable", err)
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("they waited %s for the provider", waited)
		}
		time.Sleep(10 * time.Minute)
		b.wire.cut(false)
		time.Sleep(retryMost)
		synctest.Wait()
		if _, err := p.AuthURL(NewFlow("corp", "", begun), AuthRequest{}); err != nil {
			t.Errorf("%s after the provider came: %v", retryMost, err)
		}
		if len(b.statuses) != 2 || b.statuses[0].Ready || b.statuses[0].Err == nil || !b.statuses[1].Ready || b.statuses[1].Err != nil {
			t.Errorf("reported %+v, want a failure and a success", b.statuses)
		}
	})
}

func TestRun_asksHourly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		_, stop := b.run(t)
		time.Sleep(100 * time.Hour)
		stop()
		for _, endpoint := range []string{"discovery", "jwks"} {
			if n := b.op.Calls(endpoint); n < 100 || n > 112 {
				t.Errorf("%s was asked %d times in 100 h", endpoint, n)
			}
		}
	})
}

func TestRun_believesWhatItKnowsForADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		p, stop := b.run(t)
		defer stop()
		synctest.Wait()
		b.wire.cut(true)
		usable := func() error {
			_, err1 := p.AuthURL(NewFlow("corp", "", time.Now()), AuthRequest{})
			_, err2 := p.VerifyLogoutToken(t.Context(), b.token(t), &seen{})
			return errors.Join(err1, err2)
		}
		time.Sleep(24*time.Hour - time.Second)
		if err := usable(); err != nil {
			t.Errorf("before a day is over: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if err := usable(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("after a day got %v, want ErrUnavailable", err)
		}
		if s := p.Status(); s.Ready || s.Err == nil {
			t.Errorf("after a day the status is %+v", s)
		}
		b.wire.cut(false)
		time.Sleep(retryMost)
		synctest.Wait()
		if err := usable(); err != nil {
			t.Errorf("after the return: %v", err)
		}
		if n := len(b.statuses); n != 4 { // ready, failing, unready, ready
			t.Errorf("reported %d transitions, want 4: %+v", n, b.statuses)
		}
	})
}

// Whatever is wrong with discovery or the keys, the provider is not ready and says why.
func TestRun_providerFails(t *testing.T) {
	for _, f := range []idp.Fault{
		{Name: "wrong_issuer"},
		{Name: "http_500", On: "discovery"},
		{Name: "not_json", On: "discovery"},
		{Name: "huge", On: "discovery"},
		{Name: "redirect", On: "discovery"},
		{Name: "hang", On: "discovery"},
		{Name: "slow", On: "discovery", Arg: "6s"},
		{Name: "http_500", On: "jwks"},
		{Name: "not_json", On: "jwks"},
		{Name: "huge", On: "jwks"},
		{Name: "redirect", On: "jwks"},
		{Name: "hang", On: "jwks"},
		{Name: "slow", On: "jwks", Arg: "6s"},
	} {
		t.Run(f.Name+" "+f.On, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t)
				if err := b.op.SetFaults(f); err != nil {
					t.Fatal(err)
				}
				p, stop := b.run(t)
				defer stop()
				time.Sleep(fetchTimeout + time.Millisecond)
				if s := p.Status(); s.Ready || s.Err == nil {
					t.Errorf("the status is %+v, want a failure", s)
				}
				if err := b.op.SetFaults(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(retryMost + fetchTimeout)
				synctest.Wait()
				if s := p.Status(); !s.Ready || s.Err != nil {
					t.Errorf("when the provider is well again the status is %+v", s)
				}
			})
		})
	}
}

// shelf is a Cache in memory.
type shelf struct {
	documents map[string][]byte
	err       error
}

func (s *shelf) Load(_ context.Context, name string) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	if d, ok := s.documents[name]; ok {
		return d, nil
	}
	return nil, fs.ErrNotExist
}

func (s *shelf) Store(_ context.Context, name string, document []byte) error {
	if s.err == nil {
		s.documents[name] = document
	}
	return s.err
}

func TestCache_startsWithoutTheProvider(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		cache := &shelf{documents: map[string][]byte{}}
		b.cfg.Cache = cache
		_, stop := b.run(t)
		synctest.Wait()
		stop()
		if len(cache.documents) != 1 {
			t.Fatalf("%d documents were kept, want 1", len(cache.documents))
		}

		b.wire.cut(true)
		time.Sleep(23 * time.Hour)
		b.statuses = nil
		p, stop := b.run(t)
		synctest.Wait()
		if s := p.Status(); !s.Ready || !s.Restored || s.Err == nil {
			t.Errorf("restored, the status is %+v", s)
		}
		if _, err := p.VerifyLogoutToken(t.Context(), b.token(t), &seen{}); err != nil {
			t.Errorf("with restored keys: %v", err)
		}
		b.wire.cut(false)
		time.Sleep(retryReady)
		synctest.Wait()
		if s := p.Status(); !s.Ready || s.Restored || s.Err != nil {
			t.Errorf("after the return the status is %+v", s)
		}
		stop()

		b.wire.cut(true)
		time.Sleep(24*time.Hour + time.Second)
		p, stop = b.run(t)
		defer stop()
		synctest.Wait()
		if s := p.Status(); s.Ready || s.Restored {
			t.Errorf("what is older than a day was believed: %+v", s)
		}
	})
}

func TestCache_isJudgedLikeTheProvider(t *testing.T) {
	good := `{"issuer":"https://idp.example","authorization_endpoint":"https://idp.example/a","token_endpoint":"https://idp.example/t","jwks_uri":"https://idp.example/k"}`
	keys := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`
	for _, tt := range []struct {
		name, document string
		err, ready     bool
	}{
		{name: "sound", ready: true, document: `{"discovery":` + good + `,"discovery_fetched":"2000-01-01T00:00:00Z","keys":` + keys + `,"keys_fetched":"2000-01-01T00:00:00Z"}`},
		{name: "of the future", document: `{"discovery":` + good + `,"discovery_fetched":"2000-01-02T00:00:00Z","keys":` + keys + `,"keys_fetched":"2000-01-02T00:00:00Z"}`},
		{name: "old keys", document: `{"discovery":` + good + `,"discovery_fetched":"2000-01-01T00:00:00Z","keys":` + keys + `,"keys_fetched":"1999-12-30T00:00:00Z"}`},
		{name: "cut off", document: `{"disc`, err: true},
		{name: "empty", document: `{}`, err: true},
		{name: "another issuer", err: true, document: strings.ReplaceAll(`{"discovery":`+good+`,"discovery_fetched":"2000-01-01T00:00:00Z","keys":`+keys+`,"keys_fetched":"2000-01-01T00:00:00Z"}`, `"issuer":"https://idp.example"`, `"issuer":"https://other.example"`)},
		{name: "no keys", err: true, document: `{"discovery":` + good + `,"discovery_fetched":"2000-01-01T00:00:00Z","keys":{},"keys_fetched":"2000-01-01T00:00:00Z"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // at 2000-01-01T00:00:00Z
				b := newBubble(t)
				p, err := New(b.cfg)
				if err != nil {
					t.Fatal(err)
				}
				p.cfg.Cache = &shelf{documents: map[string][]byte{p.cacheName(): []byte(tt.document)}}
				p.restore(t.Context())
				p.report(nil)
				if s := p.Status(); s.Ready != tt.ready || (s.Err != nil) != tt.err {
					t.Errorf("the status is %+v, want ready %v, an error %v", s, tt.ready, tt.err)
				}
			})
		})
	}
}

func TestCache_thatFailsStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t)
		b.cfg.Cache = &shelf{err: errors.New("disk full")}
		p, stop := b.run(t)
		time.Sleep(10 * time.Hour)
		stop()
		if s := p.Status(); !s.Ready || s.Err == nil || !strings.Contains(s.Err.Error(), "disk full") {
			t.Errorf("the status is %+v, want ready, with the error of the disk", s)
		}
		if n := len(b.statuses); n != 2 { // could not restore; ready all the same
			t.Errorf("reported %d times: %+v", n, b.statuses)
		}
	})
}

func TestNew_refuses(t *testing.T) {
	sound := Config{Name: "corp", Issuer: "https://idp.example", ClientID: "app"}
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string // part of the error; empty: accepted
	}{
		{"sound", func(*Config) {}, ""},
		{"issuer with path", func(c *Config) { c.Issuer = "https://idp.example/realms/a" }, ""},
		{"plain http here", func(c *Config) { c.Issuer = "http://127.0.0.1:9000" }, ""},
		{"plain http by name", func(c *Config) { c.Issuer = "http://idp.localhost:9000" }, ""},
		{"plain http elsewhere", func(c *Config) { c.Issuer = "http://idp.example" }, "must be https"},
		{"plain http that looks local", func(c *Config) { c.Issuer = "http://127.0.0.1.example" }, "must be https"},
		{"plain http allowed", func(c *Config) { c.Issuer, c.AllowHTTP = "http://idp", true }, ""},
		{"other scheme", func(c *Config) { c.Issuer = "ftp://idp.example" }, "https://"},
		{"issuer with query", func(c *Config) { c.Issuer = "https://idp.example?x" }, "without query"},
		{"issuer with fragment", func(c *Config) { c.Issuer = "https://idp.example#" }, "without query"},
		{"issuer with user", func(c *Config) { c.Issuer = "https://a@idp.example" }, "without query"},
		{"no issuer", func(c *Config) { c.Issuer = "" }, "issuer"},
		{"no name", func(c *Config) { c.Name = "" }, "name"},
		{"no client", func(c *Config) { c.ClientID = "" }, "client_id"},
		{"own state", func(c *Config) { c.AuthParams = map[string]string{"state": "x"} }, `"state"`},
		{"own challenge", func(c *Config) { c.AuthParams = map[string]string{"code_challenge_method": "plain"} }, `"code_challenge_method"`},
		{"own parameter", func(c *Config) { c.AuthParams = map[string]string{"domain_hint": "x"} }, ""},
		{"leeway", func(c *Config) { c.Leeway = time.Hour }, "leeway"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := sound
			tt.change(&c)
			_, err := New(c)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestReadMetadata(t *testing.T) {
	const sound = `{"issuer":"https://idp.example","authorization_endpoint":"https://idp.example/a",
		"token_endpoint":"https://idp.example/t","jwks_uri":"https://idp.example/k"}`
	for _, tt := range []struct {
		name, old, new string
		want           string // part of the error; empty: accepted
	}{
		{"sound", "", "", ""},
		{"no token endpoint", `"token_endpoint"`, `"x"`, "token_endpoint"},
		{"keys on plain http", "https://idp.example/k", "http://idp.example/k", "must be https"},
		{"script for an endpoint", "https://idp.example/a", "javascript:alert(1)", "authorization_endpoint"},
		{"relative endpoint", "https://idp.example/t", "/t", "token_endpoint"},
		{"trailing slash", `"issuer":"https://idp.example"`, `"issuer":"https://idp.example/"`, "last slash"},
		{"symmetric only", `{`, `{"id_token_signing_alg_values_supported":["HS256","none"],`, "asymmetric"},
		{"no query", `{`, `{"response_modes_supported":["form_post"],`, "query"},
		{"plain PKCE only", `{`, `{"code_challenge_methods_supported":["plain"],`, "S256"},
		{"other authentication only", `{`, `{"token_endpoint_auth_methods_supported":["private_key_jwt"],`, "client_secret_basic"},
		{"end_session on plain http", `{`, `{"end_session_endpoint":"http://idp.example/e",`, "end_session_endpoint"},
		{"no JSON", `{`, ``, "discovery document"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := &Config{Issuer: "https://idp.example", ClientSecret: "s"}
			m, err := readMetadata([]byte(strings.Replace(sound, tt.old, tt.new, 1)), c)
			if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if err == nil && (len(m.signing) != 1 || m.signing[0] != "RS256") {
				t.Errorf("without announced algorithms got %v, want RS256", m.signing)
			}
		})
	}
	t.Run("userinfo wanted", func(t *testing.T) {
		if _, err := readMetadata([]byte(sound), &Config{Issuer: "https://idp.example", UserInfo: true}); err == nil {
			t.Error("a provider without userinfo_endpoint was accepted")
		}
	})
}

// A provider's cookies are those of one login. The next login of another user must not send them.
func TestBoundedClient_keepsNoCookies(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	base := &http.Client{Jar: jar}
	if c := boundedClient(base); c.Jar != nil || base.Jar == nil {
		t.Error("the client of a provider keeps cookies, or the configured client was changed")
	}
}
