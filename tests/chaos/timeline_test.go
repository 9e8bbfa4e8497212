//go:build chaos

package chaos

import (
	"fmt"
	"strings"
	"time"
)

// event is a fault, or a moment, as it happened.
type event struct {
	at   time.Time
	what string
}

// span is the time from a fault until limits were exact again, and what it may cost a window that it touches.
type span struct {
	name     string
	from, to time.Time
	// evenly is the same for clients who go to all nodes alike.
	cost, evenly float64
}

// timeline is what was done to a stack, and when.
type timeline struct {
	began  time.Time
	events []event
	spans  []span
}

func (l *timeline) note(format string, args ...any) {
	l.events = append(l.events, event{time.Now(), fmt.Sprintf(format, args...)})
}

// since is a time as the timeline tells it: seconds since its beginning.
func (l *timeline) since(t time.Time) string { return fmt.Sprintf("%8.3fs", t.Sub(l.began).Seconds()) }

func (l *timeline) String() string {
	var b strings.Builder
	for _, e := range l.events {
		fmt.Fprintf(&b, "%s  %s\n", l.since(e.at), e.what)
	}
	return b.String()
}

// allowance is how many more limits a window may hold than one, for the faults that touch it; their names too.
func (l *timeline) allowance(from, to time.Time, evenly bool) (more float64, faults []string) {
	for _, s := range l.spans {
		if s.from.Before(to) && from.Before(s.to) {
			faults = append(faults, s.name)
			if evenly {
				more += s.evenly
			} else {
				more += s.cost
			}
		}
	}
	return more, faults
}
