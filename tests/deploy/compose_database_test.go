package deploy

import (
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// The composed system's other half: the roles that its PostgreSQL begins with suffice for migrating, again and again,
// and for serving, and the backend takes the environment that it is given.
func TestComposed_databaseAndBackend(t *testing.T) {
	t.Parallel()
	p := project(t)
	pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{})
	database := *p.Services["postgres"].Environment["POSTGRES_DB"]
	// As empty as the image's: the logins that come with a server for tests are other ones.
	require.NoError(t, pg.Exec(t.Context(), "postgres", "DROP ROLE "+strings.Join([]string{stack.OwnerLogin, stack.AppLogin, stack.JobsLogin}, ", ")))
	require.NoError(t, pg.Exec(t.Context(), "postgres", "CREATE DATABASE "+database))

	// As PostgreSQL's image runs what is in /docker-entrypoint-initdb.d: once, as the superuser.
	superuser, err := url.Parse(pg.DSN("postgres", database))
	require.NoError(t, err)
	password, _ := superuser.User.Password()
	programs, err := stack.PostgresPrograms()
	require.NoError(t, err)
	script := exec.CommandContext(t.Context(), "sh", filepath.Join(moduleRoot(t), "deploy/compose/postgres-roles.sh"))
	script.Env = []string{"PATH=" + programs.Bin + ":" + os.Getenv("PATH"), "PGHOST=" + superuser.Hostname(), "PGPORT=" + superuser.Port(), "PGPASSWORD=" + password}
	for name, value := range p.Services["postgres"].Environment {
		script.Env = append(script.Env, name+"="+*value)
	}
	out, err := script.CombinedOutput()
	require.NoError(t, err, "%s", out)

	binary, log := stack.BuildBackend(t, false), filepath.Join(t.TempDir(), "log")
	at := func(service, variable string) string {
		return strings.Replace(*p.Services[service].Environment[variable], "@postgres:5432", "@"+pg.Addr(), 1)
	}
	for _, service := range []string{"migrate", "migrate", "seed"} {
		err := stack.AdministerBackend(t.Context(), binary, at(service, "DATABASE_ADMIN_URL"), log, p.Services[service].Command...)
		said, _ := os.ReadFile(log)
		require.NoError(t, err, "%s: %s", service, said)
	}

	// All that it is given, but for addresses.
	backend := p.Services["backend"]
	require.Equal(t, []string{"serve"}, []string(backend.Command))
	var env []string
	for name, value := range backend.Environment {
		switch name {
		case "DATABASE_URL", "BACKEND_LISTEN", "BACKEND_METRICS_LISTEN", "IDENTITY_JWKS_URL":
		default:
			env = append(env, name+"="+*value)
		}
	}
	ctx := t.Context()
	b, err := stack.StartBackend(ctx, stack.BackendOptions{
		Binary: binary, DatabaseURL: at("backend", "DATABASE_URL"), KeySet: *backend.Environment["IDENTITY_JWKS_URL"], Env: env,
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.Stop() })
	require.NoError(t, stack.Answers(ctx, strings.Replace(healthURL(t, backend), "127.0.0.1:3000", b.Addr(), 1)))
}
