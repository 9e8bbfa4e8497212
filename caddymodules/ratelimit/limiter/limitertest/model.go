package limitertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Model is the reference limiter.Store: the pure functions over a map, under one mutex. It forgets
// nothing and is bounded by nothing, so it is for tests alone.
type Model struct {
	now    func() time.Time
	mu     sync.Mutex
	states map[stateID]state
}

// stateID names what is counted: the same key and the same kind of limit, whatever its numbers.
type stateID struct {
	key    limiter.Key
	policy string
}

// state is that of any algorithm; a claim's policy says which field counts.
type state struct {
	bucket limiter.Bucket
	times  []int64
	slices limiter.Slices60
}

// NewModel returns an empty model that decides by the clock now.
func NewModel(now func() time.Time) *Model {
	return &Model{now: now, states: make(map[stateID]state)}
}

// Take implements limiter.Store.
func (m *Model) Take(ctx context.Context, claims []limiter.Claim) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", limiter.ErrUnavailable, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UnixMicro()
	charged := make([]state, len(claims))
	for i := range claims {
		c := &claims[i]
		charged[i], c.Decision = m.states[id(c)].take(c.Policy, now, c.Cost)
	}
	if !limiter.Allowed(claims) {
		for i := range claims {
			if c := &claims[i]; c.Decision.Allowed {
				_, c.Decision = m.states[id(c)].take(c.Policy, now, 0)
			}
		}
		return nil
	}
	for i := range claims {
		if claims[i].Cost > 0 {
			m.states[id(&claims[i])] = charged[i]
		}
	}
	return nil
}

// Refund implements limiter.Store.
func (m *Model) Refund(_ context.Context, claims []limiter.Claim) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UnixMicro()
	for i := range claims {
		c := &claims[i]
		if s, ok := m.states[id(c)]; ok && c.Refundable(now) {
			m.states[id(c)] = s.refund(c, now)
		}
	}
	return nil
}

func id(c *limiter.Claim) stateID { return stateID{key: c.Key, policy: c.Policy.ID()} }

// take returns the state as it is when the claim is charged; the receiver is left as it was.
func (s state) take(p *limiter.Policy, now, cost int64) (state, limiter.Decision) {
	var d limiter.Decision
	switch p.Algorithm {
	case limiter.GCRA:
		s.bucket, d = s.bucket.Take(p, now, cost)
	case limiter.Log:
		var expired int
		expired, d = limiter.TakeLog(s.times, p, now, cost, limiter.RemoteUsage{})
		s.times = slices.Clone(s.times[expired:])
		at := now
		if n := len(s.times); n > 0 {
			at = max(at, s.times[n-1])
		}
		if d.Allowed {
			s.times = append(s.times, slices.Repeat([]int64{at}, int(cost))...)
		}
	case limiter.Slices:
		s.slices.Advance(p, now)
		d = s.slices.Take(p, now, cost, limiter.RemoteUsage{})
		if d.Allowed {
			s.slices.Add(max(now, s.slices.Newest*s.slices.Width), cost)
		}
	}
	return s, d
}

func (s state) refund(c *limiter.Claim, now int64) state {
	switch c.Policy.Algorithm {
	case limiter.GCRA:
		s.bucket = s.bucket.Refund(now, c.Cost)
	case limiter.Log:
		s.times = limiter.RefundLog(slices.Clone(s.times), c.Decision.At, c.Cost)
	case limiter.Slices:
		s.slices.Refund(c.Decision.At, c.Cost)
	}
	return s
}

var _ limiter.Store = (*Model)(nil)
