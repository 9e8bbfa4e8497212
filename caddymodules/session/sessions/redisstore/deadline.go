package redisstore

import (
	"context"
	"sync/atomic"
	"time"
)

// deadlines hands out contexts that end about one timeout from now. One is shared by all calls of a
// moment: a timer for each would cost more than a look-up in the copies.
type deadlines struct {
	timeout time.Duration
	shared  atomic.Pointer[deadline]
}

type deadline struct {
	ctx  context.Context //nolint:containedctx // It is the point: it is of no request.
	made time.Time
}

// current is between fourteen fifteenths of the timeout and all of it away.
func (d *deadlines) current() context.Context {
	now := time.Now()
	if s := d.shared.Load(); s != nil && now.Sub(s.made) < d.timeout/15 {
		return s.ctx
	}
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	// Its timer gives everything back when it fires; cancelling earlier would end others' calls.
	context.AfterFunc(ctx, cancel)
	d.shared.Store(&deadline{ctx, now})
	return ctx
}
