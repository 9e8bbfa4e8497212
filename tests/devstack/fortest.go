package devstack

import (
	"context"
	"testing"
	"time"
)

// startTimeout is how long a test waits for a server: generous, since a busy machine is no failure.
const startTimeout = 30 * time.Second

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
