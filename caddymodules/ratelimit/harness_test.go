package ratelimit

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

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

// fixture is a provisioned handler on a clock that is moved by hand.
type fixture struct {
	*Handler
	t     testing.TB
	clock *clock
	logs  *observer.ObservedLogs
	// next answers what passes; 200 "passed" unless a test says otherwise.
	next caddyhttp.HandlerFunc
}

// withClock makes the counts of the default namespace go by a clock that is moved by hand.
func withClock(t testing.TB) *clock {
	t.Helper()
	c := &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	counted := newCounts(defaultNamespace)
	counted.local = localstore.New(localstore.Options{Now: c.Now})
	_, loaded := pool.LoadOrStore(countsKey{defaultNamespace}, counted)
	require.False(t, loaded, "an earlier test has left counts behind")
	t.Cleanup(func() {
		last, err := pool.Delete(countsKey{defaultNamespace})
		require.NoError(t, err)
		require.True(t, last, "somebody has not left the counts")
	})
	return c
}

// open provisions the directive: Caddyfile to JSON to module, as Caddy does.
func open(t testing.TB, directive string) *fixture {
	t.Helper()
	c := withClock(t)
	f := provision(t, directive)
	f.clock = c
	return f
}

// provision is open without a clock of its own.
func provision(t testing.TB, directive string) *fixture {
	t.Helper()
	ctx := configuration(t)
	h := new(Handler)
	require.NoError(t, h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(directive)))
	config, err := json.Marshal(h)
	require.NoError(t, err)
	module, err := ctx.LoadModuleByID("http.handlers.rate_limit", config)
	require.NoError(t, err)
	f := &fixture{Handler: module.(*Handler), t: t}
	core, logs := observer.New(zapcore.DebugLevel)
	f.logs = logs
	f.logTo(zap.New(core))
	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		_, err := w.Write([]byte("passed"))
		return err
	}
	return f
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

// request is one as Caddy's server prepares it, from an address with a port.
func request(method, target, remote string) *http.Request {
	r := httptest.NewRequestWithContext(context.Background(), method, target, http.NoBody)
	r.RemoteAddr = remote
	return prepare(r)
}

func prepare(r *http.Request) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, new(caddyhttp.Server))
}

// client is a request from the address.
func client(address string) *http.Request {
	return request(http.MethodGet, "http://example.com/", net.JoinHostPort(address, "4711"))
}

// do lets the handler answer, and an error's status be the response's, as Caddy does without
// handle_errors.
func (f *fixture) do(r *http.Request) *httptest.ResponseRecorder {
	f.t.Helper()
	w := httptest.NewRecorder()
	if err := f.ServeHTTP(w, r, f.next); err != nil {
		var answer caddyhttp.HandlerError
		require.ErrorAs(f.t, err, &answer)
		w.WriteHeader(answer.StatusCode)
	}
	return w
}

// status is that of the answer to a request from the address.
func (f *fixture) status(address string) int {
	f.t.Helper()
	return f.do(client(address)).Code
}

// statuses are those of n requests from the address.
func (f *fixture) statuses(n int, address string) (all []int) {
	f.t.Helper()
	for range n {
		all = append(all, f.status(address))
	}
	return all
}

// value is a placeholder's, after the request.
func value(r *http.Request, name string) string {
	v, _ := replacer(r).GetString(name)
	return v
}

// counterValue reads a counter.
func counterValue(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, c.Write(&m))
	return m.GetCounter().GetValue()
}
