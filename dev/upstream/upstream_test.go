package upstream

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func get(t *testing.T, u *Upstream, target string, headers http.Header) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, http.NoBody)
	r.Header = headers
	w := httptest.NewRecorder()
	u.ServeHTTP(w, r)
	return w
}

func TestUpstream_tellsWhatReachedIt(t *testing.T) {
	w := get(t, New("app"), "http://app.example/api/orders?page=2", http.Header{
		"X-Forwarded-For": {"203.0.113.7"},
		"X-Request-Id":    {"r-1"},
		"X-Auth-Roles":    {"admin"},
		"Cookie":          {"secret=1"},
	})
	var got Answer
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	require.Equal(t, Answer{
		Instance: "app", Served: 1, Method: "GET", Path: "/api/orders", Query: "page=2", Host: "app.example",
		Remote:  "192.0.2.1:1234",
		Headers: http.Header{"X-Forwarded-For": {"203.0.113.7"}, "X-Request-Id": {"r-1"}, "X-Auth-Roles": {"admin"}},
	}, got)
}

func TestUpstream_countsAllButHealthAndTheCount(t *testing.T) {
	u := New("app")
	for _, path := range []string{"/health", "/api/health", "/_served"} {
		require.Equal(t, http.StatusOK, get(t, u, path, nil).Code)
	}
	require.Zero(t, u.Served())

	for _, path := range []string{"/", "/api/x", "/status/404", "/slow?for=1ms"} {
		get(t, u, path, nil)
	}
	require.Equal(t, int64(4), u.Served())
	require.Equal(t, "4", strings.TrimSpace(get(t, u, "/_served", nil).Body.String()))
}

func TestUpstream_statusAndDelayAreBounded(t *testing.T) {
	u := New("app")
	require.Equal(t, http.StatusTeapot, get(t, u, "/status/418", nil).Code)
	for _, path := range []string{"/status/99", "/status/x", "/slow?for=1h", "/slow?for=-1s", "/slow"} {
		require.Equal(t, http.StatusBadRequest, get(t, u, path, nil).Code, path)
	}
}

func TestServe_letsARequestInFlightFinish(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	arrived := make(chan struct{})
	u := New("app")
	u.mux.HandleFunc("/held", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-ctx.Done()
		_, _ = io.WriteString(w, "finished")
	})
	served := make(chan error, 1)
	go func() { served <- u.Serve(ctx, l) }()

	answer := make(chan string, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+l.Addr().String()+"/held", http.NoBody)
		if err != nil {
			answer <- err.Error()
			return
		}
		resp, err := new(http.Transport).RoundTrip(req)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-arrived
	cancel()
	require.Equal(t, "finished", <-answer)
	require.NoError(t, <-served)
}
