package backend

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

func TestServe_servesThePersonThatTheEdgeNames(t *testing.T) {
	h := newHouse(t)
	b := stack.BackendForTest(t, h.options())
	for path, want := range map[string]int{"/api/clients/c1": 200, "/api/clients": 200, "/api/clients/c2": 404, "/": 200, "/nowhere": 404} {
		response, body := h.get(b.URL() + path)
		require.Equal(t, want, response.StatusCode, "%s: %s", path, body)
		require.NotEmpty(t, response.Header.Get("X-Request-Id"), path)
	}
	for path, want := range map[string]int{"/health": 200, "/api/health": 200, "/ready": 200, "/api/clients/c1": 401, "/": 401, "/metrics": 401} {
		response, err := client.Get(b.URL() + path)
		require.NoError(t, err)
		response.Body.Close()
		require.Equal(t, want, response.StatusCode, "%s of a stranger", path)
	}
}

func TestServe_countsForPrometheusAndLogsNothingPersonal(t *testing.T) {
	h := newHouse(t)
	b := stack.BackendForTest(t, h.options())
	h.get(b.URL() + "/api/clients/c1?canary-query=1")
	h.get(b.URL() + "/api/clients/canary-id")
	_, metrics := h.get(b.MetricsURL())
	for _, want := range []string{
		`gatehouse_backend_requests_total{method="GET",route="GET /api/clients/{id}",status="404"} 1`,
		`gatehouse_backend_request_duration_seconds_count{method="GET",route="GET /api/clients/{id}"} 2`,
		"gatehouse_backend_database_connections_max 10", "gatehouse_backend_build_info{", "process_resident_memory_bytes", "go_goroutines",
	} {
		require.Contains(t, metrics, want)
	}
	require.Contains(t, b.Log(), `"route":"GET /api/clients/{id}"`)
	password := strings.SplitN(strings.SplitN(h.database.DSN(stack.AppLogin), "@", 2)[0], ":", 3)[2]
	for _, secret := range []string{"canary", "ann@", `"ann"`, "corp:", "Acme", password, "eyJ"} {
		require.NotContains(t, b.Log(), secret)
		require.NotContains(t, metrics, secret)
	}
	require.NotContains(t, b.Log(), "/health", "who starts it asks every few seconds")
}

// The reasons are package store's; here is that the program ends for them, and says them all.
func TestServe_refusesADatabaseThatItReachesTooFarIn(t *testing.T) {
	h := newHouse(t)
	env, _ := h.environment(h.database.DSN(stack.OwnerLogin))
	said, code := run(t, env, "serve")
	require.Equal(t, 1, code)
	for _, want := range []string{"may make itself a member of other roles", "owns tables", "ALTER ROLE"} {
		require.Contains(t, said, want)
	}
}

func TestServe_saysAllThatIsWrongWithItsEnvironment(t *testing.T) {
	h := newHouse(t)
	said, code := run(t, []string{"DATABASE_URL=canary", "BACKEND_CURSOR_KEY=c2hvcnQ=", "BACKEND_LISTEN=nowhere", "DATABASE_ADMIN_URL=canary"}, "serve")
	require.Equal(t, 2, code)
	for _, want := range []string{"DATABASE_URL must", "BACKEND_CURSOR_KEY must", "BACKEND_LISTEN must", "exactly one of IDENTITY_JWKS_URL", "DATABASE_ADMIN_URL must not"} {
		require.Contains(t, said, want)
	}
	require.NotContains(t, said, "canary")

	env, url := h.environment(h.database.DSN(stack.AppLogin))
	taken := strings.TrimPrefix(url, "http://")
	b := stack.BackendForTest(t, h.options())
	said, code = run(t, append(env, "BACKEND_LISTEN="+b.Addr()), "serve")
	require.Equal(t, 1, code, taken)
	require.Contains(t, said, "BACKEND_LISTEN")
	require.Contains(t, said, "address already in use")

	said, code = run(t, append(env, "IDENTITY_JWKS_FILE=", "IDENTITY_JWKS_URL=http://keys.example.test/jwks.json", "IDENTITY_JWKS_CA="+write(t, "no certificate")), "serve")
	require.Equal(t, 2, code)
	require.Contains(t, said, "IDENTITY_JWKS_CA must name a PEM file with a certificate")
}

// Keys that cannot be had are no reason to end: the edge may come later.
func TestServe_answers503WithoutTheKeysOfTheEdge(t *testing.T) {
	h := newHouse(t)
	options := h.options()
	options.KeySet = h.edge.KeySet + ".absent"
	b := stack.BackendForTest(t, options)
	response, body := h.get(b.URL() + "/api/clients")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "identity_unavailable", code(t, body))
	require.Equal(t, "5", response.Header.Get("Retry-After"))
}

func TestServe_startsBeforeItsDatabase(t *testing.T) {
	pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{})
	h := houseOn(t, pg)
	require.NoError(t, pg.Kill())
	env, url := h.environment(h.database.DSN(stack.AppLogin))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := stack.Start(ctx, stack.Spec{
		Name: "backend", Path: stack.BuildBackend(t, false), Args: []string{"serve"}, Env: env, Dir: t.TempDir(), Log: t.TempDir() + "/log",
		Ready: func(ctx context.Context) error { return stack.Answers(ctx, url+"/health") },
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Kill() })

	response, _ := h.get(url + "/ready")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	response, body := h.get(url + "/api/clients")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "unavailable", code(t, body))
	response, _ = h.get(url + "/clients")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)

	require.NoError(t, pg.Restart(ctx))
	require.Eventually(t, func() bool {
		response, _ := h.get(url + "/ready")
		return response.StatusCode == http.StatusOK
	}, patience, 50*time.Millisecond)
	response, _ = h.get(url + "/api/clients")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Equal(t, 1, strings.Count(p.Log(), "database unavailable"), "told once")
	require.NoError(t, p.Stop(patience))
	require.Equal(t, 0, p.ExitCode())
}
