package limiter

import "sort"

// TakeLog decides cost at the moment now against the times of earlier admissions, ascending.
// expired is how many of them have left the window and may be dropped. If every other claim of the
// call was allowed too, the caller appends now cost times, or the newest time if now is before it.
//
// An admission at t counts in [t, t+window): two that are exactly a window apart never share one.
func TakeLog(times []int64, p *Policy, now, cost int64, f RemoteUsage) (expired int, d Decision) {
	expired = ExpiredLog(times, now-p.window)
	live := times[expired:]
	own := int64(len(live))
	d = windowDecision(p, now, cost, own, f, func(n int64) int64 {
		return live[n-1] + p.window
	})
	charged := d.Allowed && cost > 0
	var newest int64
	if own > 0 {
		newest = live[own-1]
	}
	if charged {
		newest = max(newest, now)
	}
	if charged || own > 0 {
		d.ResetAfter = micros(newest + p.window - now)
	}
	if f.at(now, p.window) > 0 {
		d.ResetAfter = max(d.ResetAfter, micros(f.At+p.window-now))
	}
	return expired, d
}

// RefundLog takes up to n admissions of the moment at out of times, in place.
func RefundLog(times []int64, at, n int64) []int64 {
	from := ExpiredLog(times, at-1)
	to := from
	for to < len(times) && times[to] == at && int64(to-from) < n {
		to++
	}
	return append(times[:from], times[to:]...)
}

// ExpiredLog is the number of times that are at or before the moment since.
func ExpiredLog(times []int64, since int64) int {
	if len(times) == 0 || times[0] > since {
		return 0
	}
	return sort.Search(len(times), func(i int) bool { return times[i] > since })
}
