package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// All commands of the owner's say which variable is wrong, and never its password.
func TestRun_namesTheOwnersVariable(t *testing.T) {
	for _, command := range [][]string{{"migrate", "status"}, {"migrate", "up"}, {"seed"}, {"check", "references"}} {
		for _, tc := range []struct {
			dsn  string
			code int
		}{
			{"", exitUsage},
			{"postgres://owner:canary-password@127.0.0.1:1/db?sslmode=disable", exitFailed}, // nothing listens there
		} {
			var stdout, stderr strings.Builder
			code := run(t.Context(), process{
				args: command, stdout: &stdout, stderr: &stderr,
				getenv: func(name string) string { return map[string]string{adminURL: tc.dsn}[name] },
			})
			require.Equal(t, tc.code, code, "%v of %q: %s", command, tc.dsn, &stderr)
			require.Contains(t, stderr.String(), adminURL, command)
			require.NotContains(t, stderr.String(), "canary", command)
			require.Empty(t, stdout.String(), command)
		}
	}
}
