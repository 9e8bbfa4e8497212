package identity_test

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// spellings of one name that servers behind the edge take for the same.
var spellings = []string{
	"X-Auth-User", "x-auth-user", "X_Auth_User", "x_auth_user", "X_AUTH-USER", "X.Auth.User", "x.auth_user",
	"X-Auth-User ", " X-Auth-User", "X Auth User", "XAuthUser", "X--Auth--User", "X-Auth-User-", "-X-Auth-User",
	"X~Auth~User", "X!Auth*User", "X-Auth-Assertion", "X-Auth", "X-Authenticated-User", "X-Authorization",
}

func TestNames_own(t *testing.T) {
	names := identity.NewNames("Remote-User", "X-Request-Id", "", "X-Auth-Extra")
	for _, name := range append(spellings, "remote_user", "REMOTE.USER", "Remote-User", "x_request_id", "X-Request-ID") {
		if !names.Own(name) {
			t.Errorf("%q passes", name)
		}
	}
	for _, name := range []string{
		"", "-", "X", "X-Aut", "X-Aut-H", "Authorization", "XX-Auth-User", "My-X-Auth-User", "Remote-User-Agent", "Remote-Use",
		"X-Request-Ids", "X-Forwarded-For", "Cookie", "Connection",
	} {
		if names.Own(name) != (name == "X-Aut-H") {
			t.Errorf("%q: %v", name, names.Own(name))
		}
	}
}

func TestNames_strip(t *testing.T) {
	names := identity.NewNames("Remote-User")
	for name, tc := range map[string]struct {
		give, want http.Header
		stripped   int
	}{
		"nothing to do":         {http.Header{"Accept": {"*/*"}}, http.Header{"Accept": {"*/*"}}, 0},
		"duplicates":            {http.Header{"X-Auth-User": {"root", "admin"}, "Accept": {"*/*"}}, http.Header{"Accept": {"*/*"}}, 1},
		"a value that is empty": {http.Header{"X-Auth-User": {""}, "X-Auth-Groups": nil}, http.Header{}, 2},
		"Connection alone":      {http.Header{"Connection": {"X-Auth-Assertion"}}, http.Header{}, 1},
		"among others": {
			http.Header{"Connection": {"keep-alive, X-Auth-User ,Upgrade", "x_auth_groups", "Remote-User,TE"}},
			http.Header{"Connection": {"keep-alive, Upgrade, TE"}}, 3,
		},
		"others stay as they were": {http.Header{"Connection": {"close,,Upgrade", "a"}}, http.Header{"Connection": {"close,,Upgrade", "a"}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := &http.Request{Header: tc.give}
			if got := names.Strip(r); got != tc.stripped {
				t.Errorf("%d stripped, want %d", got, tc.stripped)
			}
			if !reflect.DeepEqual(r.Header, tc.want) {
				t.Errorf("got %v, want %v", r.Header, tc.want)
			}
		})
	}
	for _, spelling := range spellings {
		r := &http.Request{Header: http.Header{spelling: {"root"}}, Trailer: http.Header{spelling: nil}}
		if names.Strip(r); len(r.Header) != 0 || len(r.Trailer) != 0 {
			t.Errorf("%q stays: %v %v", spelling, r.Header, r.Trailer)
		}
	}
}

