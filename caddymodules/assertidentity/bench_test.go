package assertidentity

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/stretchr/testify/require"
)

// BenchmarkServeHTTP compares the handler with what follows it alone. The request's id is Caddy's own
// work, done by whoever asks for it first: most of the cases have asked already, as the access log or
// a header directive does.
func BenchmarkServeHTTP(b *testing.B) {
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	f := open(b, "")
	plain := open(b, "headers X-Auth-User X-Auth-Email X-Auth-Groups X-Auth-Name")
	i := 0
	for _, bc := range []struct {
		name         string
		handler      caddyhttp.MiddlewareHandler
		placeholders map[string]any
		fresh        bool // a new user each time
	}{
		{"next", nil, ann(), false},
		{"anonymous", f, nil, false},
		{"cached", f, ann(), false},
		{"cached_basic_auth", f, map[string]any{"http.auth.user.id": "ann"}, false},
		{"cached_plain_headers", plain, ann(), false},
		{"signed", f, ann(), true},
		{"cached_published", f, ann(), false},
	} {
		b.Run(bc.name, func(b *testing.B) {
			r, w := request(bc.placeholders), httptest.NewRecorder()
			for name, value := range map[string]string{
				"Accept": "*/*", "Accept-Encoding": "gzip", "Accept-Language": "en", "Cookie": "a=b", "Connection": "keep-alive",
				"Referer": "https://app.example/", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "User-Agent": "x",
			} {
				r.Header.Set(name, value)
			}
			if bc.name == "cached_published" {
				r = publishedRequest(bc.placeholders, nil)
			}
			_, ok := replacer(r).GetString("http.request.uuid")
			require.True(b, ok)
			b.ReportAllocs()
			for b.Loop() {
				if bc.fresh {
					replacer(r).Set("http.auth.user.id", strconv.Itoa(i))
					i++
				}
				var err error
				if bc.handler == nil {
					err = next.ServeHTTP(w, r)
				} else {
					err = bc.handler.ServeHTTP(w, r, next)
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkServeHTTP_parallel has all processors on one user, and on many.
func BenchmarkServeHTTP_parallel(b *testing.B) {
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	f := open(b, "")
	for name, users := range map[string]int{"one_user": 1, "1000_users": 1000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				r, w := request(ann()), httptest.NewRecorder()
				replacer(r).GetString("http.request.uuid")
				ids := make([]string, users)
				for i := range ids {
					ids[i] = "corp:" + strconv.Itoa(i)
				}
				for i := 0; pb.Next(); i++ {
					replacer(r).Set("http.auth.user.id", ids[i%users])
					if err := f.ServeHTTP(w, r, next); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
