package session

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// A steady request of somebody who is signed in: all that the handler adds, its cookies and placeholders
// included, and no store asked.
func BenchmarkServeHTTP_signedIn(b *testing.B) {
	f := open(b, "public @static @health\nrule @admin {\nrequire groups admins\n}")
	p := f.browser()
	p.signIn("adam")
	p.call(http.MethodGet, "/")
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	cookie := ""
	for name, value := range p.cookies {
		cookie += name + "=" + value + "; "
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		r := request(http.MethodGet, "/api/orders", append([]string{"Cookie", cookie + "theme=dark"}, script...)...)
		w := httptest.NewRecorder()
		b.StartTimer()
		if err := f.ServeHTTP(w, r, next); err != nil || w.Code != http.StatusOK {
			b.Fatal(err, w.Code)
		}
	}
}
