package localstore

import (
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Observe mirrors what the shared store decided, for one of so many nodes: should it fail, this node
// goes on from there. GCRA keeps the time to full, which is the same for a share as for the whole;
// windows keep this node's own admissions and its part of the others'.
//
// During a hand-over the shared store does not know yet what all nodes admitted alone: then
// handover keeps whatever this node knows better.
func (s *Store) Observe(claims []limiter.Claim, nodes int, handover bool) {
	charged := limiter.Allowed(claims)
	now := s.Micros()
	locked := s.lock(claims)
	defer s.unlock(locked)
	for i := range claims {
		c := &claims[i]
		if !c.Decision.Decided {
			continue
		}
		x := s.pending(c, now)
		if x.entry == nil {
			if c.Decision.ResetAfter == 0 {
				continue
			}
			x.entry = x.shard.place(x.id, c.Policy, now)
		}
		x.entry.policy = c.Policy.Parent()
		// A cell that keys share holds the most of any of them.
		keep := handover || x.entry.overflow
		if x.entry.window == nil {
			x.entry.observeBucket(c, now, keep)
			continue
		}
		x.entry.observeWindow(c, now, int64(nodes), charged && !handover, keep)
		x.shard.account(x.entry)
	}
}

func (c *entry) observeBucket(claim *limiter.Claim, now int64, keep bool) {
	if c.degraded {
		// Admitted alone since the question was asked: that is still owed.
		return
	}
	full := now + claim.Decision.ResetAfter.Microseconds()
	if keep && (!c.mirrored && fullAt(c.bucket, now) > full || c.mirrored && c.base > full) {
		return
	}
	c.mirrored, c.base = true, full
}

// observeWindow counts the claim as this node's own when it was charged by the shared store alone.
func (c *entry) observeWindow(claim *limiter.Claim, now, nodes int64, charged, keep bool) {
	w, p := c.window, claim.Policy
	var own int64
	if p.Algorithm == limiter.Log {
		now = notBefore(now, w.times)
		w.times = append(w.times[:0], w.times[limiter.ExpiredLog(w.times, now-p.Window().Microseconds()):]...)
		if charged {
			w.times = appendTimes(w.times, now, claim.Cost)
		}
		own = int64(len(w.times))
	} else {
		w.slices.Advance(p, now)
		if charged {
			w.slices.Add(max(now, w.slices.Newest*w.slices.Width), claim.Cost)
		}
		own = w.slices.Total()
	}
	used := claim.Decision.Quota - claim.Decision.Remaining
	foreign := limiter.RemoteUsage{Count: max(0, (used+nodes-1)/nodes-own), At: now}
	if keep {
		foreign.Count = max(foreign.Count, w.foreign.Left(now, p))
	}
	w.foreign = foreign
}

// Unsynced is the number of keys on which this node has admitted something alone that the shared
// store has not been told of.
func (s *Store) Unsynced() int64 { return s.unsynced.Load() }

// Clock maps this store's moments to the shared store's.
type Clock struct {
	// Offset is the shared store's clock minus this one's, in microseconds.
	Offset int64
	// Lost is, in the outage of this number (from 1), that the shared store came back without its
	// data: then it is told all that this node knows, once. Zero: it has kept them.
	Lost uint32
}

// BeginHandOver says that an outage is over, and returns its number, from 1: keys that are new from now
// on are known to the shared store. The numbers are this store's, which survives those that use it.
func (s *Store) BeginHandOver() (outage uint32) { return s.outage.Add(1) }

// Drain takes out what the shared store has to be told of the claims' keys, appended to merges.
func (s *Store) Drain(merges []limiter.Merge, claims []limiter.Claim, clock Clock) []limiter.Merge {
	now := s.Micros()
	locked := s.lock(claims)
	defer s.unlock(locked)
	for i := range claims {
		if x := s.pending(&claims[i], now); x.entry != nil {
			merges = s.drain(merges, x.entry, now, clock)
		}
	}
	return merges
}

// DrainSome takes out up to about most keys' worth, going round the store. done says that it has
// come round once without finding more.
func (s *Store) DrainSome(merges []limiter.Merge, most int, clock Clock) (_ []limiter.Merge, done bool) {
	now := s.Micros()
	for range s.shards {
		i := (s.drainHand.Add(1) - 1) % shardCount
		sh := &s.shards[i]
		sh.mu.Lock()
		for _, c := range sh.index {
			merges = s.drain(merges, c, now, clock)
			if len(merges) >= most {
				sh.mu.Unlock()
				s.drainHand.Store(i)
				return merges, false
			}
		}
		sh.mu.Unlock()
	}
	return merges, true
}

// drain appends what the cell owes. Its shard must be locked. What is this node's own is nobody else's.
func (s *Store) drain(merges []limiter.Merge, c *entry, now int64, clock Clock) []limiter.Merge {
	lost := clock.Lost != 0 && c.outage != clock.Lost
	if !c.degraded && !lost || c.overflow || c.policy.Local {
		return merges
	}
	m := limiter.Merge{Key: c.id.key, Policy: c.policy}
	if c.window == nil {
		c.drainBucket(&m, now, lost)
	} else {
		c.drainWindow(&m, now, clock.Offset, lost)
	}
	if c.degraded {
		c.degraded = false
		s.unsynced.Add(-1)
	}
	c.outage = clock.Lost
	if m.Floor == 0 && m.Debt == 0 && len(m.Times) == 0 && len(m.Slices) == 0 {
		return merges
	}
	return append(merges, m)
}

func (c *entry) drainBucket(m *limiter.Merge, now int64, lost bool) {
	if lost {
		m.Floor = limiter.BucketFullIn(m.Policy, now, c.base-now).Debt
	}
	if !c.degraded || c.mirrored {
		return
	}
	full := fullAt(c.bucket, now)
	if extra := full - max(now, c.base); extra > 0 {
		m.Debt = c.bucket.Owed(m.Policy, extra)
	}
	c.base = max(c.base, full)
}

func (c *entry) drainWindow(m *limiter.Merge, now, offset int64, lost bool) {
	w, p := c.window, c.policy
	since := now - p.Window().Microseconds()
	if p.Algorithm == limiter.Log {
		times := w.degraded
		if lost {
			times = w.times
		}
		for _, t := range times[limiter.ExpiredLog(times, since):] {
			m.Times = append(m.Times, t+offset)
		}
		w.degraded = nil
		return
	}
	counts := w.aloneSlices
	if lost {
		counts = w.slices
	}
	if counts != nil {
		counts.Advance(p, now)
		m.Slices = counts.AppendCounts(m.Slices, now, offset)
	}
	w.aloneSlices = nil
}
