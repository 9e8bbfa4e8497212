package redisapp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePlace(t *testing.T) {
	tests := []struct {
		give string
		want place
	}{
		{"localhost", place{hosts: []string{"localhost"}}},
		{"127.0.0.1:6380", place{hosts: []string{"127.0.0.1:6380"}}},
		{"[::1]:6380", place{hosts: []string{"[::1]:6380"}}},
		{"[::1]", place{hosts: []string{"[::1]"}}},
		{"/run/redis.sock", place{hosts: []string{"/run/redis.sock"}}},
		{"redis://redis", place{hosts: []string{"redis"}}},
		{"REDIS://redis:6379/", place{hosts: []string{"redis:6379"}}},
		{"redis://redis/3", place{hosts: []string{"redis"}, db: 3, hasDB: true}},
		{"redis://redis/?db=3", place{hosts: []string{"redis"}, db: 3, hasDB: true}},
		{"rediss://gate:s3cret@redis:6380", place{hosts: []string{"redis:6380"}, tls: true, username: "gate", password: "s3cret"}},
		{"redis://:s3cret@redis", place{hosts: []string{"redis"}, password: "s3cret"}},
		{"redis://:a%40b%2Fc%3Fd%23@redis", place{hosts: []string{"redis"}, password: "a@b/c?d#"}},
		{"redis://:a@b@redis", place{hosts: []string{"redis"}, password: "a@b"}},
		{"redis://a:1,b:2,[::1]:3?cluster", place{hosts: []string{"a:1", "b:2", "[::1]:3"}, cluster: true}},
		{"redis://a,b?cluster=true", place{hosts: []string{"a", "b"}, cluster: true}},
		{"redis://a,b/1?sentinel=main", place{hosts: []string{"a", "b"}, sentinel: "main", db: 1, hasDB: true}},
		{"unix:///run/redis.sock?db=2", place{hosts: []string{"/run/redis.sock"}, db: 2, hasDB: true}},
		{"unix://gate:s3cret@/run/re%20dis.sock", place{hosts: []string{"/run/re dis.sock"}, username: "gate", password: "s3cret"}},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			got, err := parsePlace(tt.give)
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

func TestParsePlace_refuses(t *testing.T) {
	tests := []struct{ give, want string }{
		{"", "a host is missing"},
		{":6379", "not host:port"},
		{"redis:port", `port "port" of "redis" is not a number`},
		{"redis:0", `port "0"`},
		{"redis:65536", `port "65536"`},
		{"::1:6379", "written [::1]:6379"},
		{"[::g]", "not an IPv6 address"},
		{"[", "not an IPv6 address"},
		{"/", "path of the socket is missing"},
		{"user:s3cret@redis:6379", "credentials belong into a URL"},
		{"{env.X}", "a character that no host has"},
		{"http://redis", "begins with redis://"},
		{"redis://", "a host is missing"},
		{"redis://a,,b", "a host is missing"},
		{"redis://s3cret%zz@redis", "not well escaped"},
		{"redis://redis/zero", "number of the database"},
		{"redis://redis/-1", "number of the database"},
		{"redis://redis/1/2", "number of the database"},
		{"redis://redis/1?db=1", "stands twice"},
		{"redis://redis?sentinel=", "name of the primary"},
		{"redis://redis?cluster=no", "takes no value"},
		{"redis://redis?db=x", "whole number"},
		{"redis://redis?db=1&db=2", "stands twice"},
		{"redis://redis?timeout=1", `"timeout" is not known in a URL: there are sentinel, cluster and db`},
		{"redis://redis?%zz", "not well escaped"},
		{"redis://:s3cret#1@redis", "written %23"},
		{"unix://run/redis.sock", "three slashes"},
		{"unix://", "a host is missing"},
		{"unix:///%zz", "not well escaped"},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			_, err := parsePlace(tt.give)
			require.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "s3cret", "a secret is not repeated")
		})
	}
}

func TestCombine(t *testing.T) {
	tests := []struct {
		name string
		give []string
		want place
		err  string
	}{
		{name: "one", give: []string{"a"}, want: place{hosts: []string{"a"}}},
		{name: "what one says holds for all", give: []string{"redis://u:p@a/1", "redis://b?sentinel=s", "redis://c"},
			want: place{hosts: []string{"a", "b", "c"}, username: "u", password: "p", db: 1, hasDB: true, sentinel: "s"}},
		{name: "tls and not", give: []string{"redis://a", "rediss://b"}, err: "same scheme"},
		{name: "two passwords", give: []string{"redis://:p@a", "redis://:q@b"}, err: "different credentials"},
		{name: "two primaries", give: []string{"redis://a?sentinel=s", "redis://b?sentinel=t"}, err: "different primaries"},
		{name: "two databases", give: []string{"redis://a/1", "redis://b/2"}, err: "different databases"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var places []place
			for _, text := range tt.give {
				p, err := parsePlace(text)
				require.NoError(t, err)
				places = append(places, p)
			}
			got, err := combine(places)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, got)
		})
	}
}

// FuzzParsePlace: no text panics, errors keep secrets, and what is accepted can be dialled.
func FuzzParsePlace(f *testing.F) {
	for _, seed := range []string{
		"localhost:6379", "[::1]:1", "/run/redis.sock", "redis://u:hunter2@a:1,b:2/3?cluster", "rediss://:hunter2@[::1]",
		"unix:///run/x?db=1", "redis://a?sentinel=s&db=2", "redis://:hunter2#@a", "redis://%", "unix://hunter2@/", "redis://[/]",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(text)
		if err != nil {
			if strings.Contains(err.Error(), "hunter2") && !strings.Contains(afterUser(text), "hunter2") {
				t.Fatalf("the secret of %q is in %q", text, err)
			}
			return
		}
		if len(p.hosts) == 0 || p.db < 0 || !p.hasDB && p.db != 0 {
			t.Fatalf("%q gives %+v", text, p)
		}
		for _, host := range p.hosts {
			addr := dialled(host, redisPort)
			if !strings.HasPrefix(addr, "/") && checkHost(addr) != nil {
				t.Fatalf("%q would dial %q", text, addr)
			}
		}
	})
}

// afterUser is what may be quoted: all that stands behind the credentials.
func afterUser(text string) string {
	return text[strings.LastIndexByte(text, '@')+1:]
}
