package redisapp

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// resolved is the app after the part of Provision that needs no Caddy, and Validate.
func resolved(a *App) error {
	if err := a.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if a.target.options.NodeID == "" {
		a.target.options.NodeID = "made"
	}
	return a.Validate()
}

func TestResolve(t *testing.T) {
	t.Setenv("REDIS_URL", "redis://gate:s3cret@redis/2")
	t.Setenv("REDIS_SEVERAL", " redis://a  redis://b:1 ")
	t.Setenv("REDIS_PASSWORD", "p{}a ss")
	t.Setenv("EMPTY", "")
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("from file\n"), 0o600))
	tests := []struct {
		name string
		give *App
		want redislink.Options
	}{
		{"a URL from the environment", &App{Address: []string{"{env.REDIS_URL}"}},
			redislink.Options{Addresses: []string{"redis:6379"}, Username: "gate", Password: "s3cret", DB: 2}},
		{"several in one variable are a Cluster", &App{Address: []string{"{env.REDIS_SEVERAL}"}},
			redislink.Options{Addresses: []string{"a:6379", "b:1"}, Cluster: true}},
		{"one of two is empty", &App{Address: []string{"{env.EMPTY}", "redis"}},
			redislink.Options{Addresses: []string{"redis:6379"}}},
		{"sentinels have a port of their own", &App{Address: []string{"a", "b"}, Sentinel: "main"},
			redislink.Options{Addresses: []string{"a:26379", "b:26379"}, Sentinel: "main"}},
		{"sentinel in the URL", &App{Address: []string{"redis://a?sentinel=main"}},
			redislink.Options{Addresses: []string{"a:26379"}, Sentinel: "main"}},
		{"a password from the environment, as it is", &App{Address: []string{"a"}, Username: "gate", Password: "{env.REDIS_PASSWORD}"}, //nolint:gosec // A placeholder.
			redislink.Options{Addresses: []string{"a:6379"}, Username: "gate", Password: "p{}a ss"}},
		{"a password that looks like a placeholder", &App{Address: []string{"a"}, Password: "x{y}z"},
			redislink.Options{Addresses: []string{"a:6379"}, Password: "x{y}z"}},
		{"a password from a placeholder's file", &App{Address: []string{"a"}, Password: "{file." + secret + "}"},
			redislink.Options{Addresses: []string{"a:6379"}, Password: "from file"}},
		{"a password from a file that is read again", &App{Address: []string{"a"}, Password: "file:" + secret},
			redislink.Options{Addresses: []string{"a:6379"}, PasswordFile: secret}},
		{"user in the URL, password beside it", &App{Address: []string{"redis://gate@a"}, Password: "p"},
			redislink.Options{Addresses: []string{"a:6379"}, Username: "gate", Password: "p"}},
		{"a socket", &App{Address: []string{"unix:///run/redis.sock"}, DB: 1},
			redislink.Options{Addresses: []string{"/run/redis.sock"}, DB: 1}},
		{"names", &App{Address: []string{"a"}, KeyNamespace: "shop", Node: "edge-1"},
			redislink.Options{Addresses: []string{"a:6379"}, Namespace: "shop", NodeID: "edge-1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.NoError(t, resolved(tt.give))
			want := tt.want
			if want.Namespace == "" {
				want.Namespace = "default"
			}
			if want.NodeID == "" {
				want.NodeID = "made"
			}
			assert.Equal(t, want, tt.give.target.options)
			assert.True(t, tt.give.Configured())
		})
	}
}

func TestResolve_emptyIsNotConfigured(t *testing.T) {
	t.Setenv("EMPTY", "")
	for _, address := range []string{"{env.EMPTY}", "{env.NOT_THERE}", " ", ""} {
		a := &App{Address: []string{address}, DB: -1}
		require.NoError(t, resolved(a))
		assert.False(t, a.Configured())
		_, err := a.Acquire("limits", 0)
		require.Error(t, err)
		assert.Nil(t, a.Census())
		ok, text := a.Health()
		assert.True(t, ok)
		assert.Equal(t, "redis is not configured", text)
	}
}

