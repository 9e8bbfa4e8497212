//go:build chaos

package chaos

import (
	"fmt"
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
	// exactWithin is how long after the last fault that may be. The target is less; a busy machine adds what it likes.
	exactWithin = patience
	exactTarget = 5 * time.Second
	// atOnce is how many requests at once are counted to the last.
	atOnce = 3
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

func run(t *testing.T, s *system, p *plan, d time.Duration) {
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

	h := &hand{system: s, timeline: &timeline{began: time.Now()}}
	defer func() { // also when recovery has failed the test
		h.note("the end")
		h.judge(loads)
		h.isAsBefore(crowd, gone)
		t.Logf("%d episodes, %d faults, limits exact again within %s of the last of each at most; what happened:\n%s",
			h.episodes, h.faults, h.slowest.Round(time.Millisecond), h.timeline)
	}()
	time.Sleep(2 * window)
	for n := 1; time.Since(h.began) < d || len(h.open) > 0; n++ {
		e := p.next()
		if time.Since(h.began) >= d {
			e.rest = 2 * window
		}
		h.play(n, e)
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
}

// judge ends the loads and holds what they saw against what is promised.
func (h *hand) judge(loads []*traffic) {
	t := h.t
	t.Helper()
	for _, load := range loads {
		answers := load.end()
		r := judge(t, h.system, h.timeline, load, answers)
		t.Log(r)
		if load.bound == 0 {
			if refused := r.statuses[http.StatusServiceUnavailable]; refused > int(float64(r.total)*refusedAtMost)+1 {
				t.Errorf("%d of %d requests were refused although signed in", refused, r.total)
			}
			continue
		}
		found, most := judgeLimit(h.timeline, load, answers)
		t.Logf("%s: of what any %s may hold, the fullest had %s\n    the longest without any: %s",
			load.name, window, most, starved(answers).Round(time.Millisecond))
		if len(found) > 0 {
			worst := slices.MaxFunc(found, func(a, b overspent) int { return len(a.held)*b.bound - len(b.held)*a.bound })
			t.Errorf("%s: %d windows of %s hold more than they may; the worst %d of %d:\n%s",
				load.name, len(found), window, len(worst.held), worst.bound, h.show(worst.held))
		}
		if none := starved(answers); none > 3*window {
			t.Errorf("%s: nobody was admitted for %s", load.name, none)
		}
	}
}

// isAsBefore sees that who is signed in is so everywhere, and who has signed out is not.
func (h *hand) isAsBefore(in, out []*person) {
	for node := range h.nodes {
		for _, p := range in {
			if a := p.work(node); a.status != http.StatusOK {
				h.t.Errorf("%s is signed out at node %d in the end: %d %s", p.name, node+1, a.status, a.reason)
			}
		}
		for _, p := range out {
			if a := p.work(node); a.status != http.StatusUnauthorized || a.reason != "revoked" {
				h.t.Errorf("%s had signed out, and a copy of the cookies gets %d %s at node %d", p.name, a.status, a.reason, node+1)
			}
		}
	}
}

// countsExactly spends a limit of its own, over all nodes. When Redis was late for one of its requests, as on a busy
// machine, which the answer tells, the count begins anew.
func (s *system) countsExactly(key string) {
	s.t.Helper()
	for try, began := 1, time.Now(); ; try++ {
		admitted, alone := s.count(fmt.Sprint(key, ", ", try))
		if admitted > exactLimit+alone || alone == 0 && admitted != exactLimit {
			s.t.Errorf("after %s, when all was well: %d requests of a limit of %d were admitted, %d decided by a node alone", key, admitted, exactLimit, alone)
		}
		if alone == 0 {
			return
		}
		if time.Since(began) > patience {
			s.t.Errorf("after %s, when all was well, Redis was late for some request of each of %d counts: is the machine too busy?", key, try)
			return
		}
	}
}

// count sends more requests than a limit admits, a few at once. alone is how many were decided by a node alone.
func (s *system) count(key string) (admitted, alone int) {
	var mu sync.Mutex
	var running sync.WaitGroup
	for range atOnce {
		running.Go(func() {
			for i := range exactLimit {
				a := s.ask(i%len(s.nodes), "/exact", http.Header{"X-Key": {key}})
				mu.Lock()
				if a.status == http.StatusOK {
					admitted++
				}
				if a.quota != exactLimit {
					alone++
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return admitted, alone
}
