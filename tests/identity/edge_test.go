package identity

import (
	"bufio"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// password is ann's.
const password = "hiccup"

// edge is a node with a directory of keys, in front of one upstream.
type edge struct {
	tb      testing.TB
	node    *stack.Gateway
	address string
	// lenient is another address, where Caddy lets names with underscores and dots pass.
	lenient string
	keys    string
}

// start runs a node whose upstream, at an address, expects an audience.
func start(tb testing.TB, audience, upstream string) *edge {
	tb.Helper()
	e := &edge{
		tb: tb, address: stack.PortForTest(tb).Addr(), lenient: stack.PortForTest(tb).Addr(),
		keys: filepath.Join(tb.TempDir(), "keys"),
	}
	require.NoError(tb, os.Mkdir(e.keys, 0o700))
	e.addKey("1.pem")
	e.node = stack.GatewayForTest(tb, stack.GatewayOptions{
		Caddyfile: e.caddyfile(audience, upstream), Listen: []string{e.address, e.lenient},
	})
	return e
}

// caddyfile has ann sign in by password everywhere but below /public. Placeholders that `session` would
// set are put there by map, for /rich.
func (e *edge) caddyfile(audience, upstream string) string {
	return fmt.Sprintf(`{
	auto_https off
	persist_config off
	servers %[1]s {
		protocols h1 h2c
	}
	servers %[2]s {
		expected_underscore_headers x_*
		expected_dot_headers x.*
	}
}
http://%[1]s, http://%[2]s {
	bind 127.0.0.1
	log
	map {path} {http.session.source} {http.auth.user.email} {http.auth.user.groups} {
		/rich cache ann@example.com staff
		/admin cache ann@example.com staff,admins
		default "" "" ""
	}
	@people not path /public* /.well-known/gatehouse-jwks.json
	basic_auth @people {
		ann $2a$10$aF91zcIxIxIaPudHsDlf9uNkLAskCxlS5MvOlbRRf1OISMl5b.3iu
	}
	assert_identity {
		audience %[3]s
		keys %[4]s
		headers X-Auth-User Remote-User
	}
	reverse_proxy %[5]s
}
`, e.address, e.lenient, audience, e.keys, upstream)
}

// addKey puts a new key where the edge finds it when it starts, and returns its id.
func (e *edge) addKey(name string) (id string) {
	e.tb.Helper()
	keyPEM, id, err := identity.GenerateKey()
	require.NoError(e.tb, err)
	require.NoError(e.tb, os.WriteFile(filepath.Join(e.keys, name), keyPEM, 0o600))
	return id
}

// private reads a key back, to sign what the edge never would.
func (e *edge) private(name string) (key ed25519.PrivateKey, id string) {
	e.tb.Helper()
	data, err := os.ReadFile(filepath.Join(e.keys, name))
	require.NoError(e.tb, err)
	block, _ := pem.Decode(data)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(e.tb, err)
	key, ok := parsed.(ed25519.PrivateKey)
	require.True(e.tb, ok)
	return key, identity.Thumbprint(ed25519.PublicKey(key[32:]))
}

func (e *edge) jwks() string { return "http://" + e.address + "/.well-known/gatehouse-jwks.json" }

// get asks an address for a path, as ann unless the path is public.
func get(tb testing.TB, address, path string, header ...string) (status int, body string) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
	require.NoError(tb, err)
	if !strings.HasPrefix(path, "/public") {
		r.SetBasicAuth("ann", password)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header[header[i]] = append(r.Header[header[i]], header[i+1])
	}
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Do(r)
	require.NoError(tb, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(tb, err)
	return response.StatusCode, string(text)
}

// recorder is an upstream that keeps what reached it, trailers included.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	header   http.Header
	trailer  http.Header
	requests int
}

func record(tb testing.TB) *recorder {
	tb.Helper()
	u := &recorder{}
	u.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.header, u.trailer = r.Header, r.Trailer
		u.requests++
	}))
	u.Config.Protocols = new(http.Protocols)
	u.Config.Protocols.SetHTTP1(true)
	u.Config.Protocols.SetUnencryptedHTTP2(true)
	u.Start()
	tb.Cleanup(u.Close)
	return u
}

// last is what reached the upstream since it was asked before; false when nothing did.
func (u *recorder) last() (header, trailer http.Header, ok bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	header, trailer, ok = u.header, u.trailer, u.requests > 0
	u.header, u.trailer, u.requests = nil, nil, 0
	return header, trailer, ok
}

// send writes bytes that no client library would, and returns the status of the answer.
func send(tb testing.TB, address, request string) int {
	tb.Helper()
	conn, err := new(net.Dialer).DialContext(tb.Context(), "tcp", address)
	require.NoError(tb, err)
	defer conn.Close()
	require.NoError(tb, conn.SetDeadline(time.Now().Add(30*time.Second)))
	_, err = io.WriteString(conn, request)
	require.NoError(tb, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(tb, err)
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode
}
