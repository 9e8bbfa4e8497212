package assertidentity

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fixture is a provisioned handler on a clock that is moved by hand, and the upstream behind it.
type fixture struct {
	*Handler
	tb       testing.TB
	at       time.Time
	verifier *identity.Verifier
	// got is the request that reached the upstream last; nil when none did.
	got *http.Request
	// body is read by the upstream before it looks at the request.
	next caddyhttp.HandlerFunc
}

// open provisions the directive: Caddyfile to JSON to module, as Caddy does. Its keys are a directory.
func open(tb testing.TB, directive string) *fixture {
	tb.Helper()
	dir := keyDirectory(tb)
	h, err := provision(configuration(tb), "assert_identity {\naudience app\nkeys "+dir+"\n"+directive+"\n}")
	require.NoError(tb, err)
	f := &fixture{Handler: h, tb: tb, at: start}
	f.now = func() time.Time { return f.at }
	f.signer.Now = f.now
	f.next = func(w http.ResponseWriter, r *http.Request) error {
		f.got = r
		_, err := w.Write([]byte("passed"))
		return err
	}
	f.verifier, err = identity.NewVerifier(identity.VerifierConfig{
		Issuer: h.Issuer, Audience: h.Audience, Keys: f.published(), Now: f.now,
	})
	require.NoError(tb, err)
	return f
}

// provision makes the handler of a directive in a configuration.
func provision(ctx caddy.Context, directive string) (*Handler, error) {
	parsed := new(Handler)
	if err := parsed.UnmarshalCaddyfile(caddyfile.NewTestDispenser(directive)); err != nil {
		return nil, err
	}
	config, err := json.Marshal(parsed)
	if err != nil {
		return nil, err
	}
	module, err := ctx.LoadModuleByID("http.handlers.assert_identity", config)
	if err != nil {
		return nil, err
	}
	return module.(*Handler), nil
}

// configuration is a loaded configuration without apps, unloaded when the test ends.
func configuration(tb testing.TB) caddy.Context {
	tb.Helper()
	ctx, unload := reloadable(tb)
	tb.Cleanup(unload)
	return ctx
}

// reloadable is a configuration whose end the test decides on. All of a test share one storage.
func reloadable(tb testing.TB) (caddy.Context, context.CancelFunc) {
	tb.Helper()
	disabled := false
	ctx, err := caddy.ProvisionContext(&caddy.Config{
		Admin:      &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &disabled}},
		Logging:    &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{Level: "FATAL"}}}},
		StorageRaw: json.RawMessage(`{"module": "file_system", "root": "` + storageDirectory(tb) + `"}`),
	})
	require.NoError(tb, err)
	return caddy.NewContext(ctx)
}

// storageDirectory is the same for all of a test.
func storageDirectory(tb testing.TB) string {
	tb.Helper()
	const name = "TEST_IDENTITY_STORAGE"
	if dir := os.Getenv(name); dir != "" {
		return dir
	}
	dir := tb.TempDir()
	tb.Setenv(name, dir)
	return dir
}

// keyDirectory holds one key.
func keyDirectory(tb testing.TB) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "keys")
	require.NoError(tb, os.Mkdir(dir, 0o700))
	addKey(tb, dir, "1.pem")
	return dir
}

func addKey(tb testing.TB, dir, name string) (id string) {
	tb.Helper()
	keyPEM, id, err := identity.GenerateKey()
	require.NoError(tb, err)
	require.NoError(tb, os.WriteFile(filepath.Join(dir, name), keyPEM, 0o600))
	return id
}

// published is the key set as an upstream gets it.
func (f *fixture) published() *identity.KeySet {
	f.tb.Helper()
	path := filepath.Join(f.tb.TempDir(), "jwks.json")
	require.NoError(f.tb, os.WriteFile(path, f.keyring.JWKS(), 0o600))
	return identity.KeysFromFile(path)
}

// request is one as Caddy's server prepares it, with placeholders that another handler has set.
func request(placeholders map[string]any) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "http://app.example/", http.NoBody)
	repl := caddy.NewReplacer()
	r = caddyhttp.PrepareRequest(r, repl, nil, new(caddyhttp.Server))
	for name, value := range placeholders {
		repl.Set(name, value)
	}
	return r
}

// do lets the handler answer, and an error's status be the response's, as Caddy does without
// handle_errors.
func (f *fixture) do(r *http.Request) *httptest.ResponseRecorder {
	f.tb.Helper()
	f.got = nil
	w := httptest.NewRecorder()
	if err := f.ServeHTTP(w, r, f.next); err != nil {
		var answer caddyhttp.HandlerError
		require.ErrorAs(f.tb, err, &answer)
		w.WriteHeader(answer.StatusCode)
	}
	return w
}

// seen sends a user's request and returns what the upstream makes of the assertion.
func (f *fixture) seen(placeholders map[string]any) identity.Identity {
	f.tb.Helper()
	f.do(request(placeholders))
	require.NotNil(f.tb, f.got, "the request did not reach the upstream")
	id, err := f.verifier.FromRequest(f.got)
	require.NoError(f.tb, err)
	return id
}

// count is the value of a counter.
func count(tb testing.TB, c prometheus.Counter) float64 {
	tb.Helper()
	var m dto.Metric
	require.NoError(tb, c.Write(&m))
	return m.GetCounter().GetValue()
}

// ann is signed in by a session.
func ann() map[string]any {
	return map[string]any{
		"http.auth.user.id":        "corp:ann",
		"http.auth.user.iss":       "https://login.example.com",
		"http.auth.user.sub":       "ann",
		"http.auth.user.session":   "9f2c",
		"http.auth.user.acr":       "urn:mfa",
		"http.auth.user.auth_time": int64(1772362800),
		"http.auth.user.groups":    namedList{"staff", "admins"},
		"http.auth.user.email":     "ann@example.com",
		"http.auth.user.name":      "Ann",
		"http.session.source":      "cache",
	}
}

// namedList is a list with a text of its own, as `session` sets it.
type namedList []string

func (l namedList) String() string { return strings.Join(l, ",") }

// with is placeholders with some changed; nil takes one away.
func with(placeholders map[string]any, pairs ...any) map[string]any {
	for pair := range slices.Chunk(pairs, 2) {
		name, _ := pair[0].(string)
		placeholders[name] = pair[1]
		if pair[1] == nil {
			delete(placeholders, name)
		}
	}
	return placeholders
}
