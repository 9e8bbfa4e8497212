package redisapp

import (
	"encoding/json"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnmarshalCaddyfile(t *testing.T) {
	tests := []struct{ name, give, want string }{
		{"a URL", `redis {env.REDIS_URL}`, `{"address": ["{env.REDIS_URL}"]}`},
		{"several", `redis redis://a redis://b`, `{"address": ["redis://a", "redis://b"]}`},
		{
			"everything", `redis {
				address   a:1 b:2
				sentinel  main
				username  gate
				password  file:/run/secrets/redis
				db        3
				tls {
					ca          ca.pem
					cert        cert.pem
					key         key.pem
					server_name redis.internal
				}
				namespace shop
				node      edge-1
				nodes     3
			}`,
			`{"address": ["a:1", "b:2"], "sentinel": "main", "username": "gate", "password": "file:/run/secrets/redis", "db": 3,
			  "tls": {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem", "server_name": "redis.internal"},
			  "namespace": "shop", "node": "edge-1", "nodes": 3}`,
		},
		{
			"a URL and a block", `redis redis://a {
				address redis://b
				cluster
				tls
				nodes auto
			}`,
			`{"address": ["redis://a", "redis://b"], "cluster": true, "tls": {}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseGlobalOption(caddyfile.NewTestDispenser(tt.give), nil)
			require.NoError(t, err)
			app := got.(httpcaddyfile.App)
			assert.Equal(t, "redis", app.Name)
			assert.JSONEq(t, tt.want, string(app.Value))
			var back App
			require.NoError(t, json.Unmarshal(app.Value, &back))
		})
	}
}

func TestUnmarshalCaddyfile_refuses(t *testing.T) {
	block := func(lines string) string { return "redis {\naddress a\n" + lines + "\n}" }
	tests := []struct{ name, give, want string }{
		{"nothing", "redis", "no address"},
		{"an empty block", "redis {\n}", "no address"},
		{"address without value", "redis {\naddress\n}", "address takes one value or more"},
		{"unknown option", block("timeout 1s"), `"timeout" is not known: there are address, sentinel, cluster, username, password, db, tls, namespace, node and nodes`},
		{"twice", block("db 1\ndb 2"), "db stands twice"},
		{"sentinel without name", block("sentinel"), "sentinel takes one value"},
		{"sentinel with two", block("sentinel a b"), "sentinel takes one value"},
		{"cluster with value", block("cluster on"), "cluster takes no value"},
		{"password without value", block("password"), "password takes one value"},
		{"db", block("db one"), `db: "one" is not a whole number`},
		{"nodes", block("nodes many"), `nodes: "many" is neither auto nor a number of nodes`},
		{"nodes 0", block("nodes 0"), `nodes: "0" is neither auto nor a number of nodes`},
		{"tls with value", block("tls on"), "tls takes a block, or nothing"},
		{"tls unknown", block("tls {\ninsecure\n}"), `tls: "insecure" is not known: there are ca, cert, key and server_name`},
		{"tls twice", block("tls {\nca a\nca b\n}"), "tls: ca stands twice"},
		{"tls without value", block("tls {\nca\n}"), "tls: ca takes one value"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parseGlobalOption(caddyfile.NewTestDispenser(tt.give), nil)
			require.ErrorContains(t, err, tt.want)
		})
	}
	_, err := parseGlobalOption(caddyfile.NewTestDispenser("redis a"), httpcaddyfile.App{})
	require.ErrorContains(t, err, "the option stands twice")
}
