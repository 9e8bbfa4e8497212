package stack

import (
	"context"
	"strings"
	"testing"
	"time"
)

// startTimeout is how long a test waits for a server: generous, since a busy machine is no failure.
const startTimeout = 60 * time.Second

// RedisForTest starts a server that ends with the test. When the test failed, the server's log is printed. A
// machine without Redis fails the test with the line to type; nothing is skipped.
func RedisForTest(tb testing.TB, opts RedisOptions) *Redis {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	r, err := StartRedis(ctx, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s at %s:\n%s", r.opts.Name, r.Addr(), r.Log())
		}
		if r.opts.Dir == "" {
			_ = r.Kill() // nothing to save, so no reason to wait
		}
		if err := r.Stop(); err != nil {
			tb.Errorf("stop %s: %v", r.opts.Name, err)
		}
	})
	return r
}

// GatewayForTest starts an edge node that ends with the test; the binary is built when opts names none. When the
// test failed, the node's log is printed; a data race that a race build found fails it.
func GatewayForTest(tb testing.TB, opts GatewayOptions) *Gateway {
	tb.Helper()
	if opts.Binary == "" {
		opts.Binary = BuildGatehouse(tb, false)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	g, err := StartGateway(ctx, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s:\n%s", g.opts.Name, g.Log())
		}
		if strings.Contains(g.Log(), "WARNING: DATA RACE") {
			tb.Errorf("%s has a data race:\n%s", g.opts.Name, g.Log())
		}
		if err := g.Stop(); err != nil {
			tb.Errorf("stop %s: %v", g.opts.Name, err)
		}
	})
	return g
}

// BackendForTest starts a backend that ends with the test; the binary is built when opts names none. When the test
// failed, its log is printed; a data race that a race build found fails it.
func BackendForTest(tb testing.TB, opts BackendOptions) *Backend {
	tb.Helper()
	if opts.Binary == "" {
		opts.Binary = BuildBackend(tb, false)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	b, err := StartBackend(ctx, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s:\n%s", b.opts.Name, b.Log())
		}
		if strings.Contains(b.Log(), "WARNING: DATA RACE") {
			tb.Errorf("%s has a data race:\n%s", b.opts.Name, b.Log())
		}
		if err := b.Stop(); err != nil {
			tb.Errorf("stop %s: %v", b.opts.Name, err)
		}
	})
	return b
}
