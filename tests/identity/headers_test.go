package identity

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// evil is the value that no upstream may ever see.
const evil = "root"

// spellings of identity headers that some upstream takes for the edge's own.
var spellings = []string{
	"X-Auth-User", "x-auth-user", "X_Auth_User", "x_auth_user", "X_AUTH-USER", "X.Auth.User", "x.auth_user", "X~Auth~User", "XAuthUser",
	"X--Auth-User", "X-Auth-User-", "X-Auth-Groups", "X-Auth-Role", "X-Authenticated-User", "X-Auth-Assertion", "x_auth_assertion",
	"Remote-User", "remote_user", "Remote.User", "X-Request-Id", "x_request_id",
}

func basicAuth() string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("ann:"+password)) + "\r\n"
}

// clean fails when anything evil is among the headers or trailers.
func clean(t *testing.T, what string, fields http.Header) {
	t.Helper()
	for name, values := range fields {
		if name == "Accept" {
			continue
		}
		for _, value := range values {
			assert.NotContains(t, value, evil, "%s: %q reached the upstream", what, name)
		}
	}
}

func TestHeaders_ofTheClientNeverReachTheUpstream(t *testing.T) {
	up := record(t)
	e := start(t, "app", up.Listener.Addr().String())
	names := identity.NewNames("Remote-User", "X-Request-Id")
	for _, address := range []string{e.address, e.lenient} {
		for who, credentials := range map[string]string{"nobody": "", "ann": basicAuth()} {
			path := map[bool]string{true: "/public", false: "/"}[credentials == ""]
			for _, name := range spellings {
				for what, lines := range map[string]string{
					"once":               name + ": " + evil + "\r\n",
					"twice":              name + ": " + evil + "\r\n" + name + ": " + evil + "\r\n",
					"folded":             name + ": x\r\n " + evil + "\r\n",
					"a space before":     "Accept: */*\r\n " + name + ": " + evil + "\r\n", // becomes a part of Accept
					"a space behind":     name + " : " + evil + "\r\n",
					"a tab behind":       name + "\t: " + evil + "\r\n",
					"named by hop":       "Connection: " + name + "\r\n" + name + ": " + evil + "\r\n",
					"named by hop lower": "Connection: keep-alive, " + strings.ToLower(name) + "\r\n" + name + ": " + evil + "\r\n",
				} {
					what = who + ", " + name + ", " + what
					status := send(t, address, "GET "+path+" HTTP/1.1\r\nHost: "+address+"\r\n"+credentials+lines+"\r\n")
					header, _, ok := up.last()
					if !ok {
						assert.Equal(t, http.StatusBadRequest, status, what)
						continue
					}
					require.Equal(t, http.StatusOK, status, what)
					clean(t, what, header)
					assert.Len(t, header["X-Request-Id"], 1, what)
					if who == "ann" {
						assert.Len(t, header["X-Auth-Assertion"], 1, what)
						assert.Equal(t, []string{"ann"}, header["X-Auth-User"], what)
						assert.Equal(t, []string{"ann"}, header["Remote-User"], what)
						continue
					}
					for name := range header {
						assert.True(t, !names.Own(name) || name == "X-Request-Id", "%s: %q reached the upstream", what, name)
					}
				}
			}
		}
	}
}

// Trailers come after the headers, so that nobody who looks only at those sees them. Go's server takes in
// every one that comes once any was announced, and reverse_proxy passes on what is there at the end.
func TestTrailers_ofTheClientNeverReachTheUpstream(t *testing.T) {
	up := record(t)
	for _, upstream := range []string{up.Listener.Addr().String(), "h2c://" + up.Listener.Addr().String()} {
		e := start(t, "app", upstream)
		for _, name := range spellings {
			for what, announced := range map[string]string{
				"announced": "Trailer: Checksum, " + name + "\r\n", "not announced": "Trailer: Checksum\r\n", "none announced": "",
				"announced by hop": "Connection: Trailer\r\nTrailer: Checksum, " + name + "\r\n",
			} {
				what = upstream[:3] + ", " + name + ", " + what
				status := send(t, e.address, "POST /public HTTP/1.1\r\nHost: "+e.address+"\r\nTransfer-Encoding: chunked\r\n"+announced+
					"\r\n2\r\nhi\r\n0\r\n"+name+": "+evil+"\r\nChecksum: good\r\n"+name+": "+evil+"\r\n\r\n")
				header, trailer, ok := up.last()
				require.True(t, ok && status == http.StatusOK, "%s: status %d", what, status)
				clean(t, what, header)
				clean(t, what, trailer)
				if announced != "" {
					assert.Equal(t, "good", trailer.Get("Checksum"), "%s: the good trailer is gone", what)
				}
			}
		}
	}
}

