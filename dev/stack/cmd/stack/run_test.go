package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

func TestRun_everythingAnswersRedisMayDieAndCtrlCStopsAll(t *testing.T) {
	p := newPlace(t)
	r := p.run(t)
	r.says("Gatehouse is up")
	r.passes(0)
	r.passes(1)
	require.Equal(t, "+OK\r\n", r.redisSays("SET kept 1"))

	t.Run("a second run is refused with the pid of the first", func(t *testing.T) {
		other := p.run(t)
		other.end()
		require.Error(t, other.status)
		require.Contains(t, other.out.String(), fmt.Sprintf("runs already (pid %d)", r.cmd.Process.Pid))
	})

	require.Contains(t, r.redis("status"), "answers")
	require.Contains(t, r.redis("hang"), "hangs")
	require.Contains(t, r.redis("status"), "hangs")
	require.Contains(t, r.redis("resume"), "goes on")
	require.Contains(t, r.redis("status"), "answers")

	require.NoError(t, syscall.Kill(r.pid("redis"), syscall.SIGKILL))
	r.says("ended: signal: killed: each node limits by its share")
	require.Contains(t, r.redis("status"), "down")
	r.passes(1)
	_, err := io.WriteString(r.stdin, "start\n")
	require.NoError(t, err)
	r.says("is back with what it had counted")
	require.Equal(t, "$1\r\n1\r\n", r.redisSays("GET kept"))

	r.eventually(func() bool { return len(r.note().Started) == 5 }, "the new Redis is not in the note")
	started := r.note().Started
	r.interrupt()
	require.NoError(t, r.status, "Ctrl-C is the way to end it, so it is no failure")
	r.allGone(started)
	require.NoFileExists(t, filepath.Join(p.state, "run.json"))

	again := p.run(t)
	again.says("Gatehouse is up")
	require.Equal(t, "$1\r\n1\r\n", again.redisSays("GET kept"), "data is kept between runs")
	again.interrupt()
}

func TestRun_ctrlCInTheMiddleOfTheStart(t *testing.T) {
	for _, tc := range []struct {
		name string
		// env puts a program that never gets ready in the place of one of the run's.
		env func(t *testing.T, p *place, hold string) []string
		// only makes hold the real edge for the other node.
		only int
		// want is what had started before.
		want []string
	}{
		{name: "while it builds", env: func(t *testing.T, p *place, hold string) []string {
			return []string{"GATEHOUSE_BIN=", "PATH=" + p.asProgram(t, "go", hold) + ":" + os.Getenv("PATH")}
		}},
		{name: "while Redis starts", env: func(_ *testing.T, _ *place, hold string) []string {
			return []string{"GATEHOUSE_REDIS_SERVER=" + hold}
		}},
		{name: "while the first node starts", env: func(_ *testing.T, _ *place, hold string) []string {
			return []string{"GATEHOUSE_BIN=" + hold}
		}, want: []string{"redis", "upstream"}},
		{name: "while the second node starts", only: 2, env: func(_ *testing.T, _ *place, hold string) []string {
			return []string{"GATEHOUSE_BIN=" + hold}
		}, want: []string{"redis", "upstream", "node 1"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPlace(t)
			hold, held := p.holdingProgram(t, tc.only)
			r := p.runWith(t, tc.env(t, p, hold))
			r.eventually(func() bool { return held() != 0 }, "never came so far")
			before := r.note().Started
			var names []string
			for _, s := range before {
				names = append(names, s.Name)
			}
			require.Equal(t, tc.want, names)

			r.interrupt()
			require.NoError(t, r.status)
			require.NotContains(t, r.out.String(), "Gatehouse is up")
			require.Contains(t, r.out.String(), "stopped")
			r.allGone(append(before, started{Name: "what was starting", PID: held()}))
		})
	}
}

func TestRun_takenPortIsNamedAtOnce(t *testing.T) {
	p := newPlace(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:"+p.ports[1])
	require.NoError(t, err)
	defer l.Close()

	r := p.run(t)
	r.end()
	require.Error(t, r.status)
	require.Contains(t, r.out.String(), ":"+p.ports[1]+" is taken by ")
	require.NotContains(t, r.out.String(), "building", "found before minutes of building")
}

func TestRun_deadNodeIsShownAndEndsTheRest(t *testing.T) {
	r := newPlace(t).run(t)
	r.says("Gatehouse is up")
	started := r.note().Started
	require.NoError(t, syscall.Kill(r.pid("node 2"), syscall.SIGKILL))
	r.end()
	require.Error(t, r.status)
	require.Contains(t, r.out.String(), "node 2")
	require.Contains(t, r.out.String(), "signal: killed; its last words:")
	require.Contains(t, r.out.String(), "serving initial configuration", "the tail of the node's log")
	r.allGone(started)
}

func TestRun_killedLauncherLeavesNothing(t *testing.T) {
	p := newPlace(t)
	r := p.run(t)
	r.says("Gatehouse is up")
	started := r.note().Started
	require.NoError(t, r.cmd.Process.Kill())
	r.end()
	r.allGone(started)

	again := p.run(t)
	again.says("Gatehouse is up")
	again.interrupt()
}

func TestRun_withoutRedisSaysWhatIsLost(t *testing.T) {
	r := newPlace(t).run(t, "--without-redis")
	r.says("Gatehouse is up")
	require.Contains(t, r.out.String(), "WARNING: the edge runs without Redis")
	require.Len(t, r.note().Started, 3)
	r.passes(0)

	out, err := r.place.command(t.Context(), t, "redis", "kill").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "no Redis of its own")
	r.interrupt()
}

func TestRun_givenRedisIsUsedAndLeftAlone(t *testing.T) {
	redis := stack.RedisForTest(t, stack.RedisOptions{Password: "s3cret"})
	r := newPlace(t).runWith(t, []string{"REDIS_URL=" + redis.URL()})
	r.says("Gatehouse is up")
	_, url := r.get(0, "/")
	require.Equal(t, redis.URL(), url)
	require.NotContains(t, r.out.String(), "s3cret", "a password is not printed")
	r.interrupt()
	require.True(t, redis.Answers(patience))
}

func TestRedis_nothingRuns(t *testing.T) {
	p := newPlace(t)
	out, err := p.command(t.Context(), t, "redis", "status").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "nothing runs here: `make run` starts it")
}

func TestCommandLine_mistakesAreNamed(t *testing.T) {
	p := newPlace(t)
	for _, tc := range []struct {
		want string
		args []string
	}{
		{want: "usage:", args: nil},
		{want: "usage:", args: []string{"start"}},
		{want: `"x" is not a port`, args: []string{"run", "--ports", "8443,x"}},
		{want: "flag provided but not defined", args: []string{"deps", "--tests"}},
		{want: "which of status, kill", args: []string{"redis"}},
	} {
		cmd := p.command(t.Context(), t)
		cmd.Args = append(cmd.Args[:1], tc.args...)
		out, err := cmd.CombinedOutput()
		require.Error(t, err, tc.args)
		require.Contains(t, string(out), tc.want)
	}
}
