package ratelimit

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// BenchmarkServeHTTP compares the handler with what it wraps, alone and in one run.
func BenchmarkServeHTTP(b *testing.B) {
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
	run := func(b *testing.B, serve func(http.ResponseWriter, *http.Request) error) {
		b.Helper()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			r, w := client("192.0.2.1"), &discard{header: make(http.Header)}
			for pb.Next() {
				clear(w.header)
				if err := serve(w, r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	b.Run("next alone", func(b *testing.B) { run(b, next.ServeHTTP) })
	for _, bb := range []struct{ name, zone string }{
		{"constant key", "limit 1000000000/1s"},
		{"client", "key {http.vars.client_ip}\n limit 1000000000/1s"},
		{"client, slices", "key {http.vars.client_ip}\n events 1000000000\n window 1s"},
		{"two parts", "key {http.vars.client_ip} {http.request.method}\n limit 1000000000/1s"},
	} {
		for _, headers := range []string{"off", "draft"} {
			b.Run(bb.name+", headers "+headers, func(b *testing.B) {
				f := open(b, "rate_limit {\n zone z {\n"+bb.zone+"\n}\n headers "+headers+"\n}")
				f.logTo(zap.NewNop())
				run(b, func(w http.ResponseWriter, r *http.Request) error { return f.Handler.ServeHTTP(w, r, next) })
			})
		}
	}
	b.Run("refused", func(b *testing.B) {
		f := open(b, "rate_limit {\n zone z {\n key {http.vars.client_ip}\n events 0\n window 1s\n}\n}")
		f.logTo(zap.NewNop())
		run(b, func(w http.ResponseWriter, r *http.Request) error {
			_ = f.Handler.ServeHTTP(w, r, next)
			return nil
		})
	})
}
