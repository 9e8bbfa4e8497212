package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// contentPolicy lets a page load what is ours and nothing else: no inline script or style, no frame.
func contentPolicy(signOut []string) (string, error) {
	forms := []string{"'self'"}
	for _, origin := range signOut {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || origin != u.Scheme+"://"+u.Host ||
			strings.ContainsAny(origin, " ;,'\"*") {
			return "", fmt.Errorf("signing out may lead to an origin such as https://login.example.com, not to %q", origin)
		}
		forms = append(forms, origin)
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
		"form-action " + strings.Join(forms, " ") + "; frame-ancestors 'none'; base-uri 'none'", nil
}

// secure sets what every answer has.
func (p *Pages) secure(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", p.policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
	h.Set("Cache-Control", "private, no-store")
}

// protect refuses whatever another site makes a browser send that could change something.
func (p *Pages) protect(next http.Handler) http.Handler {
	crossing := http.NewCrossOriginProtection()
	crossing.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.odd(w, r, oddity{status: http.StatusForbidden, code: "cross_origin"})
	}))
	inner := crossing.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.secure(w)
		if path := r.URL.Path; !utf8.ValidString(path) || strings.IndexByte(path, 0) >= 0 {
			p.fail(w, r, softdelete.ErrNotFound) // the id of no row: PostgreSQL stores no such text
			return
		}
		inner.ServeHTTP(w, r)
	})
}
