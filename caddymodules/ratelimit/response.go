package ratelimit

import (
	"io"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// response adds the rate limit fields to the response of an allowed request at the last moment: only
// then are its status and the upstream's own fields known.
//
// It is not pooled. A handler that writes after it has returned is wrong, but must not be able to
// write into another request's response.
type response struct {
	caddyhttp.ResponseWriterWrapper
	// values are of RateLimit-Policy and RateLimit; the header map refers to them.
	values [2]string
	begun  bool
}

// WriteHeader adds the fields to a final response. 101 is one; other 1xx are not.
func (w *response) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begin(status)
	}
	w.ResponseWriterWrapper.WriteHeader(status)
}

// Write begins a response of status 200, as any ResponseWriter does.
func (w *response) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriterWrapper.Write(b)
}

// ReadFrom is Write for those who copy.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	w.begin(http.StatusOK)
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError is what http.ResponseController calls; flushing begins the response too. Everything
// else that a controller can do it finds by Unwrap.
func (w *response) FlushError() error {
	w.begin(http.StatusOK)
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// begin adds the fields, once. A redirect says nothing about the resource, so it has none.
func (w *response) begin(status int) {
	if w.begun {
		return
	}
	w.begun = true
	if status >= 300 && status < 400 {
		return
	}
	addFields(w.Header(), w.values[:], exposedWhenAllowed)
}

// addFields adds the values of RateLimit-Policy and RateLimit to those that are there, for nothing
// of the upstream's is replaced. There are none when all zones fail open. Scripts of other origins may
// read them if they may read the response at all.
func addFields(h http.Header, values []string, exposed string) {
	if values[0] == "" {
		return
	}
	add(h, policyHeader, values[0:1:1])
	add(h, limitHeader, values[1:2:2])
	if len(h[allowOriginHeader]) > 0 && !slices.Contains(h[exposeHeader], exposed) {
		h[exposeHeader] = append(h[exposeHeader], exposed)
	}
}

func add(h http.Header, name string, value []string) {
	if have := h[name]; len(have) > 0 {
		value = append(have, value...)
	}
	h[name] = value
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ io.ReaderFrom       = (*response)(nil)
)
