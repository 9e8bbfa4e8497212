package session

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
)

const (
	// preflightAge is for how many seconds a browser may go by the answer to a preflight: as long as
	// Chromium does at most. An origin that is taken out of the configuration gains nothing by it, since
	// each response says anew who may read it.
	preflightAge = "7200"

	// maxAsked bounds what is repeated of a preflight, in bytes. Scripts send a handful of headers.
	maxAsked = 2048

	// exposed are the headers that scripts may read besides those that all may: what answers of ours
	// say in them, and the id to ask about.
	exposed = "Retry-After, WWW-Authenticate, X-Request-Id"

	allowOrigin    = "Access-Control-Allow-Origin"
	requestMethod  = "Access-Control-Request-Method"
	requestHeaders = "Access-Control-Request-Headers"
)

var tokenForm = regexp.MustCompile("^[0-9A-Za-z!#$%&'*+.^_`|~-]+$") // RFC 9110, 5.6.2

// sharedWith is the origin of `cors` whose page has made the request; empty if none has. Browsers write
// an origin in one way and send it once: whatever else there is does not come from them.
func (h *Handler) sharedWith(r *http.Request) string {
	from := r.Header["Origin"]
	if len(from) != 1 || !h.cors[from[0]] {
		return ""
	}
	return from[0]
}

// preflight reports whether a browser asks what a page of an origin of `cors` may send.
func (c *requestContext) preflight() bool {
	return c.from != "" && c.r.Method == http.MethodOptions && c.r.Header.Get(requestMethod) != ""
}

// allow answers a preflight. It allows all that is asked for: what may be done is decided by the
// request that follows, which has cookies.
func (c *requestContext) allow(w http.ResponseWriter) error {
	h := w.Header()
	c.ours(h)
	vary(h, requestMethod)
	vary(h, requestHeaders)
	h.Set("Access-Control-Max-Age", preflightAge)
	if methods := tokens(c.r.Header[requestMethod]); methods != "" {
		h.Set("Access-Control-Allow-Methods", methods)
	}
	if names := tokens(c.r.Header[requestHeaders]); names != "" {
		h.Set("Access-Control-Allow-Headers", names)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// share lets the page that has made a request read the response, if it is of an origin of `cors`, and
// whoever has written the response has not said themselves who may.
func (h *Handler) share(header http.Header, from string) {
	if h.cors == nil {
		return
	}
	vary(header, "Origin")
	if from == "" || len(header[allowOrigin]) > 0 {
		return
	}
	header.Set(allowOrigin, from)
	header.Set("Access-Control-Allow-Credentials", "true")
	header.Add("Access-Control-Expose-Headers", exposed)
}

// vary says that a response depends on a header of the request, once.
func vary(header http.Header, name string) {
	for _, line := range header["Vary"] {
		if slices.ContainsFunc(strings.Split(line, ","), func(part string) bool {
			return strings.EqualFold(strings.TrimSpace(part), name)
		}) {
			return
		}
	}
	header.Add("Vary", name)
}

// tokens is the list of names that the lines of a header hold; empty if it is too long, or something in
// it is no name.
func tokens(lines []string) string {
	line := strings.Join(lines, ",")
	if len(line) > maxAsked {
		return ""
	}
	names := strings.Split(line, ",")
	for i, name := range names {
		if names[i] = strings.Trim(name, " \t"); !tokenForm.MatchString(names[i]) {
			return ""
		}
	}
	return strings.Join(names, ", ")
}
