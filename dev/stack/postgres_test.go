package stack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

// postgresParentEnv turns this test binary into a parent that starts a PostgreSQL, prints its pid and directory,
// pauses it if it is "pause" and waits to be killed.
const postgresParentEnv = "DEVSTACK_TEST_POSTGRES_PARENT"

func postgresParent() {
	pg, err := StartPostgres(context.Background(), PostgresOptions{})
	if err == nil && os.Getenv(postgresParentEnv) == "pause" {
		err = pg.Pause()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(pg.Process().Pid(), pg.dir)
	select {}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(startContext(t), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// ask1 returns the only value of the only row.
func ask1(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var value string
	require.NoError(t, conn.QueryRow(startContext(t), sql).Scan(&value))
	return value
}

func TestPostgres_isUTF8InUTCAndListensOnLoopbackAlone(t *testing.T) {
	d := DatabaseForTest(t, EmptyTemplate)
	conn := connect(t, d.DSN(OwnerLogin))
	require.Equal(t, "UTC", ask1(t, conn, "SHOW timezone"))
	require.Equal(t, "UTF8", ask1(t, conn, "SHOW server_encoding"))
	require.Equal(t, "ärger", ask1(t, conn, "SELECT lower('ÄRGER')"))
	require.Equal(t, "t", ask1(t, conn, "SELECT ('B' < 'a')::text::char"), "order is by code point, the same on each machine")
	conn = connect(t, d.DSN(superuser))
	require.Equal(t, "127.0.0.1", ask1(t, conn, "SHOW listen_addresses"))
	require.Empty(t, ask1(t, conn, "SHOW unix_socket_directories"))
	require.Equal(t, "200", ask1(t, conn, "SHOW max_connections"))
}

func TestPostgres_isSharedByTheProcessAndDatabasesAreNot(t *testing.T) {
	var names []string
	for range 2 {
		t.Run("user", func(t *testing.T) {
			d := DatabaseForTest(t, EmptyTemplate)
			require.Same(t, PostgresForTest(t), d.Postgres())
			conn := connect(t, d.DSN(OwnerLogin))
			_, err := conn.Exec(startContext(t), "CREATE TABLE mine (id int)")
			require.NoError(t, err, "the owner may use the public schema, and the database is new")
			names = append(names, d.Name)
		})
	}
	require.NotEqual(t, names[0], names[1])
	conn := connect(t, PostgresForTest(t).DSN(superuser, maintenance))
	require.Equal(t, "0", ask1(t, conn, "SELECT count(*)::text FROM pg_database WHERE datname LIKE '%shared%user%'"),
		"dropped at the end of their tests, open connections or not")
}

func TestPostgres_templateIsBuiltOnceAndCopied(t *testing.T) {
	pg := OwnPostgresForTest(t, PostgresOptions{}) // the shared one may have the template of an earlier -count
	built := 0
	build := func(ctx context.Context, d Database) error {
		built++
		conn, err := pgx.Connect(ctx, d.DSN(OwnerLogin))
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, "CREATE ROLE gatehouse_app; CREATE TABLE t (id int); GRANT SELECT ON t TO gatehouse_app; INSERT INTO t VALUES (7)")
		return err
	}
	for range 2 {
		require.NoError(t, pg.Template(startContext(t), "with_t", build))
		d := pg.CreateDatabase(t, "with_t")
		conn := connect(t, d.DSN(AppLogin))
		require.Equal(t, "7", ask1(t, conn, "SELECT id::text FROM t"), "the app's login is in the group that the template made")
		_, err := conn.Exec(startContext(t), "INSERT INTO t VALUES (8)")
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "42501", refused.Code)
	}
	require.Equal(t, 1, built)

	cause := errors.New("no")
	for range 2 {
		require.ErrorIs(t, pg.Template(startContext(t), "broken", func(context.Context, Database) error { return cause }), cause)
	}
}

func TestPostgres_ownerIsNoSuperuserAndMakesRoles(t *testing.T) {
	pg := OwnPostgresForTest(t, PostgresOptions{})
	conn := connect(t, pg.DSN(OwnerLogin, maintenance))
	require.Equal(t, "false true", ask1(t, conn, "SELECT rolsuper || ' ' || rolcreaterole FROM pg_roles WHERE rolname = current_user"))

	var absent *NoGroupError
	require.ErrorAs(t, pg.Login(startContext(t), "reporter", "readers"), &absent)
	require.Equal(t, "readers", absent.Group)
	_, err := conn.Exec(startContext(t), "CREATE ROLE readers")
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, pg.Login(startContext(t), "reporter", "readers"))
	}
	reporter := connect(t, pg.DSN("reporter", maintenance))
	require.Equal(t, "true", ask1(t, reporter, "SELECT pg_has_role(current_user, 'readers', 'USAGE')::text"))
}

