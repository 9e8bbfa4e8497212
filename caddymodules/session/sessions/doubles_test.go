package sessions_test

import (
	"context"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

func newContext(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// waitingStore is a store whose validations wait.
type waitingStore struct {
	sessions.Store
	entered, release chan struct{}
}

func (h *waitingStore) Validate(ctx context.Context, v sessions.Validation) (sessions.Reply, error) {
	h.entered <- struct{}{}
	<-h.release
	return h.Store.Validate(ctx, v)
}

// counting counts the touches.
type counting struct {
	sessions.Store
	touched int
}

func (c *counting) Touch(ctx context.Context, t []sessions.Touch) ([]sessions.Touched, error) {
	c.touched += len(t)
	return c.Store.Touch(ctx, t)
}