func TestTrailers_ofHTTP2NeverReachTheUpstream(t *testing.T) {
	up := record(t)
	e := start(t, "app", up.Listener.Addr().String())
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 30 * time.Second}
	for _, name := range spellings {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+e.address+"/public", struct{ *strings.Reader }{strings.NewReader("hi")})
		require.NoError(t, err)
		r.Header[name] = []string{evil}
		r.Trailer = http.Header{"Checksum": {"good"}, name: {evil}}
		response, err := client.Do(r)
		require.NoError(t, err, name)
		response.Body.Close()
		require.Equal(t, 2, response.ProtoMajor)
		header, trailer, ok := up.last()
		require.True(t, ok && response.StatusCode == http.StatusOK, "%s: status %d", name, response.StatusCode)
		clean(t, name, header)
		clean(t, name, trailer)
		assert.Equal(t, "good", trailer.Get("Checksum"), name)
	}
}

// An upgrade's Connection header stays, less what would have the edge's own headers deleted.
func TestConnection_cannotDeleteTheAssertion(t *testing.T) {
	up := record(t)
	e := start(t, "app", up.Listener.Addr().String())
	for _, connection := range []string{
		"X-Auth-Assertion", "x-auth-assertion, X-Request-Id", "Upgrade, X-Auth-Assertion", "X-Auth-Assertion\r\nConnection: Upgrade, x-request-id",
		"close, X-Auth-Assertion , X-Auth-User,Remote-User",
	} {
		send(t, e.address, "GET / HTTP/1.1\r\nHost: "+e.address+"\r\nUpgrade: websocket\r\n"+basicAuth()+"Connection: "+connection+"\r\n\r\n")
		header, _, ok := up.last()
		require.True(t, ok, connection)
		for _, name := range []string{"X-Auth-Assertion", "X-Request-Id", "X-Auth-User", "Remote-User"} {
			assert.Len(t, header[name], 1, "Connection: %s deleted %s", connection, name)
		}
		if strings.Contains(connection, "Upgrade") {
			assert.Equal(t, "Upgrade", header.Get("Connection"), connection)
		}
	}
}

func TestRequestID_isTheOneInTheAccessLog(t *testing.T) {
	up := record(t)
	e := start(t, "app", up.Listener.Addr().String())
	for _, path := range []string{"/public", "/"} {
		status, _ := get(t, e.address, path, "X-Request-Id", evil)
		require.Equal(t, http.StatusOK, status)
		header, _, _ := up.last()
		id := header.Get("X-Request-Id")
		require.Regexp(t, `^[0-9a-f]{8}-[0-9a-f-]{27}$`, id)
		require.Eventually(t, func() bool { return strings.Contains(e.node.Log(), `"uuid":"`+id+`"`) }, 10*time.Second, 10*time.Millisecond)
	}
}

var token = regexp.MustCompile(`eyJ[\w-]+\.[\w-]+\.[\w-]+`)

func TestLog_hasNoAssertions(t *testing.T) {
	up := record(t)
	e := start(t, "app", up.Listener.Addr().String())
	get(t, e.address, "/")
	header, _, _ := up.last()
	assertion := header.Get("X-Auth-Assertion")
	require.Regexp(t, token, assertion)
	up.Close() // an upstream that is gone is logged as an error
	status, _ := get(t, e.address, "/")
	require.Equal(t, http.StatusBadGateway, status)
	require.Eventually(t, func() bool { return strings.Contains(e.node.Log(), `"status":502`) }, 10*time.Second, 10*time.Millisecond)
	assert.NotRegexp(t, token, e.node.Log())
}
