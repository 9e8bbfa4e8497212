package caller_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
)

// served serves one request, with a clock that moves 3 s while it does, and returns what metrics are told.
func served(t *testing.T, next http.Handler, r *http.Request) (*httptest.ResponseRecorder, caller.Served, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.DebugLevel)
	var got []caller.Served
	now := noon
	h := caller.Log(caller.LogOptions{
		Logger: zap.New(core), Observe: func(s caller.Served) { got = append(got, s) },
		Now:   func() time.Time { now = now.Add(3 * time.Second); return now },
		Quiet: func(s caller.Served) bool { return s.Route == "GET /health" && s.Status < http.StatusBadRequest },
	})(next)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Len(t, got, 1)
	return w, got[0], logs
}

func request(t *testing.T, method, target string) *http.Request {
	t.Helper()
	return httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader("body-canary"))
}

func TestLog_saysWhatWasAnsweredAndNothingOfThePerson(t *testing.T) {
	edge := callertest.At(t, atNoon)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/clients/{id}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "cookie-canary")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "answer-canary")
	})
	r := edge.As(t, request(t, http.MethodPost, "/api/clients/path-canary?q=query-canary"), "ann")
	r.Header.Set("Cookie", "org=cookie-canary")
	r.Header.Set("X-Request-Id", "edge-1")
	_, got, logs := served(t, caller.Verify(caller.Options{Verifier: edge.Verifier})(mux), r)
	require.Equal(t, caller.Served{Method: "POST", Route: "POST /api/clients/{id}", Status: 201, Duration: 3 * time.Second}, got)
	require.Len(t, logs.All(), 1)
	require.Equal(t, map[string]any{
		"method": "POST", "route": "POST /api/clients/{id}", "status": int64(201), "duration": 3 * time.Second,
		"bytes": int64(len("answer-canary")), "request_id": "edge-1",
	}, logs.All()[0].ContextMap())
	for _, secret := range []string{"canary", "corp:ann", "example.test", r.Header.Get("X-Auth-Assertion")} {
		require.NotContains(t, dump(logs), secret)
	}
}

func TestLog_statusAndRoute(t *testing.T) {
	for name, tc := range map[string]struct {
		handler http.HandlerFunc
		gone    bool
		method  string
		want    caller.Served
		lines   int
	}{
		"nothing said":     {func(http.ResponseWriter, *http.Request) {}, false, "GET", caller.Served{Method: "GET", Status: 200}, 1},
		"a client is gone": {func(http.ResponseWriter, *http.Request) {}, true, "GET", caller.Served{Method: "GET", Status: 499}, 1},
		"a route by name": {func(w http.ResponseWriter, r *http.Request) {
			caller.SetRoute(r.Context(), "GET /pages/{kind}")
			w.WriteHeader(http.StatusNotFound)
		}, false, "GET", caller.Served{Method: "GET", Route: "GET /pages/{kind}", Status: 404}, 1},
		"a method of one's own": {func(http.ResponseWriter, *http.Request) {}, false, "CANARY", caller.Served{Method: "other", Status: 200}, 1},
		"quiet":                 {func(_ http.ResponseWriter, r *http.Request) { caller.SetRoute(r.Context(), "GET /health") }, false, "GET", caller.Served{Method: "GET", Route: "GET /health", Status: 200}, 0},
		"quiet, but bad": {func(w http.ResponseWriter, r *http.Request) {
			caller.SetRoute(r.Context(), "GET /health")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, false, "GET", caller.Served{Method: "GET", Route: "GET /health", Status: 503}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tc.gone {
				cancel()
			}
			w, got, logs := served(t, tc.handler, request(t, tc.method, "/").WithContext(ctx))
			tc.want.Duration = 3 * time.Second
			require.Equal(t, tc.want, got)
			require.Len(t, logs.All(), tc.lines)
			require.NotContains(t, dump(logs), "CANARY")
			if tc.gone { // net/http would send 200 for what was rolled back
				require.Equal(t, http.StatusServiceUnavailable, w.Code)
				require.Contains(t, w.Body.String(), `"code":"unavailable"`)
			}
		})
	}
}

func TestLog_takesOverOnlyWhatIsARequestID(t *testing.T) {
	for _, given := range []string{"", "a b", "a\nb", strings.Repeat("a", 65), "ä", `"`, "<script>"} {
		r := request(t, http.MethodGet, "/")
		if given != "" {
			r.Header["X-Request-Id"] = []string{given}
		}
		var inside string
		w, _, _ := served(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { inside = caller.RequestID(r.Context()) }), r)
		require.Len(t, inside, 36, given)
		require.Equal(t, inside, w.Header().Get("X-Request-Id"))
	}
	r := request(t, http.MethodGet, "/")
	r.Header["X-Request-Id"] = []string{"one", "two"}
	w, _, _ := served(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), r)
	require.Len(t, w.Header().Get("X-Request-Id"), 36)
}

func TestLog_answersForAPanic(t *testing.T) {
	for name, tc := range map[string]struct {
		cause any
		want  string
	}{
		"a text":    {"out of cheese", "out of cheese"},
		"an error":  {errors.New("canary@example.com"), "a value of type *errors.errorString"},
		"a thing":   {struct{ email string }{"canary@example.com"}, "a value of type struct"},
		"a mistake": {nil, "index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			w, got, logs := served(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("ETag", `"7"`)
				if tc.cause == nil {
					_ = tc.want[len(tc.want)]
				}
				panic(tc.cause)
			}), request(t, http.MethodGet, "/"))
			require.Equal(t, http.StatusInternalServerError, w.Code)
			require.Equal(t, http.StatusInternalServerError, got.Status)
			require.Empty(t, w.Header().Get("ETag"))
			require.NotEmpty(t, w.Header().Get("X-Request-Id"))
			require.Contains(t, w.Body.String(), `"code":"internal"`)
			require.NotContains(t, w.Body.String(), "cheese")
			line := logs.FilterMessage("a handler panicked").All()
			require.Len(t, line, 1)
			require.Contains(t, line[0].ContextMap()["panic"], tc.want)
			require.Contains(t, line[0].ContextMap()["stack"], "log_test.go")
			require.NotContains(t, dump(logs), "canary")
		})
	}
}

// A client must not take the first half of an answer for all of it.
func TestLog_cutsAnAnswerThatPanickedHalfWay(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	for _, cause := range []any{"oh", http.ErrAbortHandler} {
		server := httptest.NewServer(caller.Log(caller.LogOptions{Logger: zap.New(core)})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
			panic(cause)
		})))
		defer server.Close()
		response, err := server.Client().Get(server.URL)
		require.NoError(t, err)
		_, err = io.ReadAll(response.Body)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		response.Body.Close()
	}
	require.Len(t, logs.FilterMessage("a handler panicked").All(), 1, "to abort is no mistake")
	require.Len(t, logs.FilterMessage("request").All(), 2)
}

func TestLog_takesNoHintForAnAnswer(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	server := httptest.NewServer(caller.Log(caller.LogOptions{Logger: zap.New(core)})(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusConflict)
	})))
	response, err := server.Client().Get(server.URL)
	require.NoError(t, err)
	response.Body.Close()
	server.Close() // waits for the handler
	require.Equal(t, http.StatusConflict, response.StatusCode)
	require.Equal(t, int64(http.StatusConflict), logs.All()[0].ContextMap()["status"])
}
