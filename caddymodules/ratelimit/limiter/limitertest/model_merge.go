package limitertest

import (
	"context"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Merge puts into the model what a node has admitted alone.
func (m *Model) Merge(_ context.Context, merges []limiter.Merge) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now().UnixMicro()
	for i := range merges {
		mg := &merges[i]
		key := stateID{key: mg.Key, policy: mg.Policy.ID()}
		s := m.states[key]
		switch mg.Policy.Algorithm {
		case limiter.GCRA:
			s.bucket = s.bucket.Merge(mg.Policy, now, mg)
		case limiter.Log:
			s.times = limiter.MergeLog(s.times, mg.Policy, now, mg)
		case limiter.Slices:
			s.slices.Merge(mg.Policy, now, mg)
		}
		m.states[key] = s
	}
	return nil
}

// TakeMerging is Merge, then Take.
func (m *Model) TakeMerging(ctx context.Context, merges []limiter.Merge, claims []limiter.Claim) error {
	if err := m.Merge(ctx, merges); err != nil {
		return err
	}
	return m.Take(ctx, claims)
}

// ServerOffset is zero: the model and its users share a clock.
func (m *Model) ServerOffset() time.Duration { return 0 }

// Clear forgets everything, as a store does that comes back empty.
func (m *Model) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.states)
}
