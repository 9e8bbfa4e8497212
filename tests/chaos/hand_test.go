//go:build chaos

package chaos

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hand is what strikes, and writes down what it did.
type hand struct {
	*system
	*timeline

	episodes, faults int
	// open are the spans that wait for limits to be exact again.
	open []int
	// over is when the last fault ended; slowest how long it took from there until limits were exact, at most.
	over    time.Time
	slowest time.Duration
}

// step is the begin or the end of a fault.
type step struct {
	at    time.Duration
	fault int
	end   bool
}

// play lets the faults of an episode come and go.
func (h *hand) play(n int, e episode) {
	h.t.Helper()
	h.episodes++
	h.note("episode %d: %s, then %s of rest", n, e, e.rest)
	var steps []step
	for i, f := range e.faults {
		steps = append(steps, step{f.from, i, false}, step{f.to, i, true})
	}
	slices.SortStableFunc(steps, func(a, b step) int { return int(a.at - b.at) })
	ends := make([]func() error, len(e.faults))
	began := time.Now()
	for _, st := range steps {
		time.Sleep(time.Until(began.Add(st.at)))
		f := e.faults[st.fault]
		if st.end {
			require.NoError(h.t, ends[st.fault](), "end of %s", f)
			if !f.instant {
				h.note("    over: %s", f)
			}
			continue
		}
		h.faults++
		h.note("    %s", f)
		h.open = append(h.open, len(h.spans))
		h.spans = append(h.spans, span{name: f.name, from: time.Now(), to: began.Add(time.Hour), cost: h.cost(f, e, false), evenly: h.cost(f, e, true)})
		end, err := h.strike(f)
		require.NoError(h.t, err, "%s", f)
		ends[st.fault] = end
	}
	h.over = time.Now()
}

// cost is what a fault may cost in its episode. A node that dies while Redis loses its data takes with it what only
// the two of them knew.
func (h *hand) cost(f fault, e episode, evenly bool) float64 {
	lost := slices.ContainsFunc(e.faults, func(f fault) bool { return f.loses })
	if h.system.name == forgetful && lost && f.hurts == "node" && f.name != "node reloaded" {
		return anew(len(h.nodes), evenly)
	}
	return f.kind.cost(len(h.nodes), evenly)
}

// recover waits until all nodes are exact, and have been for a while.
func (h *hand) recover() {
	h.t.Helper()
	var since time.Time
	recovered := assert.Eventually(h.t, func() bool {
		for i := range h.nodes {
			if !h.exact(i) {
				since = time.Time{}
				return false
			}
		}
		if since.IsZero() {
			since = time.Now()
		}
		return time.Since(since) >= steady
	}, exactWithin, lookEvery, "not all nodes are exact again")
	if !recovered || since.Sub(h.over) > exactTarget {
		h.account()
	}
	if !recovered {
		h.t.FailNow()
	}
	h.slowest = max(h.slowest, since.Sub(h.over))
	h.note("exact again %s after the last fault", since.Sub(h.over).Round(time.Millisecond))
	for _, i := range h.open {
		h.spans[i].to = time.Now()
	}
	h.open = nil
}

// account adds to the timeline what the nodes have said of Redis since the last fault.
func (h *hand) account() {
	for i, node := range h.nodes {
		for line := range strings.Lines(node.Log()) {
			var said struct {
				TS                       float64
				Logger, Msg, User, Error string
			}
			if json.Unmarshal([]byte(line), &said) != nil || said.Logger != "redis" && said.Logger != "http.handlers.rate_limit" || said.Msg == "rate limit exceeded" {
				continue
			}
			if at := time.UnixMicro(int64(said.TS * 1e6)); at.After(h.over) {
				h.events = append(h.events, event{at, fmt.Sprintf("        node %d: %s %s %s", i+1, said.User, said.Msg, said.Error)})
			}
		}
	}
	slices.SortStableFunc(h.events, func(a, b event) int { return a.at.Compare(b.at) })
}
