package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
)

// stopGrace is what requests in flight get when the server stops.
const stopGrace = 5 * time.Second

// Serve answers on l until ctx ends, then lets the requests in flight finish. It closes l.
func (u *Upstream) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: u, ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
		defer cancel()
		err := server.Shutdown(grace)
		if err != nil {
			_ = server.Close() // the grace is over
		}
		stopped <- err
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve upstream: %w", err)
	}
	if err := <-stopped; err != nil {
		return fmt.Errorf("stop upstream: %w", err)
	}
	return nil
}

// Start runs an upstream on a free port of 127.0.0.1 until the test ends, and returns it with its address.
func Start(tb testing.TB, name string) (*Upstream, string) {
	tb.Helper()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	u := New(name)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- u.Serve(ctx, l) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return u, l.Addr().String()
}
