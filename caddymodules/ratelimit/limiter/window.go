package limiter

import (
	"math/bits"
	"sort"
)

// RemoteUsage is what other nodes had admitted in a window when the shared store was last heard of. A
// node that limits alone counts its part of it, fading to nothing over one window. The zero Foreign
// counts nothing.
type RemoteUsage struct {
	// Count was the number of events at the moment At, in microseconds of this node's clock.
	Count, At int64
}

// at is what is left of it at the moment now, rounded up.
func (f RemoteUsage) at(now, window int64) int64 {
	elapsed := now - f.At
	if f.Count == 0 || elapsed >= window {
		return 0
	}
	if elapsed <= 0 {
		return f.Count
	}
	// Count is at most LargestRate and the window at most 2⁴⁵ µs: the product may exceed int64.
	return int64(ceilMulDiv(uint64(f.Count), uint64(window-elapsed), uint64(window)))
}

// Left is what is left of it at the moment now, in the policy's window.
func (f RemoteUsage) Left(now int64, p *Policy) int64 { return f.at(now, p.window) }

// until is the first moment at which no more than room is left of it.
func (f RemoteUsage) until(room, window int64) int64 {
	if f.Count <= room {
		return f.At
	}
	return f.At + int64(ceilMulDiv(uint64(f.Count-room), uint64(window), uint64(f.Count)))
}

// windowDecision decides a windowed limit: used events count now, and expiry(n) is the moment by
// which at least n of this node's own events will have expired.
func windowDecision(p *Policy, now, cost, own int64, f RemoteUsage, expiry func(n int64) int64) Decision {
	capacity, window := p.Rate, p.window
	d := Decision{Decided: true, At: now, Quota: capacity, Window: p.Window()}
	used := own + f.at(now, window)
	switch {
	case cost > capacity:
		d.RetryAfter = Never
	case cost > 0 && used+cost > capacity:
		d.RetryAfter = micros(windowWait(p, now, cost, own, f, expiry))
	default:
		d.Allowed = true
		used += cost
	}
	d.Remaining = max(0, capacity-used)
	return d
}

// windowWait is the time until own and foreign events together leave room for cost.
func windowWait(p *Policy, now, cost, own int64, f RemoteUsage, expiry func(n int64) int64) int64 {
	if f.at(now, p.window) == 0 {
		return expiry(own+cost-p.Rate) - now
	}
	// Own events leave one after another; between two departures the foreign ones fade.
	// The more of them are gone, the sooner those have faded enough: the first number of departures
	// for which that is before the next departure is found by bisection.
	fewest := max(0, own+cost-p.Rate)
	faded := func(gone int64) int64 { return f.until(p.Rate-cost-(own-gone), p.window) }
	gone := fewest + int64(sort.Search(int(own-fewest), func(i int) bool {
		return faded(fewest+int64(i)) <= expiry(fewest+int64(i)+1)
	}))
	ready := faded(gone)
	if gone > 0 {
		ready = max(ready, expiry(gone))
	}
	return ready - now
}

// ceilMulDiv is a × b / c rounded up, for a quotient that fits.
func ceilMulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	lo, carry := bits.Add64(lo, c-1, 0)
	q, _ := bits.Div64(hi+carry, lo, c)
	return q
}
