package upstream

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// MaxDelay bounds /slow, so that a mistyped duration does not hold a stop for long.
const MaxDelay = 30 * time.Second

// Answer is what the upstream has seen of a request.
type Answer struct {
	// Instance is the upstream's name, to tell several apart.
	Instance string `json:"instance"`
	// Served is the number of this request, counted from 1.
	Served int64  `json:"served"`
	Method string `json:"method"`
	Path   string `json:"path"`
	Query  string `json:"query,omitempty"`
	Host   string `json:"host"`
	// Remote is the near end as this server sees it: the edge.
	Remote string `json:"remote"`
	// Headers are those that an edge sets, strips or replaces; see echoed. Repeated ones keep their order.
	Headers http.Header `json:"headers"`
}

type health struct {
	Status   string `json:"status"`
	Instance string `json:"instance"`
}

// Upstream is the handler. It counts what reached it.
type Upstream struct {
	name   string
	served atomic.Int64
	mux    *http.ServeMux
}

// New returns an upstream that calls itself name.
func New(name string) *Upstream {
	u := &Upstream{name: name, mux: http.NewServeMux()}
	for _, path := range []string{"/health", "/api/health"} {
		u.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, health{Status: "ok", Instance: name})
		})
	}
	u.mux.HandleFunc("/_served", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, u.Served()) })
	u.mux.HandleFunc("/plain", u.plain)
	u.mux.HandleFunc("/slow", u.slow)
	u.mux.HandleFunc("/status/{code}", u.status)
	u.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { u.answer(w, r, http.StatusOK) })
	return u
}

// Served is how many requests reached the upstream, health checks not counted.
func (u *Upstream) Served() int64 { return u.served.Load() }

func (u *Upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) { u.mux.ServeHTTP(w, r) }

// plain answers always the same: what an edge adds to a request makes the answer no longer.
func (u *Upstream) plain(w http.ResponseWriter, _ *http.Request) {
	u.served.Add(1)
	w.Header().Set("Content-Type", "text/plain")
	_, _ = w.Write(plainBody) // a client that went away
}

var plainBody = []byte(strings.Repeat("All is well. ", 32))

func (u *Upstream) slow(w http.ResponseWriter, r *http.Request) {
	delay, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil || delay < 0 || delay > MaxDelay {
		http.Error(w, fmt.Sprintf("for must be a duration of at most %s, such as /slow?for=2s", MaxDelay), http.StatusBadRequest)
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		u.answer(w, r, http.StatusOK)
	case <-r.Context().Done(): // nobody is there to answer
	}
}

func (u *Upstream) status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.PathValue("code"))
	if err != nil || code < 200 || code > 599 {
		http.Error(w, "the status must be a number from 200 to 599", http.StatusBadRequest)
		return
	}
	u.answer(w, r, code)
}

func (u *Upstream) answer(w http.ResponseWriter, r *http.Request, status int) {
	headers := http.Header{}
	for name, values := range r.Header {
		if echoed(name) {
			headers[name] = values
		}
	}
	writeJSON(w, status, Answer{
		Instance: u.name, Served: u.served.Add(1),
		Method: r.Method, Path: r.URL.Path, Query: r.URL.RawQuery, Host: r.Host, Remote: r.RemoteAddr,
		Headers: headers,
	})
}

// echoed tells whether a header is an edge's business: who the client is, who the user is, which request it is.
// Cookies and credentials are not shown; what an edge must keep from the upstream, its tests look for by name.
func echoed(name string) bool {
	switch name {
	case "Forwarded", "Via", "User-Agent", "X-Real-Ip", "X-Request-Id":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Auth")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if status == http.StatusNoContent || status == http.StatusNotModified {
		return
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ") // read by people too
	_ = enc.Encode(v)       //nolint:errchkjson // texts and numbers encode; a client that went away is told nothing
}
