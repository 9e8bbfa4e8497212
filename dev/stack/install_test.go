package stack

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// aptMachine is a PATH on which apt-get is a script, and a need that is there when the script has made its file.
func aptMachine(t *testing.T, apt string) (need Need, dir string) {
	t.Helper()
	dir = t.TempDir()
	script(t, dir, "apt-get", "echo \"apt-get $*\" >> "+dir+"/calls\n"+strings.ReplaceAll(apt, "DIR", dir))
	// Of sudo -n, for those who run the tests as an ordinary user.
	script(t, dir, "sudo", `shift; exec "$@"`)
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return Need{
		Name:     "the thing",
		packages: map[string][]string{"apt-get": {"thing", "thing-dev"}},
		present: func() bool {
			_, err := os.Stat(filepath.Join(dir, "installed"))
			return err == nil
		},
	}, dir
}

func script(t *testing.T, dir, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700))
}

func calls(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "calls"))
	require.NoError(t, err)
	return string(text)
}

func TestEnsure_installsByAptAndReadsTheListsOnlyWhenItMust(t *testing.T) {
	const install, update = "apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends thing thing-dev\n",
		"apt-get -qq -o DPkg::Lock::Timeout=300 update\n"
	for _, tc := range []struct {
		name, apt, want string
	}{
		{name: "lists are there", apt: "touch DIR/installed", want: install},
		{
			name: "fresh machine",
			apt:  `case "$*" in *update) touch DIR/lists;; *) [ -e DIR/lists ] || exit 100; touch DIR/installed;; esac`,
			want: install + update + install,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			need, dir := aptMachine(t, tc.apt)
			var out bytes.Buffer
			require.NoError(t, Ensure(t.Context(), &out, need))
			require.Equal(t, tc.want, calls(t, dir))
			require.Equal(t, "installing thing, thing-dev by apt-get\n", out.String())

			require.NoError(t, Ensure(t.Context(), &out, need), "what is there is not installed again")
			require.Equal(t, tc.want, calls(t, dir))
		})
	}
}

func TestEnsure_failedInstallShowsThePackageManagersWords(t *testing.T) {
	need, _ := aptMachine(t, "echo no network; exit 100")
	err := Ensure(t.Context(), &bytes.Buffer{}, need)
	require.ErrorIs(t, err, ErrInstall)
	require.ErrorContains(t, err, "no network")
}

func TestEnsure_stopsWhenInterrupted(t *testing.T) {
	need, dir := aptMachine(t, "touch DIR/begun; exec sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for ; ctx.Err() == nil; time.Sleep(time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, "begun")); err == nil {
				cancel()
			}
		}
	}()
	require.ErrorIs(t, Ensure(ctx, &bytes.Buffer{}, need), context.Canceled)
}

func TestEnsure_otherMachinesGetTheLineToType(t *testing.T) {
	dir := t.TempDir()
	script(t, dir, "dnf", "exit 1")
	script(t, dir, "sudo", "exit 1")
	t.Setenv("PATH", dir)
	need := NeedRedis
	need.present = func() bool { return false }

	err := Ensure(t.Context(), &bytes.Buffer{}, need)
	var missing *MissingError
	require.ErrorAs(t, err, &missing)
	require.Equal(t, "dnf install -y valkey", strings.TrimPrefix(missing.Line, "sudo "))
	require.ErrorContains(t, err, "Redis or Valkey: type `")

	require.NoError(t, os.Remove(filepath.Join(dir, "dnf")))
	err = Ensure(t.Context(), &bytes.Buffer{}, need)
	require.ErrorAs(t, err, &missing)
	require.Empty(t, missing.Line, "no package manager that we know")
	require.ErrorContains(t, err, "install it and try again")
}

func TestMissing_namesTheToolsOfTests(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	names := func() (names []string) {
		for _, n := range Missing(NeedCurl, NeedPromtool, NeedSystemd) {
			names = append(names, n.Name)
		}
		return names
	}
	want := []string{NeedCurl.Name, NeedPromtool.Name}
	if runtime.GOOS == "linux" {
		want = append(want, NeedSystemd.Name)
	}
	require.Equal(t, want, names())

	script(t, dir, "promtool", "exit 0")
	script(t, dir, "systemd-analyze", "exit 0")
	require.Equal(t, []string{NeedCurl.Name}, names())
}

func TestNeeds_haveAPackageWhereAptInstalls(t *testing.T) {
	t.Parallel()
	for _, n := range []Need{NeedRedis, NeedPostgres, NeedCompiler, NeedNode, NeedChromium, NeedCurl, NeedPromtool, NeedSystemd} {
		require.NotEmpty(t, n.packages["apt-get"], n.Name)
	}
}
