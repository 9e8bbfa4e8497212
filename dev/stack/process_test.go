package stack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is for things that take milliseconds, on a machine that may be busy.
const patience = 20 * time.Second

// parentEnv turns this test binary into a parent that starts a Redis, prints its pid and waits to be killed.
const parentEnv = "DEVSTACK_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentEnv) != "" {
		r, err := StartRedis(context.Background(), RedisOptions{Dir: os.Getenv(parentEnv)})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(r.Process().Pid())
		select {}
	}
	if os.Getenv(postgresParentEnv) != "" {
		postgresParent()
	}
	if os.Getenv(standInEnv) != "" {
		standIn()
	}
	os.Exit(m.Run())
}

func shell(script string, ready func(context.Context) error, dir string) Spec {
	return Spec{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Log: filepath.Join(dir, "log"), Ready: ready}
}

// fileThere is ready when the script has made the file.
func fileThere(path string) func(context.Context) error {
	return func(context.Context) error {
		_, err := os.Stat(path)
		return err
	}
}

func TestProcess_childIsGoneWhenItsParentIsKilled(t *testing.T) {
	if !childrenDieWithParent {
		t.Skip("only Linux ties a child's life to its parent's; CI runs there")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	parent := exec.CommandContext(t.Context(), self)
	parent.Env = append(os.Environ(), parentEnv+"="+reachableDir(t))
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())

	var child int
	_, err = fmt.Fscan(bufio.NewReader(out), &child)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(child, 0), "the child runs as long as its parent")

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool {
		return errors.Is(syscall.Kill(child, 0), syscall.ESRCH)
	}, patience, 10*time.Millisecond, "the child outlived its parent")
}

func TestStart_isReadyWhenTheCheckSaysSo(t *testing.T) {
	dir := t.TempDir()
	made := filepath.Join(dir, "made")
	p, err := Start(startContext(t), shell("echo hello; sleep 0.1; touch "+made+"; exec sleep 60", fileThere(made), dir))
	require.NoError(t, err)
	require.FileExists(t, made)
	require.True(t, p.Running())
	require.NoError(t, p.Err())
	require.Equal(t, "hello", p.Tail(5))

	require.NoError(t, p.Kill())
	<-p.Done()
	require.ErrorContains(t, p.Err(), "signal: killed")
	require.ErrorIs(t, p.Signal(syscall.SIGTERM), os.ErrProcessDone)
}

func TestStart_diesBeforeReady(t *testing.T) {
	dir := t.TempDir()
	_, err := Start(startContext(t), shell("echo no luck; exit 7", fileThere("/nonexistent"), dir))
	require.ErrorContains(t, err, "exit status 7")
	require.ErrorContains(t, err, "no luck")
}

func TestStart_givesUpWithItsContextAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	pidFile := filepath.Join(dir, "pid")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Start(ctx, shell("echo $$ > "+pidFile+"; exec sleep 60", func(context.Context) error {
		if text, err := os.ReadFile(pidFile); err == nil && len(text) > 0 {
			cancel() // as Ctrl-C would, in the middle of the start
		}
		return fs.ErrNotExist
	}, dir))
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, fs.ErrNotExist, "what was waited for is named too")

	text, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	var pid int
	_, err = fmt.Sscan(string(text), &pid)
	require.NoError(t, err)
	require.ErrorIs(t, syscall.Kill(pid, 0), syscall.ESRCH)
}

func TestStop_asksThenKills(t *testing.T) {
	for _, tc := range []struct {
		name, script string
		grace        time.Duration
		wantErr      string
	}{
		{name: "in order", script: "trap 'echo bye; exit 0' TERM", grace: patience},
		{name: "deaf", script: "trap '' TERM", grace: 50 * time.Millisecond, wantErr: "so killed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			made := filepath.Join(dir, "made")
			p, err := Start(startContext(t), shell(tc.script+"; touch "+made+"; while :; do sleep 0.02; done", fileThere(made), dir))
			require.NoError(t, err)
			err = p.Stop(tc.grace)
			if tc.wantErr == "" {
				require.NoError(t, err)
				require.Equal(t, 0, p.ExitCode())
				require.Equal(t, "bye", strings.TrimSpace(p.Log()))
			} else {
				require.ErrorContains(t, err, tc.wantErr)
			}
			require.False(t, p.Running())
			require.NoError(t, p.Stop(tc.grace), "stopping what has ended is fine")
		})
	}
}

func TestRun_waitsForTheEndAndTellsOfFailure(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, Run(startContext(t), shell("echo done > "+dir+"/done", nil, dir)))
	require.FileExists(t, filepath.Join(dir, "done"))

	err := Run(startContext(t), shell("echo no luck; exit 7", nil, dir))
	require.ErrorContains(t, err, "exit status 7")
	require.ErrorContains(t, err, "no luck")

	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
				cancel()
			}
		}
	}()
	err = Run(ctx, shell("trap 'touch "+dir+"/asked; exit 0' TERM; touch "+dir+"/begun; while :; do sleep 0.02; done", nil, dir))
	require.ErrorIs(t, err, context.Canceled)
	require.FileExists(t, filepath.Join(dir, "asked"), "it may end in order")
}

func TestPause_everyThreadHasStoppedWhenItReturns(t *testing.T) {
	dir := t.TempDir()
	ticks := filepath.Join(dir, "ticks")
	p, err := Start(startContext(t), shell("while :; do echo >> "+ticks+"; done", fileThere(ticks), dir))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Kill()) })
	size := func() int64 {
		info, err := os.Stat(ticks)
		require.NoError(t, err)
		return info.Size()
	}

	require.NoError(t, p.Pause())
	paused := size()
	require.Never(t, func() bool { return size() != paused }, 100*time.Millisecond, 10*time.Millisecond)

	require.NoError(t, p.Resume())
	require.Eventually(t, func() bool { return size() > paused }, patience, 5*time.Millisecond)
}
