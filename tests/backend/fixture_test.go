package backend

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// patience is how long a story waits for what must come: generous, since a busy machine is no failure.
const patience = 60 * time.Second

// business is one organization that ann owns.
const business = `
insert into users (id, email) values ('ann', 'ann@example.test');
insert into organizations (id, name, slug) values ('o1', 'First', 'first');
insert into organization_members (organization_id, user_id, role) values ('o1', 'ann', 'owner');
insert into client_companies (id, organization_id, name) values ('c1', 'o1', 'Acme');
`

// house is a database and the edge before a backend.
type house struct {
	t        *testing.T
	database stack.Database
	edge     *callertest.Edge
}

// newHouse has a database on the server that all tests share.
func newHouse(t *testing.T) *house { return houseOn(t, stack.PostgresForTest(t)) }

// houseOn has its database on a server of the test's own.
func houseOn(t *testing.T, pg *stack.Postgres) *house {
	t.Helper()
	d := migratetest.On(t, pg)
	require.NoError(t, d.Exec(t.Context(), business))
	require.NoError(t, d.Exec(t.Context(), "checkpoint")) // servers of tests sync nothing, and some are killed
	return &house{t: t, database: d, edge: callertest.New(t)}
}

func (h *house) options() stack.BackendOptions {
	return stack.BackendOptions{DatabaseURL: h.database.DSN(stack.AppLogin), KeySet: h.edge.KeySet}
}

// get asks for a page or a resource as ann, and returns the answer with its body.
func (h *house) get(url string) (*http.Response, string) {
	h.t.Helper()
	return h.getAs("ann", url)
}

func (h *house) getAs(name, url string) (*http.Response, string) {
	h.t.Helper()
	response, body, err := h.tryAs(name, url)
	require.NoError(h.t, err)
	return response, body
}

func (h *house) try(url string) (*http.Response, string, error) { return h.tryAs("ann", url) }

func (h *house) tryAs(name, url string) (*http.Response, string, error) {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), http.MethodGet, url, nil)
	require.NoError(h.t, err)
	response, err := client.Do(h.edge.As(h.t, r, name))
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// client takes a new connection for each request, so that a stopped server is found stopped.
var client = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}

// answer is what came of a request that was sent without waiting for it.
type answer struct {
	status int
	body   string
	err    error
}

// later sends a request and comes back at once.
func (h *house) later(url string) <-chan answer {
	answers := make(chan answer, 1)
	go func() {
		response, body, err := h.try(url)
		if err != nil {
			answers <- answer{err: err}
			return
		}
		answers <- answer{status: response.StatusCode, body: body}
	}()
	return answers
}

// hold locks the clients, so that whoever reads them waits, until release is called.
func (h *house) hold() (release func()) {
	h.t.Helper()
	ctx := context.WithoutCancel(h.t.Context())
	conn, err := pgx.Connect(ctx, h.database.DSN(stack.OwnerLogin))
	require.NoError(h.t, err)
	h.t.Cleanup(func() { _ = conn.Close(ctx) })
	_, err = conn.Exec(ctx, "begin; lock table client_companies in access exclusive mode")
	require.NoError(h.t, err)
	return func() { _, _ = conn.Exec(ctx, "rollback") }
}

// waiting returns the pid of the server's process that waits for the lock of hold.
func (h *house) waiting() (pid int) {
	h.t.Helper()
	conn, err := pgx.Connect(h.t.Context(), h.database.DSN("postgres"))
	require.NoError(h.t, err)
	defer conn.Close(h.t.Context())
	require.Eventually(h.t, func() bool {
		return conn.QueryRow(h.t.Context(), `select pid from pg_stat_activity where datname = current_database()
			and application_name = 'gatehouse-backend' and wait_event_type = 'Lock'`).Scan(&pid) == nil
	}, patience, 10*time.Millisecond)
	return pid
}

// run runs a command of the backend that ends by itself, and returns what it said and its exit code.
func run(t *testing.T, env []string, args ...string) (said string, code int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := stack.Start(ctx, stack.Spec{
		Name: "backend", Path: stack.BuildBackend(t, false), Args: args, Env: env, Dir: t.TempDir(), Log: log,
	})
	require.NoError(t, err)
	select {
	case <-p.Done():
	case <-ctx.Done():
		_ = p.Kill()
		t.Fatalf("backend %s does not end: %s", strings.Join(args, " "), p.Log())
	}
	return p.Log(), p.ExitCode()
}

// environment is all that serve needs, on ports of the test's own.
func (h *house) environment(dsn string) (env []string, url string) {
	h.t.Helper()
	listen, metrics := stack.PortForTest(h.t), stack.PortForTest(h.t)
	return []string{
		"DATABASE_URL=" + dsn, "IDENTITY_JWKS_FILE=" + h.edge.KeySet, "BACKEND_CURSOR_KEY=MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
		"BACKEND_LISTEN=" + listen.Addr(), "BACKEND_METRICS_LISTEN=" + metrics.Addr(),
	}, "http://" + listen.Addr()
}

// code is the problem's.
func code(t *testing.T, body string) string {
	t.Helper()
	var problem struct {
		Code      string `json:"code"`
		RequestID string `json:"requestId"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &problem), body)
	require.NotEmpty(t, problem.RequestID)
	return problem.Code
}

// write makes a file.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
