package sessions_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// idleRuns is more in the soak.
var idleRuns = 1500

// TestIdle_isExact simulates a person on three nodes: requests at random, many of them near the idle
// time, active and passive, with and without their ticket, while nodes flush late, change and are
// killed. The truth is the last active request that was answered. A session must never outlive its
// idle time. It must never end before it either, but for the activity that a killed node took with it,
// which is F old at most.
func TestIdle_isExact(t *testing.T) {
	ended, early := 0, 0
	for seed := range uint64(idleRuns) {
		s := newSimulation(t, seed)
		s.run()
		if s.over {
			ended++
		}
		if s.early > 0 {
			early++
		}
	}
	t.Logf("%d runs, %d ended for idleness, %d of them early for a killed node", idleRuns, ended, early)
	require.Greater(t, ended, idleRuns/2, "the simulation proves nothing")
	require.Positive(t, early, "no killed node ever mattered")
}

type simulation struct {
	*world
	random *rand.Rand
	seed   uint64
	jar    *browser
	kills  bool
	// last is the truth.
	last  time.Time
	over  bool
	early time.Duration
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{world: newWorld(t, 3), random: rand.New(rand.NewPCG(seed, 3)), seed: seed}
	s.kills = s.random.IntN(2) == 0
	s.jar = s.login(s.nodes[0])
	s.last = s.clock.Now()
	return s
}

// between is a time in whole milliseconds, which is as exact as the store's clock is read.
func (s *simulation) between(low, high time.Duration) time.Duration {
	return (low + time.Duration(s.random.Int64N(int64(high-low)))).Truncate(time.Millisecond)
}

// pause is mostly short, sometimes just short of the idle time, and at times beyond it.
func (s *simulation) pause() time.Duration {
	switch s.random.IntN(12) {
	case 0:
		return s.between(idle-2*time.Second, idle)
	case 1:
		return s.between(idle-flush, idle+flush)
	case 2:
		return idle - time.Millisecond
	case 3, 4:
		return s.between(flush-time.Second, flush+time.Second)
	case 5:
		return s.between(0, idle)
	default:
		return s.between(0, flush)
	}
}

func (s *simulation) run() {
	for range 40 {
		if s.kills && s.random.IntN(4) == 0 {
			s.kill(s.random.IntN(len(s.nodes)))
		}
		s.wait(s.pause())
		s.request()
		if s.over {
			return
		}
	}
}

// wait lets time pass; nodes flush when it is due, up to two seconds late, which a slow store may cost.
func (s *simulation) wait(d time.Duration) {
	for d > 0 {
		step := min(d, s.between(10*time.Millisecond, 2*time.Second)*time.Duration(1+s.random.IntN(2)))
		s.clock.Advance(step)
		d -= step
		s.flushDue()
	}
}

// kill loses all that a node has in memory.
func (s *simulation) kill(i int) {
	kept := s.nodes
	s.nodes = nil
	fresh := s.addNode(0)
	s.nodes = kept
	s.nodes[i] = fresh
}

func (s *simulation) request() {
	e := s.nodes[s.random.IntN(len(s.nodes))]
	isPassive := s.random.IntN(4) == 0
	v := s.jar.ask(e, func(r *sessions.Request) {
		r.Passive = isPassive
		if s.random.IntN(3) > 0 {
			r.Ticket = ""
		}
	})
	if s.random.IntN(2) == 0 {
		cookies, _ := e.Cookies(s.t.Context(), &v)
		s.jar.take(cookies)
	}
	now := s.clock.Now()
	gone := now.Sub(s.last)
	where := func() string { return fmt.Sprintf("seed %d, %s after the last activity, %s", s.seed, gone, v.Source) }
	switch v.Status {
	case sessions.SignedIn:
		require.Less(s.t, gone, idle, "late: %s", where())
		if !isPassive {
			s.last = now
		}
	case sessions.SignedOut:
		require.Equal(s.t, sessions.ReasonIdle, v.Reason, where())
		s.over = true
		if s.early = max(0, idle-gone); s.early > 0 {
			require.True(s.t, s.kills, "early: %s", where())
			require.LessOrEqual(s.t, s.early, flush+2*time.Second, "too early: %s", where())
		}
	default:
		require.Fail(s.t, "undecided", where())
	}
}
