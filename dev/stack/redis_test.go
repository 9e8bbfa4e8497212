package stack

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cli fails the test when the command does.
func cli(t *testing.T, r *Redis, args ...string) string {
	t.Helper()
	reply, err := r.CLI(args...)
	require.NoError(t, err)
	return reply
}

// reachableDir is a directory that the server's account can walk to when this is root; t.TempDir is root's alone.
func reachableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-kept-") //nolint:usetesting // see above
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func startContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	t.Cleanup(cancel)
	return ctx
}

func TestRedis_answersAndRendersReplies(t *testing.T) {
	r := RedisForTest(t, RedisOptions{})
	require.Equal(t, "PONG", cli(t, r, "PING"))
	require.Equal(t, "2", cli(t, r, "RPUSH", "list", "a", "b"))
	require.Equal(t, "a\nb", cli(t, r, "LRANGE", "list", "0", "-1"))
	require.Empty(t, cli(t, r, "GET", "absent"))

	_, err := r.CLI("GET", "list")
	require.ErrorContains(t, err, "WRONGTYPE")

	require.NoError(t, r.Flush())
	require.Equal(t, "0", cli(t, r, "DBSIZE"))
}

func TestRedis_restartKeepsPortAndAppendOnlyData(t *testing.T) {
	for _, tc := range []struct {
		name       string
		appendOnly bool
		want       string
	}{
		{name: "append only", appendOnly: true, want: "kept"},
		{name: "no persistence", appendOnly: false, want: ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := RedisForTest(t, RedisOptions{AppendOnly: tc.appendOnly})
			addr, pid := r.Addr(), r.Process().Pid()
			cli(t, r, "SET", "k", "kept")

			require.NoError(t, r.Kill())
			require.NoError(t, r.Restart(startContext(t)))

			require.Equal(t, addr, r.Addr())
			require.NotEqual(t, pid, r.Process().Pid())
			require.Equal(t, tc.want, cli(t, r, "GET", "k"))
		})
	}
}

func TestRedis_dataIsKeptInADirectoryBetweenServers(t *testing.T) {
	dir := reachableDir(t)

	first, err := StartRedis(startContext(t), RedisOptions{Dir: dir, AppendOnly: true})
	require.NoError(t, err)
	cli(t, first, "SET", "k", "kept")
	require.NoError(t, first.Stop())

	second := RedisForTest(t, RedisOptions{Dir: dir, AppendOnly: true})
	require.Equal(t, "kept", cli(t, second, "GET", "k"))
}

func TestRedis_killedRefusesAndPortStaysOurs(t *testing.T) {
	r := RedisForTest(t, RedisOptions{})
	require.NoError(t, r.Kill())

	_, err := new(net.Dialer).DialContext(startContext(t), "tcp", r.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorContains(t, r.Process().Err(), "signal: killed")
	require.NoError(t, r.Kill(), "killing twice is fine")
}

func TestRedis_pausedIsSilentUntilResumed(t *testing.T) {
	r := RedisForTest(t, RedisOptions{})
	require.NoError(t, r.Pause())

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err := r.do(ctx, "PING")
	require.ErrorIs(t, err, context.DeadlineExceeded, "a hung server takes the connection and says nothing")

	require.NoError(t, r.Resume())
	require.Equal(t, "PONG", cli(t, r, "PING"))
}

func TestRedis_stopEndsAPausedServer(t *testing.T) {
	r, err := StartRedis(startContext(t), RedisOptions{})
	require.NoError(t, err)
	dir := r.dir
	require.NoError(t, r.Pause())
	require.NoError(t, r.Stop())
	require.False(t, r.Process().Running())
	require.NoDirExists(t, dir)
}

func TestRedis_passwordAndACL(t *testing.T) {
	r := RedisForTest(t, RedisOptions{
		Password: "s3cret",
		ACL:      []string{"user limits on >l1mits ~gh:* &* +@all -@admin"},
	})
	require.Equal(t, "PONG", cli(t, r, "PING"), "the methods sign in by themselves")
	require.Equal(t, "redis://:s3cret@"+r.Addr(), r.URL())
	require.Equal(t, "redis://limits:l1mits@"+r.Addr(), r.URLFor("limits", "l1mits"))

	for _, tc := range []struct {
		name, user, password, want string
		command                    []string
	}{
		{name: "nobody", command: []string{"PING"}, want: "NOAUTH"},
		{name: "default user", password: "s3cret", command: []string{"SET", "other", "1"}},
		{name: "wrong password", password: "wrong", command: []string{"PING"}, want: "WRONGPASS"},
		{name: "limits, own keys", user: "limits", password: "l1mits", command: []string{"SET", "gh:a", "1"}},
		{name: "limits, other keys", user: "limits", password: "l1mits", command: []string{"SET", "a", "1"}, want: "NOPERM"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ask(startContext(t), "tcp", r.Addr(), nil, tc.user, tc.password, tc.command)
			if tc.want == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tc.want)
			}
		})
	}
}

