package session

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/localstore"
	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

const site = "https://app.test"

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// breakable is a store that can be made not to answer.
type breakable struct {
	sessions.Store
	mu   sync.Mutex
	down bool
}

func (b *breakable) set(down bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.down = down
}

func (b *breakable) err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return sessions.ErrUnavailable
	}
	return nil
}

func (b *breakable) Read(ctx context.Context, s sessions.Selector, held sessions.CachedSession) (sessions.CachedSession, error) {
	if err := b.err(); err != nil {
		return sessions.CachedSession{}, err
	}
	return b.Store.Read(ctx, s, held)
}

func (b *breakable) Validate(ctx context.Context, v sessions.Validation) (sessions.Reply, error) {
	if err := b.err(); err != nil {
		return sessions.Reply{}, err
	}
	return b.Store.Validate(ctx, v)
}

func (b *breakable) Touch(ctx context.Context, t []sessions.Touch) ([]sessions.Touched, error) {
	if err := b.err(); err != nil {
		return nil, err
	}
	return b.Store.Touch(ctx, t)
}

func (b *breakable) Rotate(ctx context.Context, r sessions.Rotation) (sessions.Reply, error) {
	if err := b.err(); err != nil {
		return sessions.Reply{}, err
	}
	return b.Store.Rotate(ctx, r)
}

func (b *breakable) Create(ctx context.Context, c sessions.Creation) (*sessions.Record, error) {
	if err := b.err(); err != nil {
		return nil, err
	}
	return b.Store.Create(ctx, c)
}

func (b *breakable) End(ctx context.Context, e sessions.End) (*sessions.Record, error) {
	if err := b.err(); err != nil {
		return nil, err
	}
	return b.Store.End(ctx, e)
}

// fixture is a provisioned handler with a provider, on a clock that is moved by hand.
type fixture struct {
	*Handler
	t     testing.TB
	op    *idp.Server
	store *breakable
	clock *clock
	logs  *observer.ObservedLogs
	// next answers what passes; 200 "passed" unless a test says otherwise. got is what reached it.
	next caddyhttp.HandlerFunc
	got  *http.Request
}

// open provisions a handler with one provider, dev, and further lines of its block.
func open(t testing.TB, lines string) *fixture {
	t.Helper()
	f := &fixture{t: t, clock: &clock{now: time.Now().Truncate(time.Second)}}
	op, err := idp.Start(t.Context(), "127.0.0.1:0", idp.Config{
		Clients: []idp.Client{{
			ID: "app", Secret: "hush",
			RedirectURIs:           []string{site + "/_auth/callback/dev", site + "/_auth/callback/other", "https://app.test:8443/_auth/callback/dev"},
			PostLogoutRedirectURIs: []string{site + "/"},
		}, {
			ID: "shop", Secret: "hush", RedirectURIs: []string{site + "/_auth/callback/dev"},
		}},
		Users: append(idp.DemoUsers(), idp.User{Subject: "gina", Groups: manyGroups()}),
	}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = op.Close() })
	f.op = op
	f.store = &breakable{Store: localstore.New(localstore.Config{Now: f.clock.Now})}
	k := &sharedState{sharedStateKey: sharedStateKey{namespace: defaultNamespace}, tokens: new(localTokens), unsubscribe: func() {}, cancel: func() {}}
	k.key = sessions.Key{ID: "test", Secret: [32]byte{1, 2, 3}}
	k.node = sessions.NewNode(sessions.NodeConfig{Store: f.store, Now: f.clock.Now, OnLink: k.moved})
	_, loaded := pool.LoadOrStore(k.sharedStateKey, k)
	require.False(t, loaded, "an earlier test has left sessions behind")
	t.Cleanup(func() {
		last, err := pool.Delete(k.sharedStateKey)
		require.NoError(t, err)
		require.True(t, last, "somebody has not left the sessions")
	})
	f.Handler = provision(t, f.directive(lines))
	core, logs := observer.New(zapcore.DebugLevel)
	f.logger, f.logs = zap.New(core), logs
	f.audit = f.logger.Named("audit")
	f.now = f.clock.Now
	for _, p := range f.providers {
		require.Eventually(t, func() bool { return p.Status().Ready }, 20*time.Second, 5*time.Millisecond, "the provider is not found: %v", p.Status().Err)
	}
	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		_, err := io.WriteString(w, "passed")
		return err
	}
	return f
}

// manyGroups are more groups than a ticket carries. The last one is "last".
func manyGroups() (groups []string) {
	for i := range 40 {
		groups = append(groups, fmt.Sprintf("group %d", i))
	}
	return append(groups, "last")
}

func (f *fixture) directive(lines string) string {
	return fmt.Sprintf("session {\n%s\n%s\n}", f.provider("dev", ""), lines)
}

func (f *fixture) provider(name, lines string) string {
	return fmt.Sprintf("provider %s {\nissuer %s\nclient_id app\nclient_secret hush\n%s\n}", name, f.op.Issuer(), lines)
}

// provision goes from Caddyfile to JSON to module, as Caddy does.
func provision(t testing.TB, directive string) *Handler {
	t.Helper()
	config, err := adapt(directive)
	require.NoError(t, err)
	ctx := configuration(t)
	module, err := ctx.LoadModuleByID("http.handlers.session", config)
	require.NoError(t, err)
	return module.(*Handler)
}

