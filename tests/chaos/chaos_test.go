//go:build chaos

package chaos

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// steady is how long all nodes must be exact to count as recovered: a fault may be noticed a little later.
	steady = time.Second
	// exactWithin is how long after the last fault. The target is 5 s; a busy machine adds what it likes.
	exactWithin = patience
	// people are signed in all the time.
	people = 12
	// refusedAtMost is the part of the requests of people who are signed in that may be answered 503: neither the
	// node nor the browser had evidence that was good without Redis.
	refusedAtMost = 0.001
)

// Faults come at random, by a seed, while limits and sessions are used: no window holds more than it may, nobody is
// signed out, nothing fails, nobody waits long, and in the end all is as if nothing had happened.
func TestChaos(t *testing.T) {
	seed := fromEnv(t, "CHAOS_SEED", uint64(rand.Uint32()), func(s string) (uint64, error) { return strconv.ParseUint(s, 10, 64) })
	minutes := fromEnv(t, "CHAOS_MINUTES", 3, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	t.Logf("CHAOS_SEED=%d CHAOS_MINUTES=%g", seed, minutes)
	each := time.Duration(minutes * float64(time.Minute) / 2)
	for _, c := range []struct {
		stack string
		nodes int
	}{{kept, 3}, {forgetful, 2}} {
		t.Run(c.stack, func(t *testing.T) {
			run(t, start(t, c.stack, c.nodes), newPlan(seed, c.stack, c.nodes), each)
			if t.Failed() {
				t.Logf("again: make chaos CHAOS_SEED=%d CHAOS_MINUTES=%g", seed, minutes)
			}
		})
	}
}

func fromEnv[T any](t *testing.T, name string, otherwise T, parse func(string) (T, error)) T {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	value, err := parse(text)
	require.NoError(t, err, "%s must be a number", name)
	return value
}

func run(t *testing.T, s *stack, p *plan, d time.Duration) {
	var crowd []*person
	var gone []*person // who signed out, with the cookies from before
	if s.name == kept {
		for i := range people {
			crowd = append(crowd, s.signIn(i%len(s.nodes), names[i%len(names)]))
		}
		gone = append(gone, s.signIn(0, "mia").signOut(1))
	}
	loads := []*traffic{
		s.load("/log", "even", 45, limit, limit, false),
		s.load("/log", "pinned", 40, limit, limit, true),
		s.load("/slices", "even", 45, limit, limit, false),
		s.load("/gcra", "even", 45, limit+burst, burst, false),
	}
	if s.name == kept {
		loads = append(loads, s.crowd(crowd, 40))
	}

	l := &timeline{began: time.Now()}
	h := &hand{stack: s, timeline: l}
	time.Sleep(2 * window)
	for n := 1; time.Since(l.began) < d || len(h.open) > 0; n++ {
		e := p.next()
		if time.Since(l.began) >= d {
			e.rest = 2 * window
		}
		h.play(n, e)
		if t.Failed() {
			break
		}
		if e.rest == 0 {
			continue
		}
		h.recover()
		rested := time.Now()
		if s.name == kept {
			node := n % len(s.nodes)
			gone = append(gone, s.signIn(node, names[n%len(names)]).signOut((node+1)%len(s.nodes)))
		}
		s.countsExactly(fmt.Sprint("episode ", n))
		time.Sleep(time.Until(rested.Add(e.rest)))
	}
	l.note("the end")
	var answers [][]answer
	for _, load := range loads {
		answers = append(answers, load.end())
	}

	for i, load := range loads {
		r := judge(t, s, l, load, answers[i])
		t.Log(r)
		if load.bound == 0 {
			require.LessOrEqual(t, r.statuses[http.StatusServiceUnavailable], int(float64(r.total)*refusedAtMost)+1, "refused although signed in")
			continue
		}
		found, most := judgeLimit(l, answers[i], load.bound, load.full)
		t.Logf("%s: of what any %s may hold, the fullest had %s\n    the longest without any: %s",
			load.name, window, most, starved(answers[i]).Round(time.Millisecond))
		if len(found) > 0 {
			worst := slices.MaxFunc(found, func(a, b overspent) int { return len(a.held)*b.bound - len(b.held)*a.bound })
			t.Errorf("%s: %d windows of %s hold more than they may; the worst %d of %d:\n%s",
				load.name, len(found), window, len(worst.held), worst.bound, l.show(worst.held))
		}
		if none := starved(answers[i]); none > 3*window {
			t.Errorf("%s: nobody was admitted for %s", load.name, none)
		}
	}
	for i, p := range slices.Concat(crowd, gone) {
		for node := range s.nodes {
			a := p.work(node)
			if i < len(crowd) && a.status != http.StatusOK {
				t.Errorf("%s is signed out at node %d in the end: %d %s", p.name, node+1, a.status, a.reason)
			}
			if i >= len(crowd) && (a.status != http.StatusUnauthorized || a.reason != "revoked") {
				t.Errorf("%s had signed out, and a copy of the cookies gets %d %s at node %d", p.name, a.status, a.reason, node+1)
			}
		}
	}
	t.Logf("%d episodes, %d faults, limits exact again within %s of the last of each at most; what happened:\n%s",
		h.episodes, h.faults, h.slowest.Round(time.Millisecond), l)
}

// countsExactly spends a limit of its own, by many requests at once over all nodes.
func (s *stack) countsExactly(key string) {
	s.t.Helper()
	var mu sync.Mutex
	statuses := map[int]int{}
	var running sync.WaitGroup
	for i := range 2 * exactLimit {
		running.Go(func() {
			a := s.ask(i%len(s.nodes), "/exact", http.Header{"X-Key": {key}})
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	running.Wait()
	if want := map[int]int{http.StatusOK: exactLimit, http.StatusTooManyRequests: exactLimit}; !maps.Equal(statuses, want) {
		s.t.Errorf("after %s, when all was well: %d requests at once to a limit of %d were answered %v", key, 2*exactLimit, exactLimit, statuses)
	}
}
