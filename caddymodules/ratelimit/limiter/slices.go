package limiter

import "math"

// slices is the number of slices that a window is cut into. One more is counted: the oldest, of
// which a part has already left the window.
const (
	slices = 60
	ring   = slices + 1
)

// Slices60 counts admissions in slices of a window. The zero value is empty.
type Slices60 struct {
	// Width of a slice in microseconds, and the number of the newest slice since the epoch.
	Width, Newest int64
	// Counts is a ring: slice number n is at n mod 61.
	Counts [ring]uint32
}

// Advance moves the ring on to now, forgetting what has left the window, and rescales it when the
// policy's window has changed: each old slice is then counted as if all of it came at its end.
func (s *Slices60) Advance(p *Policy, now int64) {
	now = max(now, s.Newest*s.Width)
	if s.Width != p.width {
		s.rescale(p, now)
	}
	newest := now / s.Width
	for gone := max(s.Newest+1, newest-ring+1); gone <= newest; gone++ {
		s.Counts[gone%ring] = 0
	}
	s.Newest = max(s.Newest, newest)
}

func (s *Slices60) rescale(p *Policy, now int64) {
	old := *s
	*s = Slices60{Width: p.width, Newest: now / p.width}
	if old.Width == 0 {
		return
	}
	for n := old.Newest - ring + 1; n <= old.Newest; n++ {
		if c := old.Counts[((n%ring)+ring)%ring]; c > 0 {
			s.Add(min((n+1)*old.Width-1, now), int64(c))
		}
	}
}

// Add counts n admissions at the moment t, if it is still in the ring.
func (s *Slices60) Add(t, n int64) {
	if number := t / s.Width; number > s.Newest-ring && number <= s.Newest && number >= 0 {
		c := &s.Counts[number%ring]
		*c = uint32(min(int64(*c)+n, math.MaxUint32))
	}
}

// Take decides cost at the moment now, to which the ring must have been advanced. If every other
// claim of the call was allowed too, the caller adds cost.
func (s *Slices60) Take(p *Policy, now, cost int64, f RemoteUsage) Decision {
	oldest := s.oldest(p, max(now, s.Newest*s.Width))
	var own, last int64
	at := oldest % ring // not divided for each slice: this is most of the decision's time
	for n := oldest; n <= s.Newest; n++ {
		if c := s.Counts[at]; c > 0 {
			own, last = own+int64(c), n
		}
		if at++; at == ring {
			at = 0
		}
	}
	d := windowDecision(p, now, cost, own, f, func(n int64) int64 {
		for number := oldest; ; number++ {
			if n -= int64(s.Counts[number%ring]); n <= 0 {
				return s.leaves(p, number)
			}
		}
	})
	switch {
	case d.Allowed && cost > 0:
		d.ResetAfter = micros(s.leaves(p, s.Newest) - now)
	case own > 0:
		d.ResetAfter = micros(s.leaves(p, last) - now)
	}
	if f.at(now, p.window) > 0 {
		d.ResetAfter = max(d.ResetAfter, micros(f.At+p.window-now))
	}
	return d
}

// oldest is the number of the slice in which the window begins.
func (s *Slices60) oldest(p *Policy, now int64) int64 {
	return max(0, (now-p.window)/s.Width, s.Newest-ring+1)
}

// leaves is the moment at which slice number n no longer counts: when the window begins after it.
func (s *Slices60) leaves(p *Policy, n int64) int64 { return (n+1)*s.Width + p.window }

// Refund takes up to n admissions of the moment at back.
func (s *Slices60) Refund(at, n int64) {
	if s.Width == 0 {
		return
	}
	if number := at / s.Width; number > s.Newest-ring && number <= s.Newest && number >= 0 {
		c := &s.Counts[number%ring]
		*c -= uint32(min(n, int64(*c)))
	}
}

// Empty says whether nothing is counted.
func (s *Slices60) Empty() bool {
	return s.Counts == [ring]uint32{}
}

// Total is all that is counted.
func (s *Slices60) Total() (n int64) {
	for _, c := range s.Counts {
		n += int64(c)
	}
	return n
}

// AppendCounts appends what is counted, each slice at its end but not after now, ascending, on a
// clock that is offset microseconds ahead.
func (s *Slices60) AppendCounts(counts []SliceCount, now, offset int64) []SliceCount {
	for n := max(0, s.Newest-ring+1); n <= s.Newest; n++ {
		if c := s.Counts[n%ring]; c > 0 {
			counts = append(counts, SliceCount{At: min((n+1)*s.Width-1, now) + offset, Count: int64(c)})
		}
	}
	return counts
}
