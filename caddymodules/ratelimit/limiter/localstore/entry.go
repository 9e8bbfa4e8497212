package localstore

import (
	"unsafe"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// entry is the state of one key under one policy. Its shard's mutex guards it.
type entry struct {
	id cellID
	// mirrored: bucket is out of date, base is the state as the shared store last told it.
	mirrored bool
	// alone: it holds admissions that the shared store has not been told of.
	degraded bool
	// overflow: keys without a cell of their own share this one.
	overflow bool
	// outage is the number of the last outage for which a store that lost its data was told all
	// of this cell.
	outage uint32
	// size is what the cell was last accounted for, in bytes.
	size   uint32
	bucket limiter.Bucket
	// base is, for GCRA, the moment at which that part of the debt is repaid of which the shared
	// store knows.
	base int64
	// policy is the whole policy under which the cell was last written.
	policy *limiter.Policy
	// window is the state of the other algorithms; nil for GCRA.
	window *window
}

// window is the state of a windowed limit.
type window struct {
	// times are Log's admissions on this node, ascending; alone those of them that the shared
	// store has not been told of.
	times, degraded []int64
	// slices and aloneSlices are the same for Slices.
	slices, aloneSlices *limiter.Slices60
	foreign             limiter.RemoteUsage
}

const (
	// cellSize is a cell with its share of the index, by measurement.
	cellSize   = int64(unsafe.Sizeof(entry{})) + 48
	windowSize = int64(unsafe.Sizeof(window{}))
	slicesSize = int64(unsafe.Sizeof(limiter.Slices60{}))
)

// bytes is the memory that the cell takes.
func (c *entry) bytes() int64 {
	n := cellSize
	if w := c.window; w != nil {
		n += windowSize + 8*int64(cap(w.times)+cap(w.degraded))
		if w.slices != nil {
			n += slicesSize
		}
		if w.aloneSlices != nil {
			n += slicesSize
		}
	}
	return n
}

// pending is a claim between its decision and its charge.
type pending struct {
	shard *shard
	id    cellID
	entry *entry
	// bucket is the GCRA state to be stored; expired the number of Log times to be dropped.
	bucket  limiter.Bucket
	expired int
}

// decide looks, and changes nothing that matters.
func (x *pending) decide(c *limiter.Claim, now int64) (d limiter.Decision) {
	switch c.Policy.Algorithm {
	case limiter.Log:
		var times []int64
		var foreign limiter.RemoteUsage
		if x.entry != nil {
			times, foreign = x.entry.window.times, x.entry.window.foreign
		}
		x.expired, d = limiter.TakeLog(times, c.Policy, now, c.Cost, foreign)
	case limiter.Slices:
		// On a copy: a look, or a refusal, must leave the state as it was.
		var counted limiter.Slices60
		var foreign limiter.RemoteUsage
		if x.entry != nil {
			counted, foreign = *x.entry.window.slices, x.entry.window.foreign
		}
		counted.Advance(c.Policy, now)
		d = counted.Take(c.Policy, now, c.Cost, foreign)
	default:
		if x.entry != nil {
			x.bucket = x.entry.current(c.Policy, now)
		}
		x.bucket, d = x.bucket.Take(c.Policy, now, c.Cost)
	}
	return d
}

// charge writes what decide has decided.
func (x *pending) charge(c *limiter.Claim, now int64, m accounting) {
	entry, p := x.entry, c.Policy
	entry.policy = p.Parent()
	switch p.Algorithm {
	case limiter.Log:
		w := entry.window
		now = notBefore(now, w.times)
		w.times = append(w.times[:0], w.times[x.expired:]...)
		w.times = appendTimes(w.times, now, c.Cost)
		if m == degraded {
			w.degraded = append(w.degraded[:0], w.degraded[limiter.ExpiredLog(w.degraded, now-p.Window().Microseconds()):]...)
			w.degraded = appendTimes(w.degraded, now, c.Cost)
		}
	case limiter.Slices:
		w := entry.window
		w.slices.Advance(p, now)
		w.slices.Add(max(now, w.slices.Newest*w.slices.Width), c.Cost)
		if m == degraded {
			if w.aloneSlices == nil {
				w.aloneSlices = new(limiter.Slices60)
			}
			w.aloneSlices.Advance(p, now)
			w.aloneSlices.Add(max(now, w.aloneSlices.Newest*w.aloneSlices.Width), c.Cost)
		}
	default:
		before := entry.current(p, now).TimeToFull()
		entry.bucket, entry.mirrored = x.bucket, false
		if m == counted && entry.degraded {
			// The shared store knows of this charge, though not of those before it.
			entry.base = max(entry.base, now) + entry.bucket.TimeToFull() - before
		}
	}
}

// current is the GCRA state at the moment now.
func (c *entry) current(p *limiter.Policy, now int64) limiter.Bucket {
	if !c.mirrored {
		return c.bucket
	}
	return limiter.BucketFullIn(p, now, c.base-now)
}

// known takes all the debt there is for known to the shared store: what comes after is not.
func (c *entry) known(now int64) {
	if c.window == nil && !c.mirrored {
		c.base = fullAt(c.bucket, now)
	}
}

// fullAt is the moment at which the bucket is full.
func fullAt(b limiter.Bucket, now int64) int64 {
	if b.Debt == 0 {
		return now
	}
	return max(now, b.At+b.TimeToFull())
}

// refund takes back what the claim was charged here.
func (c *entry) refund(claim *limiter.Claim, now int64) {
	p, at := claim.Policy, claim.Decision.At
	switch p.Algorithm {
	case limiter.Log:
		c.window.times = limiter.RefundLog(c.window.times, at, claim.Cost)
		c.window.degraded = limiter.RefundLog(c.window.degraded, at, claim.Cost)
	case limiter.Slices:
		c.window.slices.Refund(at, claim.Cost)
		if c.window.aloneSlices != nil {
			c.window.aloneSlices.Refund(at, claim.Cost)
		}
	default:
		b := c.current(p, now)
		c.bucket, c.mirrored = b.Refund(now, claim.Cost), false
		c.base = min(c.base, fullAt(c.bucket, now))
	}
}

// recovered says whether nothing is counted any more; if not, level is how much of the capacity is
// used, from 0 to 1: at 1 the key is being refused.
func (c *entry) recovered(now int64) (recovered bool, level float64) {
	p := c.policy
	capacity := float64(max(1, p.Capacity()))
	switch p.Algorithm {
	case limiter.Log:
		w := c.window
		live := len(w.times) - limiter.ExpiredLog(w.times, now-p.Window().Microseconds())
		return live == 0, float64(live) / capacity
	case limiter.Slices:
		counted := *c.window.slices
		counted.Advance(p, now)
		d := counted.Take(p, now, 0, c.window.foreign)
		return counted.Empty(), 1 - float64(d.Remaining)/capacity
	default:
		_, d := c.current(p, now).Take(p, now, 0)
		return d.ResetAfter == 0, 1 - float64(d.Remaining)/capacity
	}
}

// notBefore keeps time from moving back.
func notBefore(now int64, times []int64) int64 {
	if n := len(times); n > 0 {
		return max(now, times[n-1])
	}
	return now
}

func appendTimes(times []int64, now, n int64) []int64 {
	for range n {
		times = append(times, now)
	}
	return times
}
