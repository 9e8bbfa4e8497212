package localstore

import (
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// AddUnsynced makes a debt to the shared store of what a Take has charged for these claims: it turned out
// that the shared store was not charged as well.
func (s *Store) AddUnsynced(claims []limiter.Claim) {
	now := s.Micros()
	locked := s.lock(claims)
	defer s.unlock(locked)
	for i := range claims {
		c := &claims[i]
		if x := s.pending(c, now); x.entry != nil && !x.entry.overflow && c.Refundable(now) {
			s.degraded(x.entry, now)
			x.entry.addUnsynced(c.Policy, c.Decision.At, c.Cost, now)
			x.shard.account(x.entry)
		}
	}
}

// Restore takes merges back that could not be delivered.
func (s *Store) Restore(merges []limiter.Merge, clock Clock) {
	now := s.Micros()
	for i := range merges {
		m := &merges[i]
		claim := [1]limiter.Claim{{Key: m.Key, Policy: m.Policy}}
		locked := s.lock(claim[:])
		if x := s.pending(&claim[0], now); x.entry != nil && !x.entry.overflow {
			s.degraded(x.entry, now)
			x.entry.restore(m, now, clock)
			x.shard.account(x.entry)
		}
		s.unlock(locked)
	}
}

// degraded marks the entry as one with admissions that the shared store does not know.
func (s *Store) degraded(c *entry, now int64) {
	if !c.degraded {
		c.degraded = true
		s.unsynced.Add(1)
		c.known(now)
	}
}

func (c *entry) addUnsynced(p *limiter.Policy, at, cost, now int64) {
	switch p.Algorithm {
	case limiter.Log:
		c.window.degraded = insertTimes(c.window.degraded, at, cost)
	case limiter.Slices:
		c.window.oweSlices(p, at, cost, now)
	default:
		token, repay := p.Scale()
		c.base -= (cost*token + repay - 1) / repay
	}
}

func (w *window) oweSlices(p *limiter.Policy, at, n, now int64) {
	if w.aloneSlices == nil {
		w.aloneSlices = new(limiter.Slices60)
	}
	w.aloneSlices.Advance(p, now)
	w.aloneSlices.Add(at, n)
}

func (c *entry) restore(m *limiter.Merge, now int64, clock Clock) {
	if c.outage == clock.Lost {
		c.outage = 0 // all of it is to be told again
	}
	for _, t := range m.Times {
		c.window.degraded = insertTimes(c.window.degraded, t-clock.Offset, 1)
	}
	for _, n := range m.Slices {
		c.window.oweSlices(m.Policy, n.At-clock.Offset, n.Count, now)
	}
	if m.Debt > 0 && c.window == nil && c.bucket.Token > 0 {
		token, _ := m.Policy.Scale()
		units := (m.Debt + token - 1) / token * c.bucket.Token
		c.base -= (units + c.bucket.Repay - 1) / c.bucket.Repay
	}
}

// insertTimes keeps the times ascending: what comes late goes before those that came after it.
func insertTimes(times []int64, at, n int64) []int64 {
	i := limiter.ExpiredLog(times, at)
	for range n {
		times = append(times, 0)
		copy(times[i+1:], times[i:])
		times[i] = at
	}
	return times
}