func TestRedis_unixSocket(t *testing.T) {
	r := RedisForTest(t, RedisOptions{UnixSocket: true})
	reply, err := ask(startContext(t), "unix", r.SocketPath(), nil, "", "", []string{"PING"})
	require.NoError(t, err)
	require.Equal(t, "PONG", reply)
}

func TestRedis_tls(t *testing.T) {
	files, err := MakeTLSFiles(t.TempDir())
	require.NoError(t, err)
	r := RedisForTest(t, RedisOptions{TLS: files, RequireClientCert: true})
	require.True(t, strings.HasPrefix(r.URL(), "rediss://"))
	require.Equal(t, "PONG", cli(t, r, "PING"))

	_, err = ask(startContext(t), "tcp", r.Addr(), nil, "", "", []string{"PING"})
	require.Error(t, err, "plain text is refused")
	withoutCert := r.TLSConfig()
	withoutCert.Certificates = []tls.Certificate{}
	_, err = ask(startContext(t), "tcp", r.Addr(), withoutCert, "", "", []string{"PING"})
	require.Error(t, err, "a client without a certificate is refused")
}

func TestRedis_replicaFollowsAProtectedPrimary(t *testing.T) {
	primary := RedisForTest(t, RedisOptions{Password: "s3cret"})
	cli(t, primary, "SET", "k", "copied")
	replica := RedisForTest(t, RedisOptions{Name: "replica", ReplicaOf: primary})
	require.NoError(t, replica.WaitReplicated(startContext(t)))
	require.Equal(t, "copied", cli(t, replica, "GET", "k"))

	_, err := replica.CLI("SET", "k", "v")
	require.ErrorContains(t, err, "READONLY")
}

func TestRedis_badConfigurationShowsTheServersWords(t *testing.T) {
	_, err := StartRedis(startContext(t), RedisOptions{Config: []string{"maxmemory plenty"}})
	require.ErrorContains(t, err, "maxmemory plenty", "the error carries the tail of the log")
	require.ErrorContains(t, err, "exit status 1")
}

func TestRedis_isNotRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("an ordinary user starts servers as itself; CI runs as root")
	}
	r := RedisForTest(t, RedisOptions{AppendOnly: true})
	info, err := os.Stat(filepath.Join("/proc", strconv.Itoa(r.Process().Pid())))
	require.NoError(t, err)
	stat, ok := info.Sys().(*syscall.Stat_t)
	require.True(t, ok)
	require.NotZero(t, stat.Uid)
}

func TestRedis_unreachableDirectoryIsNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives servers another account; CI runs as root")
	}
	_, err := StartRedis(startContext(t), RedisOptions{Dir: filepath.Join(t.TempDir(), "redis")})
	require.ErrorContains(t, err, "cannot reach")
}

func TestRedisServer_missingNamesTheLineToType(t *testing.T) {
	t.Setenv("PATH", "/nonexistent")
	dirs := serverDirs
	serverDirs = nil
	t.Cleanup(func() { serverDirs = dirs })

	_, err := StartRedis(startContext(t), RedisOptions{})
	var missing *MissingError
	require.ErrorAs(t, err, &missing)
}