func TestResolve_refuses(t *testing.T) {
	dir := t.TempDir()
	files, err := stack.MakeTLSFiles(dir)
	require.NoError(t, err)
	missing := filepath.Join(dir, "missing")
	at := []string{"a"}
	tests := []struct {
		name string
		give *App
		want string
	}{
		{"a bad address", &App{Address: []string{"http://a"}}, "address: a URL begins with"},
		{"an unknown placeholder", &App{Address: []string{"{envv.X}"}}, "address: a host has a character"},
		{"two databases", &App{Address: []string{"redis://a/1"}, DB: 2}, "db: 2 here and 1 in the address"},
		{"two primaries", &App{Address: []string{"redis://a?sentinel=x"}, Sentinel: "y"}, `sentinel: "y" here and "x" in the address`},
		{"two users", &App{Address: []string{"redis://u@a"}, Username: "v"}, "username: one here and another"},
		{"two passwords", &App{Address: []string{"redis://:s3cret@a"}, Password: "s3cret2"}, "password: one here and another"},
		{"a file and a password", &App{Address: []string{"redis://:s3cret@a"}, Password: "file:" + files.CA}, "password: one here and another"},
		{"no password file", &App{Address: at, Password: "file:" + missing}, "make the file readable"},
		{"sentinel and cluster", &App{Address: at, Sentinel: "x", Cluster: true}, "exclude one another"},
		{"a database of a Cluster", &App{Address: at, Cluster: true, DB: 1}, "a Cluster has only database 0, got 1"},
		{"sockets of a Cluster", &App{Address: []string{"/a", "/b"}}, "reached over TCP"},
		{"a negative database", &App{Address: at, DB: -1}, "db: must be 0 or more, got -1"},
		{"namespace", &App{Address: at, KeyNamespace: "a{b}"}, `namespace: "a{b}" must be`},
		{"node", &App{Address: at, Node: "a b"}, `node: "a b" must be`},
		{"nodes", &App{Address: at, Nodes: -1}, "nodes: must be from 1 to 10000, or auto, got -1"},
		{"too many nodes", &App{Address: at, Nodes: 10_001}, "nodes: must be from 1 to 10000"},
		{"no CA", &App{Address: at, TLS: &TLS{CA: missing}}, "tls: ca: open"},
		{"a CA that is none", &App{Address: at, TLS: &TLS{CA: files.Key}}, "holds no certificate"},
		{"a certificate without key", &App{Address: at, TLS: &TLS{Cert: files.Cert}}, "cert and key belong together"},
		{"a key that is none", &App{Address: at, TLS: &TLS{Cert: files.Cert, Key: files.CA}}, "tls: cert and key:"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := resolved(tt.give)
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "s3cret", "a secret is not repeated")
		})
	}
}

func TestTarget_keyTellsWhatConnectionsMayBeShared(t *testing.T) {
	dir := t.TempDir()
	files, err := stack.MakeTLSFiles(dir)
	require.NoError(t, err)
	secret := filepath.Join(dir, "secret")
	require.NoError(t, os.WriteFile(secret, []byte("one"), 0o600))
	key := func(a *App) [32]byte {
		t.Helper()
		require.NoError(t, resolved(a))
		return a.target.key
	}
	base := func() *App { return &App{Address: []string{"a"}} }
	same := []*App{
		{Address: []string{"redis://a:6379/0"}},
		{Address: []string{"a"}, Nodes: 3},
	}
	for _, a := range same {
		assert.Equal(t, key(base()), key(a), "%+v", a.Address)
	}
	seen := map[[32]byte]string{key(base()): "base"}
	differ := map[string]*App{
		"address":   {Address: []string{"b"}},
		"password":  {Address: []string{"a"}, Password: "x"},
		"user":      {Address: []string{"a"}, Username: "x"},
		"db":        {Address: []string{"a"}, DB: 1},
		"namespace": {Address: []string{"a"}, KeyNamespace: "x"},
		"tls":       {Address: []string{"rediss://a"}},
		"ca":        {Address: []string{"rediss://a"}, TLS: &TLS{CA: files.CA}},
		"cert":      {Address: []string{"rediss://a"}, TLS: &TLS{Cert: files.Cert, Key: files.Key}},
		"file":      {Address: []string{"a"}, Password: "file:" + secret},
	}
	for name, a := range differ {
		k := key(a)
		assert.Empty(t, seen[k], "%s is like %s", name, seen[k])
		seen[k] = name
	}
	require.NoError(t, os.WriteFile(secret, []byte("two"), 0o600))
	assert.Empty(t, seen[key(differ["file"])], "a rotated password is picked up by a reload")
}
