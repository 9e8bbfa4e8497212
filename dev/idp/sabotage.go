package idp

import (
	"bytes"
	"net/http"
	"time"
)

// endpointFaults break an endpoint whatever it would answer.
var endpointFaults = map[string]struct {
	about string
	// apply says how the endpoint may answer after all, or nil.
	apply func(p *Provider, w http.ResponseWriter, r *http.Request, arg string) http.ResponseWriter
}{
	"slow":     {"answers late (arg: by how much; default 1s)", slow},
	"hang":     {"never answers", hang},
	"http_500": {"answers 500", answer500},
	"not_json": {"answers a page instead of JSON", answerPage},
	"huge":     {"answers with 2 MiB of white space before its JSON", answerHuge},
	"redirect": {"redirects to another host", answerRedirect},
}

// sabotage applies the faults of an endpoint before it may answer.
func (p *Provider) sabotage(endpoint string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range p.hit(endpoint, keyOf(endpointFaults)) {
			if w = endpointFaults[f.Name].apply(p, w, r, f.Arg); w == nil {
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func slow(p *Provider, w http.ResponseWriter, r *http.Request, arg string) http.ResponseWriter {
	t := time.NewTimer(duration(arg, time.Second))
	defer t.Stop()
	select {
	case <-t.C:
		return w
	case <-r.Context().Done():
	case <-p.closed:
	}
	return nil
}

func hang(p *Provider, _ http.ResponseWriter, r *http.Request, _ string) http.ResponseWriter {
	select {
	case <-r.Context().Done():
	case <-p.closed:
	}
	return nil
}

func answer500(_ *Provider, w http.ResponseWriter, _ *http.Request, _ string) http.ResponseWriter {
	writeError(w, http.StatusInternalServerError, "server_error", "a fault")
	return nil
}

func answerPage(_ *Provider, w http.ResponseWriter, _ *http.Request, _ string) http.ResponseWriter {
	w.Header().Set("Content-Type", "text/html")
	_, _ = w.Write([]byte("<!doctype html><title>Welcome to the hotel's network</title>"))
	return nil
}

func answerHuge(_ *Provider, w http.ResponseWriter, _ *http.Request, _ string) http.ResponseWriter {
	return &padded{ResponseWriter: w}
}

// padded is good JSON to who reads all of it.
type padded struct {
	http.ResponseWriter
	begun bool
}

func (p *padded) Write(b []byte) (int, error) {
	if !p.begun {
		p.begun = true
		if _, err := p.ResponseWriter.Write(bytes.Repeat([]byte(" "), 2<<20)); err != nil {
			return 0, err
		}
	}
	return p.ResponseWriter.Write(b)
}

func answerRedirect(_ *Provider, w http.ResponseWriter, r *http.Request, _ string) http.ResponseWriter {
	http.Redirect(w, r, "https://other.example"+r.URL.Path, http.StatusTemporaryRedirect) //nolint:gosec // this is the fault
	return nil
}

func duration(arg string, otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(arg); err == nil {
		return d
	}
	return otherwise
}
