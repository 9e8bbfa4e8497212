package ratelimit

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const oneZone = "rate_limit {\n zone ip {\n key {http.vars.client_ip}\n events 10\n window 1m\n}\n}"

const (
	policyValue = `"ip";q=10;w=60`
	limitValue  = `"ip";r=9;t=60`
)

// answer lets the handler pass one request to next.
func answer(t *testing.T, next func(w http.ResponseWriter, r *http.Request) error) http.Header {
	t.Helper()
	f := open(t, oneZone)
	f.next = next
	w := f.do(client("192.0.2.1"))
	return w.Result().Header
}

func TestResponse_addsTheFieldsWhereverItBegins(t *testing.T) {
	for name, next := range map[string]func(w http.ResponseWriter, r *http.Request) error{
		"WriteHeader": func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(http.StatusNotFound); return nil },
		"Write":       func(w http.ResponseWriter, _ *http.Request) error { _, err := w.Write([]byte("x")); return err },
		"ReadFrom": func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("x"))
			return err
		},
		"Flush":   func(w http.ResponseWriter, _ *http.Request) error { return http.NewResponseController(w).Flush() },
		"nothing": func(http.ResponseWriter, *http.Request) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			h := answer(t, next)
			require.Equal(t, []string{policyValue}, h.Values("RateLimit-Policy"))
			require.Equal(t, []string{limitValue}, h.Values("RateLimit"))
			require.Empty(t, h.Values("Access-Control-Expose-Headers"))
			require.Empty(t, h.Values("Retry-After"))
		})
	}
}

func TestResponse_keepsTheUpstreamsFields(t *testing.T) {
	h := answer(t, func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("RateLimit", `"app";r=1`)
		w.Header().Set("RateLimit-Policy", `"app";q=2`)
		w.WriteHeader(http.StatusOK)
		return nil
	})
	require.Equal(t, []string{`"app";q=2`, policyValue}, h.Values("RateLimit-Policy"))
	require.Equal(t, []string{`"app";r=1`, limitValue}, h.Values("RateLimit"))
}

func TestResponse_redirectsHaveNoFields(t *testing.T) {
	for _, status := range []int{301, 302, 304, 307} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			h := answer(t, func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(status); return nil })
			require.Empty(t, h.Values("RateLimit"))
			require.Empty(t, h.Values("RateLimit-Policy"))
		})
	}
}

func TestResponse_informationalOnesPass(t *testing.T) {
	f := open(t, oneZone)
	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusAccepted)
		return nil
	}
	var hint textproto.MIMEHeader
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			require.Equal(t, http.StatusEarlyHints, code)
			hint = header
			return nil
		},
	})
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, serve(t, f).URL, http.NoBody)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusAccepted, resp.StatusCode)
	require.Equal(t, limitValue, resp.Header.Get("RateLimit"))
	require.Equal(t, "</style.css>; rel=preload", hint.Get("Link"))
	require.Empty(t, hint.Get("RateLimit"))
}

func TestResponse_exposesTheFieldsToOtherOrigins(t *testing.T) {
	allow := func(w http.ResponseWriter) { w.Header().Set("Access-Control-Allow-Origin", "https://app.example") }
	t.Run("allowed", func(t *testing.T) {
		h := answer(t, func(w http.ResponseWriter, _ *http.Request) error {
			allow(w)
			w.Header().Set("Access-Control-Expose-Headers", "ETag")
			w.WriteHeader(http.StatusOK)
			return nil
		})
		require.Equal(t, []string{"ETag", "RateLimit, RateLimit-Policy"}, h.Values("Access-Control-Expose-Headers"))
	})
	// With its Retry-After, if what stands before has allowed the origin already.
	t.Run("refused", func(t *testing.T) {
		f := open(t, "rate_limit {\n zone ip {\n events 0\n window 1m\n}\n}")
		w := httptest.NewRecorder()
		allow(w)
		require.Error(t, f.ServeHTTP(w, client("192.0.2.1"), f.next))
		require.Equal(t, []string{"RateLimit, RateLimit-Policy, Retry-After"}, w.Header().Values("Access-Control-Expose-Headers"))
	})
}

func TestResponse_refusalKeepsOtherFields(t *testing.T) {
	f := open(t, "rate_limit {\n zone ip {\n events 1\n window 1m\n}\n}")
	require.Equal(t, passed, f.status("192.0.2.1"))
	w := httptest.NewRecorder()
	w.Header().Set("RateLimit", `"outer";r=5`)
	require.Error(t, f.ServeHTTP(w, client("192.0.2.1"), f.next))
	require.Equal(t, []string{`"outer";r=5`, `"ip";r=0;t=60`}, w.Header().Values("RateLimit"))
	require.Equal(t, []string{`"ip";q=1;w=60`}, w.Header().Values("RateLimit-Policy"))
}

func TestResponse_headersOff(t *testing.T) {
	f := open(t, "rate_limit {\n zone ip {\n events 1\n window 1m\n}\n headers off\n}")
	var given http.ResponseWriter
	f.next = func(w http.ResponseWriter, _ *http.Request) error { given = w; return nil }
	w := httptest.NewRecorder()
	require.NoError(t, f.ServeHTTP(w, client("192.0.2.1"), f.next))
	require.Same(t, w, given, "the writer is not wrapped")
	refusal := f.do(client("192.0.2.1"))
	require.Equal(t, "60", refusal.Header().Get("Retry-After"))
	require.Empty(t, refusal.Header().Values("RateLimit"))
	require.Empty(t, refusal.Header().Values("RateLimit-Policy"))
}

// An HTTP/1 upgrade: the fields are in the 101, and the connection is the handler's.
func TestResponse_upgrades(t *testing.T) {
	f := open(t, oneZone)
	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		line, err := rw.ReadString('\n')
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(conn, "echo %s", line)
		return err
	}
	server := serve(t, f)

	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	require.NoError(t, err)
	replies := bufio.NewReader(conn)
	resp, err := http.ReadResponse(replies, nil)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)
	require.Equal(t, limitValue, resp.Header.Get("RateLimit"))
	_, err = io.WriteString(conn, "hello\n")
	require.NoError(t, err)
	line, err := replies.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", line)
}

// A stream arrives as it is flushed, and deadlines can be set through the writer.
func TestResponse_streams(t *testing.T) {
	f := open(t, oneZone)
	more := make(chan struct{})
	f.next = func(w http.ResponseWriter, _ *http.Request) error {
		control := http.NewResponseController(w)
		if err := control.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "first\n"); err != nil {
			return err
		}
		if err := control.Flush(); err != nil {
			return err
		}
		<-more
		_, err := io.WriteString(w, "second\n")
		return err
	}
	server := serve(t, f)
	resp, err := http.Get(server.URL)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, limitValue, resp.Header.Get("RateLimit"))
	lines := bufio.NewReader(resp.Body)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "first\n", line)
	close(more)
	line, err = lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "second\n", line)
}

// serve runs the handler behind a real HTTP server.
func serve(t *testing.T, f *fixture) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := f.ServeHTTP(w, prepare(r), f.next); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return server
}
