//go:build chaos

package chaos

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// slowest is what a request may take. The target is op_timeout and 10 ms; a busy machine adds what it likes.
	slowest = 5 * time.Second
	// shown is how many requests a complaint shows.
	shown = 12
)

// overspent is a window that holds more than it may.
type overspent struct {
	held  []answer // the admissions in it
	bound int
}

// fullest are the fullest windows, as parts of the limit.
type fullest struct {
	// calm is of windows that no fault touched; around of those that one kind of fault did, by its name.
	calm   float64
	around map[string]float64
	// hiccup is of windows that no fault touched, in which a node decided alone all the same: for want of a timely
	// answer of Redis, on a busy machine. alone is how many such decisions a window had at most.
	hiccup float64
	alone  int
}

// judgeLimit finds windows that hold too much. A request counts for a window only if it was sent and answered in it,
// so that it was certainly decided in it: what is found is no error of measurement.
func judgeLimit(l *timeline, load *traffic, answers []answer) (found []overspent, most fullest) {
	most.around = map[string]float64{}
	admitted := slices.DeleteFunc(slices.Clone(answers), func(a answer) bool { return a.status != http.StatusOK })
	slices.SortFunc(admitted, func(a, b answer) int { return a.sent.Compare(b.sent) })
	for i, first := range admitted {
		end := first.sent.Add(window)
		var held []answer
		alone := 0
		for _, a := range admitted[i:] {
			if a.sent.After(end) {
				break
			}
			if a.done.After(end) {
				continue
			}
			held = append(held, a)
			if a.quota < load.full {
				alone++
			}
		}
		ratio := float64(len(held)) / float64(load.bound)
		more, faults := l.allowance(first.sent, end, !load.pinned)
		switch {
		case len(faults) > 0:
			name := strings.Join(slices.Compact(slices.Sorted(slices.Values(faults))), " + ")
			most.around[name] = max(most.around[name], ratio)
		case alone > 0:
			most.alone, most.hiccup = max(most.alone, alone), max(most.hiccup, ratio)
		default:
			most.calm = max(most.calm, ratio)
		}
		if more == 0 {
			more = float64(alone) / float64(load.bound) // beside those, Redis admits no more than the limit
		}
		// Rounded up in the last place that counts, so that 60 * (1 + 3.0/60) are 63.
		if allowed := int(float64(load.bound)*(1+more) + 1e-6); len(held) > allowed {
			found = append(found, overspent{held: held, bound: allowed})
		}
	}
	return found, most
}

func (f fullest) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.2f while all was well", f.calm)
	if f.alone > 0 {
		fmt.Fprintf(&b, ", %.2f where Redis was late (%d decided without it)", f.hiccup, f.alone)
	}
	for _, name := range slices.Sorted(maps.Keys(f.around)) {
		fmt.Fprintf(&b, "\n    %.2f around %s", f.around[name], name)
	}
	return b.String()
}

// starved finds the longest time without an admission while at least one was due in every second.
func starved(answers []answer) (longest time.Duration) {
	byTime := slices.SortedFunc(slices.Values(answers), func(a, b answer) int { return a.done.Compare(b.done) })
	var last time.Time
	for _, a := range byTime {
		if last.IsZero() || a.status == http.StatusOK {
			if !last.IsZero() {
				longest = max(longest, a.done.Sub(last))
			}
			last = a.done
		}
	}
	return longest
}

// report is what all requests of one sort came to.
type report struct {
	name     string
	total    int
	statuses map[int]int
	cut      int // by a node that was killed or stopped
	again    int64
	slow     time.Duration
	p999     time.Duration
}

// judge complains about answers that nobody should have got, and sums up.
func judge(t *testing.T, s *system, l *timeline, load *traffic, answers []answer) report {
	t.Helper()
	r := report{name: load.name, total: len(answers), statuses: map[int]int{}, again: load.again.Load()}
	var bad []answer
	waits := make([]time.Duration, 0, len(answers))
	for _, a := range answers {
		wait := a.done.Sub(a.sent)
		waits = append(waits, wait)
		switch {
		case a.status == 0 && s.wasDown(a.node, a.sent, a.done):
			r.cut++
			continue
		case a.status == 0, a.status >= http.StatusInternalServerError && load.bound > 0, wait > slowest,
			load.bound > 0 && a.status != http.StatusOK && a.status != http.StatusTooManyRequests,
			load.bound == 0 && a.status != http.StatusOK && a.status != http.StatusServiceUnavailable:
			bad = append(bad, a)
		}
		r.statuses[a.status]++
	}
	if len(waits) > 0 {
		slices.Sort(waits)
		r.slow, r.p999 = waits[len(waits)-1], waits[len(waits)*999/1000]
	}
	if len(bad) > 0 {
		t.Errorf("%s: %d requests were answered as none should be:\n%s", load.name, len(bad), l.show(bad))
	}
	return r
}

