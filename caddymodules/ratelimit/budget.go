package ratelimit

import (
	"context"
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
)

const (
	// grace is what all rate_limit handlers of a request together may wait for Redis beyond the
	// op_timeout of one.
	grace = 10 * time.Millisecond
	// noteworthy is a wait that is remembered for the later handlers. Shorter ones are within
	// the grace.
	noteworthy = time.Millisecond

	waitedKey = "rate_limit.waited"
)

// waited is what the earlier rate_limit handlers of a request have waited for Redis.
type waited struct {
	spent time.Duration
	// failed: one of them was decided without Redis. Later ones do not try it again.
	failed bool
}

// take decides the call. Zones in mode local, and all zones without Redis, are decided in this
// process; the others wait for Redis no longer than the request's budget allows.
func (h *Handler) take(c *call) error {
	ctx := c.r.Context()
	if h.redis == nil || c.local() {
		return h.counts.local.Take(ctx, c.claims)
	}
	start := time.Now()
	before, _ := caddyhttp.GetVar(ctx, waitedKey).(waited)
	left := time.Duration(h.OpTimeout) + grace - before.spent
	if before.failed || left <= 0 || h.redis.Mode() == degraded.Degraded {
		err := h.redis.TakeDegraded(ctx, c.claims)
		h.metrics.observe(time.Since(start))
		return err
	}
	redisCtx, cancel := context.WithTimeout(ctx, min(time.Duration(h.OpTimeout), left))
	err := h.redis.Take(redisCtx, c.claims)
	cancel()
	if err != nil && !errors.Is(err, limiter.ErrClosed) && ctx.Err() == nil {
		// The time had run out before the store began: this machine is that busy.
		err = h.redis.TakeDegraded(ctx, c.claims)
	}

	took := time.Since(start)
	h.metrics.observe(took)
	if failed := err != nil || c.degraded(); failed || took >= noteworthy {
		caddyhttp.SetVar(ctx, waitedKey, waited{spent: before.spent + took, failed: failed})
	}
	return err
}

// local says whether no claim asks for Redis.
func (c *call) local() bool {
	for i := range c.claims {
		if !c.claims[i].Policy.Local {
			return false
		}
	}
	return true
}

// degraded says whether some claim was decided for want of Redis.
func (c *call) degraded() bool {
	for i := range c.claims {
		if c.claims[i].Decision.Degraded {
			return true
		}
	}
	return false
}
