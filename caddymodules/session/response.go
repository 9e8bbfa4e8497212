package session

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// response keeps an app from setting our cookies, and adds those that go with the session at the last
// moment: only then is it known whether the response may carry them. So it does with CORS headers, which
// the app may have set.
//
// It is not pooled. A handler that writes after it has returned is wrong, but must not be able to
// write into another request's response.
type response struct {
	caddyhttp.ResponseWriterWrapper
	h *Handler
	// ctx is the request's; it ends when the client goes away.
	ctx     context.Context //nolint:containedctx // It is the request's, and lives as long as its response.
	verdict *sessions.Verdict
	// upgrade says that the response may become a connection of another protocol, also by status 200
	// as over HTTP/2.
	upgrade bool
	// from is the origin of `cors` whose page waits for the response, if one does.
	from  string
	begun bool
}

// WriteHeader adds the cookies to a final response. 101 is one; other 1xx are not.
func (w *response) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.begin(status)
	} else {
		w.h.cookies.stripSet(w.Header()) // early hints are a response too
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

// Hijack hands the connection over, and with it the response.
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.begun = true
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

// begin decides on cookies, and on who may read the response, once.
func (w *response) begin(status int) {
	if w.begun {
		return
	}
	w.begun = true
	header := w.Header()
	w.h.cookies.stripSet(header)
	w.h.share(header, w.from)
	if w.verdict.Status != sessions.SignedIn || w.upgrade || !mayCarry(status, header) {
		return
	}
	cookies, rotation := w.h.manager.Cookies(w.ctx, w.verdict)
	w.h.metrics.countRotation(rotation)
	if cookies.Empty() {
		return
	}
	// Without a word on it, or with one on something else, a shared cache may go by Last-Modified.
	if shareable(header["Cache-Control"], true) {
		header.Add("Cache-Control", "private")
	}
	w.h.setSession(header, cookies)
}

// mayCarry says whether a response may have cookies: none that switches protocols, is a stream that
// may have no end in sight, updates what a cache has, or may be kept by a cache that others share.
func mayCarry(status int, header http.Header) bool {
	switch status {
	case http.StatusSwitchingProtocols, http.StatusNotModified:
		return false
	}
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	if strings.EqualFold(strings.TrimSpace(kind), "text/event-stream") {
		return false
	}
	for _, name := range [...]string{"Surrogate-Control", "Cdn-Cache-Control"} {
		if lines := header[name]; len(lines) > 0 && shareable(lines, true) {
			return false
		}
	}
	return !shareable(header["Cache-Control"], len(header["Expires"]) > 0)
}

// shareable says whether a shared cache may keep a response by its own word. fresh says that something
// else than Cache-Control gives it a life.
func shareable(lines []string, fresh bool) bool {
	private := false
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(part, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "public", "s-maxage":
				return true
			case "max-age":
				fresh = true
			case "private", "no-cache":
				// With field names they are about those fields alone (RFC 9111, 5.2.2).
				private = private || strings.TrimSpace(value) == ""
			case "no-store":
				private = true
			}
		}
	}
	return fresh && !private
}

var (
	_ http.ResponseWriter = (*response)(nil)
	_ io.ReaderFrom       = (*response)(nil)
	_ http.Hijacker       = (*response)(nil)
)
