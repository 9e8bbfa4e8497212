package caller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/identity"
)

// Served is a request that was answered, as far as a log and metrics may know it: nothing of it comes
// from a person.
type Served struct {
	Method string // "other" for a word that is no method of HTTP
	// Route is the pattern of the route, such as "GET /api/clients/{id}"; empty when none matched.
	Route string
	// Status is 499 when the client was gone, or the process had to stop, before there was one.
	Status   int
	Duration time.Duration
}

// StatusGone is logged for a client that did not wait for its answer.
const StatusGone = 499

// LogOptions are what [Log] needs.
type LogOptions struct {
	// Logger gets a line at level info for each request, and one at level error for a panic.
	Logger *zap.Logger
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// Observe is called after each request, for metrics. Default: nobody.
	Observe func(Served)
	// Quiet says which requests are not logged: an orchestrator asks for the health every few seconds.
	Quiet func(Served) bool
}

// Log is the outermost of the handlers: it gives the request its id, in the context and in the answer,
// writes one line when it is answered, and turns a panic into a 500.
//
// The route is the pattern of the http.ServeMux that served the request. A middleware that passes a copy
// of the request on copies its Pattern back, or calls [SetRoute].
func Log(o LogOptions) func(http.Handler) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, next) })
	}
}

// SetRoute names the route of the context's request to the log, where the pattern of a mux does not.
func SetRoute(ctx context.Context, route string) {
	if named, ok := ctx.Value(routeKey{}).(*string); ok {
		*named = route
	}
}

func (o LogOptions) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	start := o.Now()
	id, route := requestID(r), new(string)
	ctx := context.WithValue(context.WithValue(r.Context(), requestIDKey{}, id), routeKey{}, route)
	inner := r.WithContext(ctx)
	answer := &answer{ResponseWriter: w}
	w.Header().Set(identity.HeaderRequestID, id)
	defer func() {
		cause := recover()
		aborted := o.judge(answer, inner, cause)
		if *route == "" {
			*route = inner.Pattern
		}
		status := answer.final(inner)
		if status == StatusGone && !aborted {
			answer.giveUp(inner)
		}
		o.tell(Served{Method: method(r.Method), Route: *route, Status: status, Duration: o.Now().Sub(start)}, id, answer.bytes)
		if aborted {
			panic(http.ErrAbortHandler) // net/http closes the connection, and logs nothing
		}
	}()
	next.ServeHTTP(answer, inner)
}

// judge answers for a handler that panicked, and reports whether the connection must be cut because an
// answer was under way, which a client must not take for a whole one.
func (o LogOptions) judge(a *answer, r *http.Request, cause any) (abort bool) {
	if cause == nil {
		return false
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		return true
	}
	o.Logger.Error("a handler panicked", zap.String("request_id", RequestID(r.Context())),
		zap.String("panic", describe(cause)), zap.Stack("stack"))
	if a.status != 0 {
		return true
	}
	a.discard(r)
	Problem(a, r, http.StatusInternalServerError, "internal", "Something went wrong here")
	return false
}

// describe says what a panic was about. The text of an error may hold what somebody has typed, and is not
// for a log: its type and the stack must do.
func describe(cause any) string {
	switch c := cause.(type) {
	case string:
		return c
	case runtime.Error:
		return c.Error()
	default:
		return fmt.Sprintf("a value of type %T", cause)
	}
}

func (o LogOptions) tell(s Served, id string, bytes int64) {
	if o.Observe != nil {
		o.Observe(s)
	}
	if o.Quiet != nil && o.Quiet(s) {
		return
	}
	if entry := o.Logger.Check(zap.InfoLevel, "request"); entry != nil {
		entry.Write(zap.String("method", s.Method), zap.String("route", s.Route), zap.Int("status", s.Status),
			zap.Duration("duration", s.Duration), zap.Int64("bytes", bytes), zap.String("request_id", id))
	}
}

// method is the request's, when it is one: clients may send any word.
func method(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return m
	default:
		return "other"
	}
}

// answer remembers what was answered.
type answer struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= http.StatusOK { // 1xx are no answer yet
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what is behind.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// final is the status that the client got; net/http sends 200 where a handler said nothing.
func (a *answer) final(r *http.Request) int {
	switch {
	case a.status != 0:
		return a.status
	case errors.Is(r.Context().Err(), context.Canceled):
		return StatusGone
	default:
		return http.StatusOK
	}
}

// giveUp answers for a handler that ended without an answer because the request's context had. Mostly the
// client is gone. But where it is the process that must stop, net/http would send 200, and the client would
// take what was rolled back for done.
func (a *answer) giveUp(r *http.Request) {
	a.discard(r)
	a.Header().Set("Retry-After", "1")
	Problem(a, r, http.StatusServiceUnavailable, "unavailable", "The request was given up before it was done")
}

// discard takes back the header of an answer that was never given: its ETag, its cookies.
func (a *answer) discard(r *http.Request) {
	clear(a.Header())
	a.Header().Set(identity.HeaderRequestID, RequestID(r.Context()))
}

type routeKey struct{}
