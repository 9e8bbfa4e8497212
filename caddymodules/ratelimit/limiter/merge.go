package limiter

import stdslices "slices"

// Merge is what a node admitted alone on one key, to be put into the shared store once it answers
// again. Times are those of the shared store's clock, in microseconds.
type Merge struct {
	Key    Key
	Policy *Policy
	// Floor and Debt are GCRA's, in units of the policy's scale. The debt that is stored becomes
	// at least Floor, what the node last knew the store to hold (0 unless the store has lost it);
	// then Debt is added, what the node admitted alone; then it is clamped to the capacity.
	Floor, Debt int64
	// Times are Log's admissions, ascending.
	Times []int64
	// Slices are Slices' admissions.
	Slices []SliceCount
}

// SliceCount is a number of admissions at about one moment: the end of the node's own slice.
type SliceCount struct {
	At, Count int64
}

// Merge is the bucket after a merge at the moment now.
func (b Bucket) Merge(p *Policy, now int64, m *Merge) Bucket {
	b = b.advance(p, now)
	full := p.Capacity() * p.token
	b.Debt = min(full, max(b.Debt, m.Floor)+min(full, m.Debt))
	return b
}

// MergeLog is the log after a merge at the moment now: ascending, without what has left the window,
// and no more than the newest LargestLog, which is all that any limit counts. A time ahead of now
// counts as now.
func MergeLog(times []int64, p *Policy, now int64, m *Merge) []int64 {
	latest := now
	if n := len(times); n > 0 {
		latest = max(latest, times[n-1])
	}
	merged := make([]int64, 0, len(times)+len(m.Times))
	merged = append(merged, times...)
	for _, t := range m.Times {
		merged = append(merged, min(t, latest))
	}
	stdslices.Sort(merged)
	merged = merged[ExpiredLog(merged, now-p.window):]
	return merged[max(0, len(merged)-LargestLog):]
}

// Merge counts what another node's slices held, at the moment now. A time ahead of now counts as now.
func (s *Slices60) Merge(p *Policy, now int64, m *Merge) {
	s.Advance(p, now)
	for _, c := range m.Slices {
		s.Add(min(c.At, max(now, s.Newest*s.Width)), c.Count)
	}
}
