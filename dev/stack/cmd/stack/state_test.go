package main

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOpenState_namesWhatACrashedRunHasLeft(t *testing.T) {
	sleep := exec.CommandContext(t.Context(), "sleep", "60")
	require.NoError(t, sleep.Start())
	t.Cleanup(func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
	})
	pid := sleep.Process.Pid

	for _, tc := range []struct {
		name, program string
		wantErr       string
	}{
		{name: "still the same program", program: "sleep", wantErr: "node 1 (pid " + strconv.Itoa(pid) + "): stop what is left by `kill " + strconv.Itoa(pid) + "`"},
		{name: "the pid is another program's by now", program: "gatehouse"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			crashed := &state{dir: dir}
			require.NoError(t, crashed.write(note{PID: 1, Started: []started{{Name: "node 1", Program: tc.program, PID: pid}}}))
			s, err := openState(dir)
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				return
			}
			require.NoError(t, err)
			s.close()
			require.NoFileExists(t, filepath.Join(dir, "run.json"))
		})
	}
}

func TestOpenState_isForOneRunAtATime(t *testing.T) {
	dir := t.TempDir()
	first, err := openState(dir)
	require.NoError(t, err)
	require.NoError(t, first.write(note{PID: 12}))

	_, err = openState(dir)
	require.ErrorContains(t, err, "runs already (pid 12)")

	first.close()
	second, err := openState(dir)
	require.NoError(t, err)
	second.close()
}