func TestPostgres_survivesKillWithDataKept(t *testing.T) {
	dir := reachableDir(t)
	pg := OwnPostgresForTest(t, PostgresOptions{Dir: dir})
	addr, pid, dsn := pg.Addr(), pg.Process().Pid(), pg.DSN(OwnerLogin, "kept")
	_, err := pg.NewDatabase(startContext(t), "kept", EmptyTemplate)
	require.NoError(t, err)
	conn := connect(t, dsn)
	_, err = conn.Exec(startContext(t), "CREATE TABLE t AS SELECT 7 AS id")
	require.NoError(t, err)

	require.NoError(t, pg.Kill())
	require.NoError(t, pg.Kill(), "killing twice is fine")
	_, err = new(net.Dialer).DialContext(startContext(t), "tcp", addr)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.NoError(t, pg.Restart(startContext(t)))

	require.Equal(t, addr, pg.Addr())
	require.NotEqual(t, pid, pg.Process().Pid())
	require.Equal(t, "7", ask1(t, connect(t, dsn), "SELECT id::text FROM t"))
}

func TestPostgres_dataAndPasswordsAreKeptBetweenServers(t *testing.T) {
	dir := reachableDir(t)
	first, err := startForTests(startContext(t), PostgresOptions{Dir: dir})
	require.NoError(t, err)
	_, err = first.NewDatabase(startContext(t), "kept", EmptyTemplate)
	require.NoError(t, err)
	before := strings.Replace(first.DSN(OwnerLogin, "kept"), first.Addr(), "addr", 1)
	require.NoError(t, first.Stop())

	second, err := StartPostgres(startContext(t), PostgresOptions{Dir: dir})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Stop()) })
	require.Equal(t, before, strings.Replace(second.DSN(OwnerLogin, "kept"), second.Addr(), "addr", 1))
	connect(t, second.DSN(OwnerLogin, "kept"))

	_, err = second.EnsureDatabase(startContext(t), "kept")
	require.NoError(t, err)
	another, err := second.EnsureDatabase(startContext(t), "another")
	require.NoError(t, err)
	connect(t, another.DSN(OwnerLogin))

	_, err = pgx.Connect(startContext(t), "postgres://"+OwnerLogin+":guess@"+second.Addr()+"/kept?sslmode=disable")
	require.ErrorContains(t, err, "password authentication failed", "data that is kept is guarded")
	conn := connect(t, second.DSN(superuser, maintenance))
	require.Equal(t, "on", ask1(t, conn, "SHOW fsync"))
	require.Equal(t, "on", ask1(t, conn, "SHOW data_checksums"))
}

func TestPostgres_secondServerOnTheSameDirectoryWaitsAndDisturbsNothing(t *testing.T) {
	dir := reachableDir(t)
	first := OwnPostgresForTest(t, PostgresOptions{Dir: dir})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := StartPostgres(ctx, PostgresOptions{Dir: dir})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "lock")
	require.True(t, first.Answers(patience))
}

func TestPostgres_pausedIsSilentUntilResumedAlsoOnOpenConnections(t *testing.T) {
	pg := OwnPostgresForTest(t, PostgresOptions{})
	conn := connect(t, pg.DSN(OwnerLogin, maintenance))
	require.NoError(t, pg.Pause())

	require.False(t, pg.Answers(100*time.Millisecond))
	// On the wire, so that the connection survives the wait.
	raw := conn.PgConn().Conn()
	_, err := raw.Write(append([]byte{'Q', 0, 0, 0, 13}, "SELECT 1\x00"...))
	require.NoError(t, err)
	require.NoError(t, raw.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	answer := make([]byte, 1)
	_, err = raw.Read(answer)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded, "a backend that was there is paused too")

	require.NoError(t, pg.Resume())
	require.NoError(t, raw.SetReadDeadline(time.Now().Add(patience)))
	_, err = raw.Read(answer)
	require.NoError(t, err)
	require.Equal(t, "T", string(answer), "the row description of what was asked meanwhile")
	require.True(t, pg.Answers(patience))
}

func TestPostgres_stopEndsAPausedServerAndRemovesItsDirectory(t *testing.T) {
	pg, err := StartPostgres(startContext(t), PostgresOptions{})
	require.NoError(t, err)
	connect(t, pg.DSN(superuser, maintenance))
	require.NoError(t, pg.Pause())
	backends, err := childrenOf(pg.Process().Pid())
	require.NoError(t, err)
	require.NotEmpty(t, backends)

	require.NoError(t, pg.Stop())
	require.NoError(t, waitGone(backends))
	require.NoDirExists(t, pg.dir)
}

func TestPostgres_twoAtOnce(t *testing.T) {
	one, two := OwnPostgresForTest(t, PostgresOptions{Name: "one"}), OwnPostgresForTest(t, PostgresOptions{Name: "two"})
	require.NotEqual(t, one.Addr(), two.Addr())
	require.NoError(t, one.Exec(startContext(t), maintenance, "CREATE TABLE t (id int)"))
	require.ErrorContains(t, two.Exec(startContext(t), maintenance, "SELECT FROM t"), "does not exist")
}