// adapt returns the JSON of the directive in a site of named matchers.
func adapt(directive string) (json.RawMessage, error) {
	result, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("http://app.test {\n"+
		"@static path /assets/* /favicon.ico\n@health path /health /api/health\n@poll path /poll\n@admin path /admin/*\n@ico path *.ico\n"+directive+"\n}\n"), nil)
	if err != nil {
		return nil, err
	}
	var config struct {
		Apps struct {
			HTTP struct {
				Servers map[string]struct {
					Routes []struct {
						Handle []struct {
							Routes []struct{ Handle []map[string]json.RawMessage }
						}
					}
				}
			}
		}
	}
	if err := json.Unmarshal(result, &config); err != nil {
		return nil, err
	}
	for _, server := range config.Apps.HTTP.Servers {
		handler := server.Routes[0].Handle[0].Routes[0].Handle[0]
		delete(handler, "handler") // its name is known
		return json.Marshal(handler)
	}
	return nil, fmt.Errorf("no server in %s", result)
}

// configuration is a loaded configuration without apps, unloaded when the test ends.
func configuration(t testing.TB) caddy.Context {
	t.Helper()
	t.Setenv("XDG_DATA_HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	disabled := false
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:   &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &disabled}},
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "FATAL"}}}},
	})
	require.NoError(t, err)
	derived, unload := caddy.NewContext(ctx)
	t.Cleanup(unload)
	return derived
}

// request is one as Caddy's server prepares it. Headers come in pairs.
func request(method, target string, headers ...string) *http.Request {
	if strings.HasPrefix(target, "/") {
		target = site + target
	}
	r := httptest.NewRequestWithContext(context.Background(), method, target, http.NoBody)
	r.RemoteAddr = "192.0.2.1:4711"
	if r.URL.Scheme == "https" {
		r.TLS = &tls.ConnectionState{}
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return prepare(r)
}

func prepare(r *http.Request) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, new(caddyhttp.Server))
}

// do lets the handler answer, and an error's status be the response's, as Caddy does without
// handle_errors.
func (f *fixture) do(r *http.Request) *httptest.ResponseRecorder {
	f.t.Helper()
	f.got = nil
	w := httptest.NewRecorder()
	err := f.ServeHTTP(w, r, caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		f.got = r
		return f.next(w, r)
	}))
	if err != nil {
		var answer caddyhttp.HandlerError
		require.ErrorAs(f.t, err, &answer)
		w.WriteHeader(answer.StatusCode)
	}
	return w
}

// browser is one person's, in front of a fixture.
type browser struct {
	*fixture
	cookies  map[string]string
	provider *idp.Browser
}

func (f *fixture) browser() *browser {
	return &browser{fixture: f, cookies: map[string]string{}, provider: idp.NewBrowser(nil)}
}

// page are what a browser says of a page that a person goes to.
var pageHeaders = []string{"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Accept", "text/html"}

// script are what it says of a script's call of its own site.
var script = []string{"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Accept", "*/*"}

// with brings the browser's cookies.
func (b *browser) with(r *http.Request) *http.Request {
	for name, value := range b.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	return r
}

// send sends a request with the browser's cookies and keeps those of the answer.
func (b *browser) send(r *http.Request) *httptest.ResponseRecorder {
	b.t.Helper()
	w := b.do(b.with(r))
	b.keep(w)
	return w
}

func (b *browser) keep(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
}

func (b *browser) navigate(target string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(request(http.MethodGet, target, pageHeaders...))
}

func (b *browser) call(method, target string, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.send(request(method, target, append(append([]string{}, script...), headers...)...))
}

// begin goes to the login, and returns where the provider is.
func (b *browser) begin(target string) (authURL string) {
	b.t.Helper()
	w := b.navigate(target)
	require.Equal(b.t, http.StatusFound, w.Code, w.Body.String())
	return w.Header().Get("Location")
}

// atProvider signs in at the provider and returns the callback's address.
func (b *browser) atProvider(authURL, user string) string {
	b.t.Helper()
	u, err := url.Parse(authURL)
	require.NoError(b.t, err)
	back, err := b.provider.SignIn(b.t.Context(), authURL, u.Query().Get("redirect_uri"), user)
	require.NoError(b.t, err)
	return back.String()
}

// signIn signs in and returns where that leads.
func (b *browser) signIn(user string) string {
	b.t.Helper()
	w := b.navigate(b.atProvider(b.begin("/_auth/login"), user))
	require.Equal(b.t, http.StatusFound, w.Code, w.Body.String())
	require.NotEmpty(b.t, b.cookies[defaultCookie])
	return w.Header().Get("Location")
}

// problemOf reads a problem.
func problemOf(t testing.TB, w *httptest.ResponseRecorder) problem {
	t.Helper()
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	var p problem
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
	return p
}

// value is a placeholder's of the request that reached the app.
func (f *fixture) value(name string) string {
	f.t.Helper()
	require.NotNil(f.t, f.got, "nothing reached the app")
	v, _ := replacer(f.got).GetString(name)
	return v
}

// strange is a session cookie that nobody was given.
func strange(t testing.TB) string {
	t.Helper()
	selector, err := sessions.NewSelector(rand.Reader)
	require.NoError(t, err)
	verifier, err := sessions.NewVerifier(rand.Reader)
	require.NoError(t, err)
	return sessions.Cookie{Selector: selector, Verifier: verifier}.Value()
}

// field is a member of a JSON answer.
func field(t testing.TB, w *httptest.ResponseRecorder, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &members))
	return string(members[name])
}

// handlerOf is what answers behind the fixture.
func handlerOf(f *fixture) caddyhttp.Handler {
	return caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error { return f.next(w, r) })
}
