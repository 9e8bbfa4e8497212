package devidp

import (
	"net/http"
	"strings"
	"time"
)

// endpointFaults break an endpoint whatever it would answer. A fault that returns true lets the
// endpoint answer after all.
var endpointFaults = map[string]struct {
	about string
	apply func(p *Provider, w http.ResponseWriter, r *http.Request, arg string) bool
}{
	"slow":     {"answers late (arg: by how much; default 1s)", slow},
	"hang":     {"never answers", hang},
	"http_500": {"answers 500", answer500},
	"not_json": {"answers a page instead of JSON", answerPage},
	"huge":     {"answers 2 MiB", answerHuge},
	"redirect": {"redirects to another host", answerRedirect},
}

// sabotage applies the faults of an endpoint before it may answer.
func (p *Provider) sabotage(endpoint string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range p.hit(endpoint, keyOf(endpointFaults)) {
			if !endpointFaults[f.Name].apply(p, w, r, f.Arg) {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func slow(p *Provider, _ http.ResponseWriter, r *http.Request, arg string) bool {
	t := time.NewTimer(duration(arg, time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
	case <-p.closed:
	}
	return false
}

func hang(p *Provider, _ http.ResponseWriter, r *http.Request, _ string) bool {
	select {
	case <-r.Context().Done():
	case <-p.closed:
	}
	return false
}

func answer500(_ *Provider, w http.ResponseWriter, _ *http.Request, _ string) bool {
	writeError(w, http.StatusInternalServerError, "server_error", "a fault")
	return false
}

func answerPage(_ *Provider, w http.ResponseWriter, _ *http.Request, _ string) bool {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<!doctype html><title>Welcome to the hotel's network</title>"))
	return false
}

func answerHuge(_ *Provider, w http.ResponseWriter, _ *http.Request, _ string) bool {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write([]byte(`{"padding":"` + strings.Repeat("x", 2<<20) + `"}`))
	return false
}

func answerRedirect(_ *Provider, w http.ResponseWriter, r *http.Request, _ string) bool {
	http.Redirect(w, r, "https://other.example"+r.URL.Path, http.StatusTemporaryRedirect) //nolint:gosec // this is the fault
	return false
}

func duration(arg string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(arg); err == nil {
		return d
	}
	return otherwise
}