func (r report) String() string {
	return fmt.Sprintf("%-12s %5d requests, statuses %v, longest wait %s (99.9 %%: %s), %d cut off by a node that went, %d sent again",
		r.name, r.total, r.statuses, r.slow.Round(time.Millisecond), r.p999.Round(time.Millisecond), r.cut, r.again)
}

// show lists requests, the first and the last of them where they are many.
func (l *timeline) show(answers []answer) string {
	var b strings.Builder
	for i, a := range answers {
		if len(answers) > shown && i == shown/2 {
			fmt.Fprintf(&b, "    … %d more\n", len(answers)-shown)
		}
		if len(answers) > shown && i >= shown/2 && i < len(answers)-shown/2 {
			continue
		}
		fmt.Fprintf(&b, "    %s + %s node %d: %d", l.since(a.sent), a.done.Sub(a.sent).Round(100*time.Microsecond), a.node+1, a.status)
		if a.quota > 0 {
			fmt.Fprintf(&b, ", held to %d", a.quota)
		}
		if a.reason != "" {
			fmt.Fprintf(&b, ", %s", a.reason)
		}
		if a.err != nil {
			fmt.Fprintf(&b, ", %v", a.err)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// What is too much is found, and nothing else is.
func TestJudgeLimit(t *testing.T) {
	began := time.Now()
	at := func(n int, from, every time.Duration, quota int) (answers []answer) {
		for i := range n {
			sent := began.Add(from + time.Duration(i)*every)
			answers = append(answers, answer{sent: sent, done: sent.Add(time.Millisecond), status: http.StatusOK, quota: quota})
		}
		return answers
	}
	quiet := &timeline{began: began}
	fault := &timeline{began: began, spans: []span{{name: "x", from: began.Add(time.Second), to: began.Add(2 * time.Second), cost: 0.5, evenly: 0.2}}}
	harmless := &timeline{began: began, spans: []span{{name: "x", from: began, to: began.Add(time.Hour)}}}
	for _, c := range []struct {
		name    string
		l       *timeline
		answers []answer
		found   bool
	}{
		{"the limit in a window", quiet, at(10, 0, window/10, 10), false},
		{"one more", quiet, at(12, 0, window/12, 10), true},
		{"refused ones do not count", quiet, append(at(10, 0, time.Millisecond, 10), answer{sent: began, done: began, status: http.StatusTooManyRequests}), false},
		{"two windows, back to back", quiet, append(at(10, 0, time.Millisecond, 10), at(10, window+time.Second, time.Millisecond, 10)...), false},
		{"over the boundary", quiet, append(at(10, window-time.Second, time.Millisecond, 10), at(1, window, 0, 10)...), true},
		{"as much as a fault may cost", fault, at(15, 0, time.Millisecond, 10), false},
		{"more than that", fault, at(16, 0, time.Millisecond, 10), true},
		{"after the fault", fault, at(11, 4*time.Second, time.Millisecond, 10), true},
		{"a harmless fault", harmless, at(11, 0, time.Millisecond, 10), true},
		{"what was decided alone", quiet, append(at(10, 0, time.Millisecond, 10), at(2, time.Second, time.Millisecond, 5)...), false},
		{"the same, in a harmless fault", harmless, append(at(10, 0, time.Millisecond, 10), at(2, time.Second, time.Millisecond, 5)...), false},
		{"and one more", quiet, append(at(11, 0, time.Millisecond, 10), at(2, time.Second, time.Millisecond, 5)...), true},
	} {
		found, _ := judgeLimit(c.l, &traffic{bound: 10, full: 10, pinned: true}, c.answers)
		require.Equal(t, c.found, len(found) > 0, c.name)
	}
	found, _ := judgeLimit(fault, &traffic{bound: 10, full: 10}, at(13, 0, time.Millisecond, 10))
	require.NotEmpty(t, found, "it may cost less evenly")
}