func TestPostgres_leavesNothingWhenItsParentIsKilled(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for _, state := range []string{"run", "pause"} {
		t.Run(state, func(t *testing.T) {
			parent := exec.CommandContext(t.Context(), self)
			parent.Env = append(os.Environ(), postgresParentEnv+"="+state)
			out, err := parent.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, parent.Start())
			var pid int
			var dir string
			_, err = fmt.Fscan(bufio.NewReader(out), &pid, &dir)
			require.NoError(t, err)
			backends, err := childrenOf(pid)
			require.NoError(t, err)
			require.NotEmpty(t, backends)

			require.NoError(t, parent.Process.Kill())
			_ = parent.Wait()
			require.Eventually(t, func() bool {
				_, err := os.Stat(dir)
				return os.IsNotExist(err)
			}, patience, 10*time.Millisecond, "the directory is left")
			require.NoError(t, waitGone(append(backends, pid)), "the server outlived its parent")
		})
	}
}

func TestPostgres_cancelledInTheMiddleOfInitdbLeavesNothing(t *testing.T) {
	dir := reachableDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	began := make(chan int, 1)
	go func() { // Ctrl-C when initdb has a server of its own
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, "data.new", "base")); err == nil {
				group := 0
				if mine, err := childrenOf(os.Getpid()); err == nil {
					for _, pid := range mine {
						if text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "comm")); strings.TrimSpace(string(text)) == "initdb" {
							group = pid
						}
					}
				}
				began <- group
				cancel()
			}
		}
	}()
	_, err := StartPostgres(ctx, PostgresOptions{Dir: dir})
	require.ErrorIs(t, err, context.Canceled)
	if group := <-began; group != 0 {
		require.ErrorIs(t, syscall.Kill(-group, 0), syscall.ESRCH, "initdb's own server is left")
	}

	// And the next start begins anew.
	OwnPostgresForTest(t, PostgresOptions{Dir: dir})
}

func TestPostgres_badConfigurationShowsTheServersWords(t *testing.T) {
	_, err := StartPostgres(startContext(t), PostgresOptions{Config: []string{"work_mem = plenty"}})
	require.ErrorContains(t, err, `"plenty"`)
	require.ErrorContains(t, err, "exit status 1")
}

func TestPostgres_isNotRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user starts servers as itself; CI runs as root")
	}
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(PostgresForTest(t).Process().Pid())))
	require.NoError(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.NotZero(t, stat.Uid)
}

func TestPostgres_unreachableDirectoryIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives servers another account; CI runs as root")
	}
	_, err := StartPostgres(startContext(t), PostgresOptions{Dir: filepath.Join(t.TempDir(), "postgres")})
	require.ErrorContains(t, err, "cannot reach")
}

func TestPostgres_dataOfAnotherVersionIsNamed(t *testing.T) {
	dir := reachableDir(t)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9.6\n"), 0o600))
	_, err := StartPostgres(startContext(t), PostgresOptions{Dir: dir})
	require.ErrorContains(t, err, "of PostgreSQL 9.6")
	require.ErrorContains(t, err, postgresBinEnv)
	require.FileExists(t, filepath.Join(dir, "data", "PG_VERSION"), "and nothing is lost")
}

func TestPostgresPrograms(t *testing.T) {
	install := func(t *testing.T, version string) string {
		dir := t.TempDir()
		script(t, dir, "initdb", "exit 1")
		script(t, dir, "postgres", "echo 'postgres (PostgreSQL) "+version+"'")
		return dir
	}
	newest, older, ancient := install(t, "17beta1"), install(t, "16.4 (Debian 16.4-1)"), install(t, "9.6.24")
	empty := t.TempDir()
	dirs := postgresDirs
	t.Cleanup(func() { postgresDirs = dirs })

	for _, tc := range []struct {
		name, path, env string
		dirs            []string
		want            Programs
		wantErr         string
	}{
		{name: "newest wins", path: older, dirs: []string{ancient, newest}, want: Programs{Bin: newest, Version: "17beta1", Major: 17}},
		{name: "chosen", path: newest, env: older, want: Programs{Bin: older, Version: "16.4 (Debian 16.4-1)", Major: 16}},
		{name: "chosen, nothing there", path: newest, env: empty, wantErr: postgresBinEnv},
		{name: "chosen, too old", path: newest, env: ancient, wantErr: "9.6.24 is older than 15"},
		{name: "too old", path: ancient, wantErr: "the newest is 9.6.24"},
		{name: "none", path: empty, wantErr: "no PostgreSQL"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("PATH", tc.path)
			t.Setenv(postgresBinEnv, tc.env)
			postgresDirs = tc.dirs
			got, err := PostgresPrograms()
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
		})
	}
}

func TestPostgres_missingNamesTheLineToType(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "apt-get", "exit 1")
	t.Setenv("PATH", dir)
	dirs := postgresDirs
	postgresDirs = nil
	t.Cleanup(func() { postgresDirs = dirs })

	_, err := StartPostgres(startContext(t), PostgresOptions{})
	var missing *MissingError
	require.ErrorAs(t, err, &missing)
	require.Contains(t, missing.Line, "apt-get install -y --no-install-recommends postgresql")
}
