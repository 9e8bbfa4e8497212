package deploy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

var unitFiles = []string{"gatehouse.service", "gatehouse-backend.service", "gatehouse-migrate.service", "gatehouse.service.d/sign-in.conf"}

// unit is what a unit's file says: for each setting of each section its values, in their order.
type unit map[string]map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	u, section := unit{}, ""
	for line := range strings.Lines(read(t, "deploy/systemd/"+name)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "["):
			section = strings.Trim(line, "[]")
			u[section] = map[string][]string{}
		default:
			key, value, found := strings.Cut(line, "=")
			require.True(t, found, "%s: %s", name, line)
			u[section][key] = append(u[section][key], value)
		}
	}
	return u
}

func (u unit) service(key string) string {
	return strings.Join(u["Service"][key], " ")
}

// What a unit may do is as little as its program needs.
func TestUnits_areHardened(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"gatehouse.service", "gatehouse-backend.service", "gatehouse-migrate.service"} {
		u := readUnit(t, name)
		for key, want := range map[string]string{
			"NoNewPrivileges": "yes", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes", "PrivateDevices": "yes",
			"ProtectKernelTunables": "yes", "ProtectKernelModules": "yes", "ProtectKernelLogs": "yes", "ProtectControlGroups": "yes",
			"ProtectClock": "yes", "ProtectHostname": "yes", "RestrictSUIDSGID": "yes", "RestrictNamespaces": "yes", "RestrictRealtime": "yes",
			"LockPersonality": "yes", "MemoryDenyWriteExecute": "yes", "SystemCallArchitectures": "native", "UMask": "0077",
			"SystemCallFilter": "@system-service ~@privileged @resources", "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
		} {
			assert.Equal(t, want, u.service(key), "%s: %s", name, key)
		}
		assert.NotEmpty(t, u.service("MemoryMax"), name)
		assert.NotEmpty(t, u.service("TasksMax")+u.service("Type"), name)
		require.Contains(t, u["Service"], "CapabilityBoundingSet", name)
		want := ""
		if name == "gatehouse.service" {
			want = "CAP_NET_BIND_SERVICE"
			assert.Equal(t, want, u.service("AmbientCapabilities"))
			assert.Equal(t, "gatehouse", u.service("User"))
		} else {
			assert.Equal(t, "yes", u.service("DynamicUser"), name)
		}
		assert.Equal(t, want, u.service("CapabilityBoundingSet"), name)
	}
	for _, name := range []string{"gatehouse.service", "gatehouse-backend.service"} {
		u := readUnit(t, name)
		assert.Equal(t, "always", u.service("Restart"), name)
		assert.Equal(t, []string{"0"}, u["Unit"]["StartLimitIntervalSec"], "%s: systemd gives up on it", name)
	}
}

// Programs, commands and flags are there, and so is what they are told to read.
func TestUnits_callWhatIsThere(t *testing.T) {
	t.Parallel()
	programs := map[string]string{
		"/usr/local/bin/gatehouse":         stack.BuildGatehouse(t, false),
		"/usr/local/bin/gatehouse-backend": stack.BuildBackend(t, false),
	}
	for _, name := range unitFiles {
		u := readUnit(t, name)
		for _, call := range slices.Concat(u["Service"]["ExecStart"], u["Service"]["ExecReload"]) {
			words := strings.Fields(call)
			program, there := programs[words[0]]
			require.True(t, there, "%s calls %s", name, words[0])
			out, err := exec.CommandContext(t.Context(), program, "help").CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Regexp(t, `(?m)^\s+`+words[1]+`\s`, string(out), "%s has no such command", words[0])
			for i, word := range words[2:] {
				if !strings.HasPrefix(word, "--") {
					continue
				}
				out, err := exec.CommandContext(t.Context(), program, words[1], "--help").CombinedOutput()
				require.NoError(t, err, "%s", out)
				assert.Contains(t, string(out), word, "%s has no such flag", words[1])
				if word == "--config" {
					assert.Equal(t, "/etc/gatehouse/Caddyfile", words[2+i+1], name)
				}
			}
		}
		reads := edgeVariables(t)
		for pair := range strings.FieldsSeq(u.service("Environment")) {
			variable, value, _ := strings.Cut(pair, "=")
			if variable == "XDG_CONFIG_HOME" {
				continue // Caddy's, and without it HOME's
			}
			assert.Contains(t, reads, variable, name)
			if credential, ok := strings.CutPrefix(value, "file:%d/"); ok {
				assert.Contains(t, u.service("LoadCredential"), credential+":/etc/gatehouse/", "%s: no such credential", name)
			}
		}
		if file := u.service("EnvironmentFile"); file != "" {
			assert.Contains(t, read(t, "docs/operations/systemd.md"), strings.TrimPrefix(file, "-"), "nobody is told to write it")
		}
	}
	out, err := exec.CommandContext(t.Context(), programs["/usr/local/bin/gatehouse-backend"], "migrate", "help").CombinedOutput()
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^\s+up\s`, string(out))
}

// systemd finds no unknown setting in the units, and little that an attacker could use.
func TestUnits_systemdTakesThem(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has systemd; CI runs there")
	}
	tool, err := exec.LookPath("systemd-analyze")
	require.NoError(t, err, "`make deps` installs it")
	dir := t.TempDir()
	for _, name := range unitFiles {
		// The programs are not installed where tests run.
		text := strings.NewReplacer("/usr/local/bin/gatehouse-backend", "/bin/true", "/usr/local/bin/gatehouse", "/bin/true").Replace(read(t, "deploy/systemd/"+name))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o750))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	for name, threshold := range map[string]int{"gatehouse.service": 20, "gatehouse-backend.service": 15, "gatehouse-migrate.service": 15} {
		path := filepath.Join(dir, name)
		out, err := exec.CommandContext(t.Context(), tool, "verify", "--man=no", path).CombinedOutput()
		require.NoError(t, err, "%s", out)
		assert.Empty(t, string(out), name)
		// Exposure from 0 to 10, here in tenths.
		out, err = exec.CommandContext(t.Context(), tool, "security", "--offline=true", "--no-pager", fmt.Sprintf("--threshold=%d", threshold), path).CombinedOutput()
		assert.NoError(t, err, "%s", out)
	}
}
