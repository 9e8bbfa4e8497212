package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zapcore"
)

// good is the least that serve needs.
var good = map[string]string{ //nolint:gosec // a password that opens nothing
	"DATABASE_URL":       "postgres://app:canary-password@127.0.0.1/db",
	"IDENTITY_JWKS_FILE": "/etc/gatehouse/jwks.json",
	"BACKEND_CURSOR_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
}

// with is good, but for some.
func with(pairs ...string) func(string) string {
	env := maps.Clone(good)
	for pair := range slices.Chunk(pairs, 2) {
		env[pair[0]] = pair[1]
	}
	return func(name string) string { return env[name] }
}

func TestRead_defaults(t *testing.T) {
	c, err := read(with())
	require.NoError(t, err)
	require.Equal(t, &config{
		databaseURL: good["DATABASE_URL"], connections: 10, listen: "127.0.0.1:3000", metricsListen: "127.0.0.1:3001",
		keysFile: good["IDENTITY_JWKS_FILE"], issuer: "gatehouse", audience: "app", cursorKey: []byte("0123456789abcdef0123456789abcdef"),
		level: zapcore.InfoLevel,
	}, c)
}

func TestRead_takesWhatIsGiven(t *testing.T) {
	c, err := read(with("BACKEND_DATABASE_CONNECTIONS", "25", "BACKEND_LISTEN", "[::]:80", "IDENTITY_JWKS_FILE", "", "IDENTITY_JWKS_URL", "https://edge.example.test/jwks",
		"IDENTITY_ISSUER", "i", "IDENTITY_AUDIENCE", "a", "BACKEND_LOG_LEVEL", "warn", "BACKEND_SIGN_OUT_ORIGINS", "https://a.example.test http://b.example.test:81"))
	require.NoError(t, err)
	require.Equal(t, 25, c.connections)
	require.Equal(t, "[::]:80", c.listen)
	require.Equal(t, "https://edge.example.test/jwks", c.keysURL)
	require.Equal(t, "i a", c.issuer+" "+c.audience)
	require.Equal(t, zapcore.WarnLevel, c.level)
	require.Equal(t, []string{"https://a.example.test", "http://b.example.test:81"}, c.signOut)
}

func TestRead_namesTheVariableAndTheCure(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"DATABASE_URL", "", "DATABASE_URL is not set"},
		{"DATABASE_URL", "mysql://u:canary-password@h/db", "DATABASE_URL must be a URL such as postgres://"},
		{"DATABASE_URL", "postgres://h/db", "DATABASE_URL must be a URL such as"},
		{"BACKEND_DATABASE_CONNECTIONS", "0", "from 1 to 1000"},
		{"BACKEND_DATABASE_CONNECTIONS", "many", "from 1 to 1000"},
		{"BACKEND_LISTEN", "3000", "BACKEND_LISTEN must be an address"},
		{"BACKEND_METRICS_LISTEN", "127.0.0.1:99999", "BACKEND_METRICS_LISTEN must be an address"},
		{"IDENTITY_JWKS_URL", "https://edge.example.test/jwks", "exactly one of"},
		{"IDENTITY_JWKS_FILE", "", "exactly one of"},
		{"BACKEND_CURSOR_KEY", "", "BACKEND_CURSOR_KEY is not set"},
		{"BACKEND_CURSOR_KEY", "c2hvcnQ=", "openssl rand"},
		{"BACKEND_CURSOR_KEY", "canary-password", "openssl rand"},
		{"BACKEND_LOG_LEVEL", "loud", "debug, info, warn or error"},
		{"BACKEND_LOG_LEVEL", "panic", "debug, info, warn or error"},
		{"BACKEND_SIGN_OUT_ORIGINS", "https://a.example.test/path", "must be origins"},
		{"BACKEND_SIGN_OUT_ORIGINS", "https://a.example.test;script-src", "must be origins"},
		{"BACKEND_SIGN_OUT_ORIGINS", "https://*", "must be origins"},
		{"BACKEND_SIGN_OUT_ORIGINS", "javascript:alert(1)", "must be origins"},
		{"DATABASE_ADMIN_URL", "postgres://owner:canary-password@h/db", "must not be set here"},
	} {
		_, err := read(with(tc.name, tc.value))
		require.ErrorContains(t, err, tc.want, tc.name)
		require.NotContains(t, err.Error(), "canary-password")
		require.Equal(t, 1, strings.Count(err.Error(), "\n"), "one reason: %v", err)
	}
}