// net/http fills in every trailer that comes, announced or not, once one was announced.
func TestNames_stripTrailersAsTheyCome(t *testing.T) {
	names := identity.NewNames()
	for name, tc := range map[string]struct {
		announced string
		wrapped   bool // by another handler, as Caddy's are
	}{
		"announced":                     {"X-Auth-User, Checksum", false},
		"another one announced":         {"Checksum", false},
		"none announced":                {"", false},
		"announced, request copied":     {"X-Auth-User, Checksum", true},
		"another announced, and copied": {"Checksum", true},
	} {
		t.Run(name, func(t *testing.T) {
			var got http.Header
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if tc.wrapped {
					r = r.WithContext(r.Context())
				}
				names.Strip(r)
				for name := range r.Trailer {
					if names.Own(name) {
						t.Errorf("%q is still announced", name)
					}
				}
				_, _ = io.Copy(io.Discard, r.Body)
				got = maps.Clone(r.Trailer)
			}))
			defer server.Close()
			request := "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
			if tc.announced != "" {
				request += "Trailer: " + tc.announced + "\r\n"
			}
			request += "\r\n2\r\nhi\r\n0\r\nX-Auth-User: root\r\nx_auth_user: root\r\nX-Auth-Groups : root\r\nChecksum: ok\r\n\r\n"
			if status := exchange(t, server.Listener.Addr(), request); status != http.StatusOK {
				t.Fatalf("status %d", status)
			}
			if got.Get("Checksum") != "ok" && (tc.announced != "" || !tc.wrapped) {
				t.Errorf("the good trailer is gone: %v", got)
			}
			for name := range got {
				if names.Own(name) {
					t.Errorf("a trailer passed: %v", got)
				}
			}
		})
	}
}

// A body without trailers is left alone, so that others may look at its type.
func TestNames_stripWrapsOnlyBodiesThatMayHaveTrailers(t *testing.T) {
	names := identity.NewNames()
	body := io.NopCloser(strings.NewReader("hi"))
	for name, tc := range map[string]struct {
		give    *http.Request
		wrapped bool
	}{
		"no body":         {&http.Request{}, false},
		"an empty body":   {&http.Request{Body: http.NoBody, ContentLength: -1}, false},
		"of known length": {&http.Request{Body: body, ContentLength: 2}, false},
		"chunked":         {&http.Request{Body: body, ContentLength: -1}, true},
		"with a trailer":  {&http.Request{Body: body, ContentLength: 2, Trailer: http.Header{"Checksum": nil}}, true},
	} {
		before := tc.give.Body
		names.Strip(tc.give)
		if got := tc.give.Body != before; got != tc.wrapped {
			t.Errorf("%s: wrapped = %v, want %v", name, got, tc.wrapped)
		}
	}
}

func FuzzNames_strip(f *testing.F) {
	for _, spelling := range spellings {
		f.Add(spelling, "keep-alive, "+spelling)
	}
	f.Add("Remote_User", "close")
	names := identity.NewNames("Remote-User")
	// The rule in other words: letters and digits alone count, in lower case.
	own := func(name string) bool {
		normal := strings.Map(func(r rune) rune {
			if r > 127 || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789", r) {
				return -1
			}
			return r
		}, strings.ToLower(strings.Map(func(r rune) rune {
			if r > 127 {
				return -1
			}
			return r
		}, name)))
		return strings.HasPrefix(normal, "xauth") || normal == "remoteuser"
	}
	f.Fuzz(func(t *testing.T, name, connection string) {
		if got := names.Own(name); got != own(name) {
			t.Errorf("%q: got %v", name, got)
		}
		if got := identity.Normalize(name); names.Own(got) != names.Own(name) {
			t.Errorf("%q: normalising it changes the answer", name)
		}
		r := &http.Request{Header: http.Header{name: {"root"}, "Connection": {connection}, "Accept": {"*/*"}}, Trailer: http.Header{name: nil}}
		names.Strip(r)
		for left := range r.Header {
			if own(left) {
				t.Errorf("%q stays", left)
			}
		}
		for _, value := range r.Header["Connection"] {
			for token := range strings.SplitSeq(value, ",") {
				if own(token) {
					t.Errorf("Connection still says %q", value)
				}
			}
		}
		if _, ok := r.Trailer[name]; ok == own(name) {
			t.Errorf("trailer %q: %v", name, ok)
		}
		if r.Header.Get("Accept") != "*/*" {
			t.Error("another header is gone")
		}
	})
}

// exchange sends bytes that no client library would send, and returns the status of the answer.
func exchange(t *testing.T, address net.Addr, request string) int {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), address.Network(), address.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, request); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}
