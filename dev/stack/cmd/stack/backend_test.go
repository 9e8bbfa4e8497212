package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// standInEnv turns this test binary into a stand-in for the backend, with a schema of one table: what a run does with
// a backend is tried here, what the backend does elsewhere.
const standInEnv = "DEVSTACK_TEST_STAND_IN"

// shown is how the stand-in answers every request.
type shown struct {
	Login         string
	Organizations int
	Keys          string
	CursorKey     string
}

func standIn() {
	ctx := context.Background()
	var err error
	switch os.Args[1] {
	case "migrate":
		err = asAdmin(ctx, os.Getenv("DATABASE_ADMIN_URL"), func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, `
				DO $$ BEGIN CREATE ROLE gatehouse_app; EXCEPTION WHEN duplicate_object THEN END $$;
				CREATE TABLE IF NOT EXISTS organizations (id text);
				CREATE TABLE IF NOT EXISTS users (id text);
				GRANT SELECT ON organizations TO gatehouse_app`)
			return err
		})
	case "seed":
		err = asAdmin(ctx, os.Getenv("DATABASE_ADMIN_URL"), func(conn *pgx.Conn) error {
			_, err := conn.Exec(ctx, "INSERT INTO organizations VALUES ('acme')")
			return err
		})
	case "serve":
		server := &http.Server{Addr: os.Getenv("BACKEND_LISTEN"), Handler: http.HandlerFunc(standInServes), ReadHeaderTimeout: time.Second}
		err = server.ListenAndServe()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func standInServes(w http.ResponseWriter, r *http.Request) {
	s := shown{CursorKey: os.Getenv("BACKEND_CURSOR_KEY")}
	keys, _ := os.ReadFile(os.Getenv("IDENTITY_JWKS_FILE")) // not there before the edge is
	s.Keys = string(keys)
	err := asAdmin(r.Context(), os.Getenv("DATABASE_URL"), func(conn *pgx.Conn) error {
		return conn.QueryRow(r.Context(), "SELECT session_user, count(*) FROM organizations").Scan(&s.Login, &s.Organizations)
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if err := json.NewEncoder(w).Encode(s); err != nil {
		fmt.Println(err)
	}
}

func newBackendPlace(t *testing.T) *place {
	t.Helper()
	p := newPlace(t)
	p.backend = true
	return p
}

// runBackend is a run with the stand-in.
func (p *place) runBackend(t *testing.T, env ...string) *running {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	return p.runWith(t, append(env, "GATEHOUSE_BACKEND_BIN="+self, standInEnv+"=1"))
}

// shows asks the backend through a node.
func (r *running) shows(node int) (s shown) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodGet, "https://localhost:"+r.place.ports[node]+"/", http.NoBody)
	require.NoError(r.t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // of a CA that nobody knows
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	require.NoError(r.t, err)
	defer resp.Body.Close()
	require.NoError(r.t, json.NewDecoder(resp.Body).Decode(&s))
	return s
}

func TestRun_preparesADatabaseOfItsOwnOnceAndKeepsIt(t *testing.T) {
	p := newBackendPlace(t)
	r := p.runBackend(t)
	r.says("Gatehouse is up")
	require.Contains(t, r.out.String(), "filling it with demo data")
	require.Contains(t, r.out.String(), "postgres://gatehouse_owner:")
	first := r.shows(1)
	require.NotEmpty(t, first.CursorKey)
	require.Equal(t, shown{Login: stack.AppLogin, Organizations: 1, Keys: "the keys", CursorKey: first.CursorKey}, first)
	started := r.note().Started
	require.NoError(t, r.cmd.Process.Kill())
	r.end()
	r.allGone(started)

	again := p.runBackend(t)
	again.says("Gatehouse is up")
	require.NotContains(t, again.out.String(), "demo data")
	require.Equal(t, first, again.shows(0))
	started = again.note().Started
	again.interrupt()
	require.NoError(t, again.status)
	again.allGone(started)
}

func TestRun_deadPostgresEndsTheRest(t *testing.T) {
	r := newBackendPlace(t).runBackend(t)
	r.says("Gatehouse is up")
	started := r.note().Started
	pg, err := os.FindProcess(r.pid("postgres"))
	require.NoError(t, err)
	require.NoError(t, pg.Kill())
	r.end()
	require.Error(t, r.status)
	require.Contains(t, r.out.String(), "postgres (pid")
	r.allGone(started)
}

func TestRun_leavesADatabaseInUseAsItIs(t *testing.T) {
	pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{})
	d := pg.CreateDatabase(t, "")
	require.NoError(t, d.Exec(t.Context(), "CREATE TABLE organizations (id text); GRANT SELECT ON organizations TO PUBLIC"))
	given := []string{"DATABASE_URL=" + d.DSN(stack.AppLogin), "DATABASE_ADMIN_URL=" + d.DSN(stack.OwnerLogin)}
	p := newBackendPlace(t)

	r := p.runBackend(t, given...)
	r.says("Gatehouse is up")
	require.Contains(t, r.out.String(), "is in use (tables: 1): this run takes it as it is")
	require.Contains(t, r.out.String(), "the one of DATABASE_URL")
	require.Equal(t, 0, r.shows(0).Organizations, "not seeded")
	for _, s := range r.note().Started {
		require.NotEqual(t, "postgres", s.Name)
	}
	r.interrupt()
	_, err := pgx.Connect(t.Context(), pg.DSN("gatehouse_app", "postgres"))
	require.ErrorContains(t, err, "does not exist", "no role was made")
	require.NoDirExists(t, filepath.Join(p.state, "postgres"))
}

func TestRun_preparesADatabaseThatIsEmpty(t *testing.T) {
	pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{})
	d := pg.CreateDatabase(t, "")
	r := newBackendPlace(t).runBackend(t, "DATABASE_URL="+d.DSN(stack.AppLogin), "DATABASE_ADMIN_URL="+d.DSN(stack.OwnerLogin))
	r.says("Gatehouse is up")
	require.Equal(t, 1, r.shows(0).Organizations, "the login may serve, and there is demo data")
	r.interrupt()
	require.NoError(t, r.status)
	require.True(t, pg.Answers(patience), "a PostgreSQL that was given is left running")
}

func TestRun_ctrlCWhileThePostgresIsMade(t *testing.T) {
	p := newBackendPlace(t)
	hold, held := p.holdingProgram(t, 0)
	bin := filepath.Join(filepath.Dir(p.state), "pgbin")
	require.NoError(t, os.Mkdir(bin, 0o755)) //nolint:gosec // PostgreSQL's account looks in
	require.NoError(t, os.WriteFile(filepath.Join(bin, "postgres"), []byte("#!/bin/sh\necho 'postgres (PostgreSQL) 15.1'\n"), 0o755))
	require.NoError(t, os.Symlink(hold, filepath.Join(bin, "initdb")))
	r := p.runBackend(t, "GATEHOUSE_POSTGRES_BIN="+bin)
	r.eventually(func() bool { return held() != 0 }, "never came so far")
	before := r.note().Started

	r.interrupt()
	require.NoError(t, r.status)
	require.Contains(t, r.out.String(), "stopped")
	r.allGone(append(before, started{Name: "initdb", PID: held()}))
}
