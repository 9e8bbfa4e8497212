package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// standInEnv turns this test binary into a stand-in for the backend: it answers with its arguments and environment.
const standInEnv = "DEVSTACK_TEST_STAND_IN"

func standIn() {
	if os.Args[1] != "serve" {
		fmt.Println(os.Args[1:], "as", os.Getenv("DATABASE_ADMIN_URL"), os.Getenv("DATABASE_URL"))
		os.Exit(len(os.Args) - 2)
	}
	server := &http.Server{
		Addr: os.Getenv("BACKEND_LISTEN"), ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if err := json.NewEncoder(w).Encode(os.Environ()); err != nil {
				fmt.Println(err)
			}
		}),
	}
	fmt.Println(server.ListenAndServe())
	os.Exit(1)
}

func standInForTest(t *testing.T, opts BackendOptions) (*Backend, map[string]string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	opts.Binary = self
	opts.Env = append(opts.Env, standInEnv+"=1")
	b := BackendForTest(t, opts)
	var pairs []string
	require.NoError(t, json.Unmarshal([]byte(body(t, b.URL())), &pairs))
	env := map[string]string{}
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	return b, env
}

func TestBackend_isToldWhatItIsToldAndNothingOfTheTests(t *testing.T) {
	for _, name := range []string{"DATABASE_ADMIN_URL", "BACKEND_LISTEN", "IDENTITY_JWKS_URL", "PGHOST", "GATEHOUSE_SECRET"} {
		t.Setenv(name, "elsewhere")
	}
	b, env := standInForTest(t, BackendOptions{DatabaseURL: "postgres://x", KeySet: "/keys.json", LogLevel: "debug"})
	require.Equal(t, b.Addr(), env["BACKEND_LISTEN"])
	require.Equal(t, b.MetricsURL(), "http://"+env["BACKEND_METRICS_LISTEN"]+"/metrics")
	for name, want := range map[string]string{
		"DATABASE_URL": "postgres://x", "IDENTITY_JWKS_FILE": "/keys.json", "IDENTITY_ISSUER": "gatehouse",
		"IDENTITY_AUDIENCE": "app", "BACKEND_LOG_LEVEL": "debug",
	} {
		require.Equal(t, want, env[name], name)
	}
	for _, name := range []string{"DATABASE_ADMIN_URL", "IDENTITY_JWKS_URL", "PGHOST", "GATEHOUSE_SECRET"} {
		require.NotContains(t, env, name)
	}

	_, other := standInForTest(t, BackendOptions{Name: "another", KeySet: "https://edge/keys"})
	require.Equal(t, "https://edge/keys", other["IDENTITY_JWKS_URL"])
	require.NotContains(t, other, "IDENTITY_JWKS_FILE")
	require.Equal(t, env["BACKEND_CURSOR_KEY"], other["BACKEND_CURSOR_KEY"], "either continues the other's lists")
	require.NotEmpty(t, env["BACKEND_CURSOR_KEY"])
}

func TestBackend_killedAndRestartedIsAtTheSameAddress(t *testing.T) {
	b, _ := standInForTest(t, BackendOptions{})
	addr, pid := b.Addr(), b.Process().Pid()
	require.NoError(t, b.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, Answers(ctx, b.URL()), context.DeadlineExceeded)
	require.NoError(t, b.Resume())
	require.NoError(t, b.Kill())
	require.ErrorIs(t, Answers(startContext(t), b.URL()), syscall.ECONNREFUSED)

	require.NoError(t, b.Restart(startContext(t)))
	require.Equal(t, addr, b.Addr())
	require.NotEqual(t, pid, b.Process().Pid())
	require.NoError(t, Answers(startContext(t), b.URL()))
}

func TestAdministerBackend_runsACommandAsTheOwnerAlone(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	t.Setenv(standInEnv, "1")
	t.Setenv("DATABASE_URL", "postgres://elsewhere")
	log := filepath.Join(t.TempDir(), "log")
	require.NoError(t, AdministerBackend(startContext(t), self, "postgres://owner", log, "seed"))
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	require.Equal(t, "[seed] as postgres://owner \n", string(text))

	err = AdministerBackend(startContext(t), self, "postgres://owner", log, "migrate", "up")
	require.ErrorContains(t, err, "backend migrate up")
	require.ErrorContains(t, err, "exit status 1")
}
