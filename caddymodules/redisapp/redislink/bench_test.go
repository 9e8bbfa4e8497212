package redislink

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// BenchmarkEval compares a call over a link with the same call over a client as rueidis makes it by default. The
// link may not cost much more than one more time-stamp and one more lock:
//
//	go test -run - -bench Eval -cpu 2 -benchmem ./caddymodules/redisapp/redislink
func BenchmarkEval(b *testing.B) {
	r := stack.RedisForTest(b, stack.RedisOptions{UnixSocket: true})
	keys, args := []string{"gh:{bench}:k"}, []string{"1", "2"}
	script := NewScript(`return {1, 2, 3}`)
	lua := rueidis.NewLuaScript(script.source)

	over := func(name string, eval func(context.Context) error) {
		b.Run(name, func(b *testing.B) {
			require.NoError(b, eval(b.Context()))
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					ctx, cancel := context.WithTimeout(b.Context(), time.Second)
					if err := eval(ctx); err != nil {
						b.Error(err)
					}
					cancel()
				}
			})
		})
	}
	for _, transport := range []struct{ name, addr string }{{"tcp", r.Addr()}, {"unix", r.SocketPath()}} {
		opts := optionsFor(r)
		opts.Addresses = []string{transport.addr}
		l := Open(opts, "bench", Settings{OpTimeout: time.Second, OnCall: func(Result, time.Duration) {}})
		defer l.Close()
		require.Eventually(b, func() bool { return l.State() == StateClosed }, patience, time.Millisecond)
		over(transport.name+"/link", func(ctx context.Context) error {
			_, err := l.Eval(ctx, Call{Script: script, Keys: keys, Args: args})
			return err
		})

		opt := rueidis.ClientOption{InitAddress: []string{transport.addr}, DisableCache: true, ForceSingleClient: true}
		if transport.name == "unix" {
			opt.DialCtxFn = func(ctx context.Context, dst string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
				return d.DialContext(ctx, "unix", dst)
			}
		}
		client, err := rueidis.NewClient(opt)
		require.NoError(b, err)
		defer client.Close()
		over(transport.name+"/rueidis", func(ctx context.Context) error {
			return lua.Exec(ctx, client, keys, args).Error()
		})
	}
}

// BenchmarkEval_held is what a call costs while Redis is away: next to nothing.
func BenchmarkEval_held(b *testing.B) {
	l := Open(Options{Addresses: []string{"127.0.0.1:1"}, NodeID: "n"}, "bench", Settings{})
	defer l.Close()
	call := Call{Script: echo, Keys: []string{"k"}, Args: []string{"v"}}
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Eval(ctx, call); err == nil {
			b.Fatal("answered")
		}
	}
}
