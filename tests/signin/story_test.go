package signin

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Somebody signs in at one node and is signed in at the other; signs out there, and is signed out here.
func TestLogin_holdsOnTheOtherNode(t *testing.T) {
	s := start(t, "")
	p := s.person("mia")
	require.Equal(t, "/orders?page=2", p.signIn(0, "/orders?page=2"))
	for i := range s.nodes {
		got := p.seen(p.send(i, http.MethodGet, "/orders", false, script, map[string]string{
			"X-Auth-User": "root", "X_auth_user": "root", "X-Auth-Assertion": "forged", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https",
		}))
		require.Equal(t, []string{"dev:mia"}, got.Headers["X-Auth-User"], "node %d", i+1)
		require.Len(t, got.Headers["X-Auth-Assertion"], 1)
		require.NotEqual(t, "forged", got.Headers["X-Auth-Assertion"][0])
	}
	thief := p.copied()
	require.Equal(t, http.StatusOK, thief.call(0, "/").status)
	a := p.send(1, http.MethodPost, "/_auth/logout", false, script)
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.Empty(t, p.cookies)
	out := time.Now()
	require.Eventually(t, func() bool { return thief.call(0, "/").status == http.StatusUnauthorized }, 20*time.Second, 5*time.Millisecond)
	t.Logf("signed out on the other node after %s", time.Since(out).Round(time.Millisecond))
	require.Equal(t, "revoked", thief.call(0, "/").reason)
	require.Equal(t, "revoked", thief.call(1, "/").reason)
}

// Nodes are killed and started again, one after the other, and a third joins.
func TestNodes_restart(t *testing.T) {
	s := start(t, "")
	p := s.person("adam")
	p.signIn(0, "/")
	for i := range s.nodes {
		require.NoError(t, s.nodes[i].Kill())
		require.NoError(t, s.nodes[i].Restart(context.Background()))
		require.Equal(t, "dev:adam", p.seen(p.call(i, "/")).Headers.Get("X-Auth-User"))
	}
	require.NoError(t, s.nodes[0].Reload(t.Context(), s.caddyfile(s.url(0))))
	p.seen(p.call(0, "/"))
	p.seen(p.call(s.addNode(), "/"))
}

// fault is a way for Redis to go, and to return.
var faults = map[string]struct {
	start            func(*testing.T, string) *site
	strike, recovers func(*site) error
}{
	"killed": {
		start,
		func(s *site) error { return s.redis.Kill() },
		func(s *site) error { return s.redis.Restart(context.Background()) },
	},
	"hung": {
		start,
		func(s *site) error { return s.redis.Pause() },
		func(s *site) error { return s.redis.Resume() },
	},
	// Neither refused nor hung: nothing is acknowledged, and new connections are never made.
	"dropped packets": {
		startWired,
		func(s *site) error { return s.wire.Drop() },
		func(s *site) error { return s.wire.Restore() },
	},
}

const (
	people     = 40
	rate       = 60 // requests a second, over all nodes
	outageTime = 12 * time.Second
)

// Redis goes and returns while people work. Nobody is signed out, nobody is sent to the login, and a
// node that was started meanwhile serves the same people by what their browsers carry.
func TestOutage_nobodyIsSignedOut(t *testing.T) {
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			// A short idle time has nodes talk to Redis often: each session every 2 s and node.
			s := fault.start(t, "idle 30s\nrotation 6s\nride_through 15m")
			crowd := make([]*person, people)
			for i := range crowd {
				crowd[i] = s.person([]string{"mia", "adam", "olivia", "viktor"}[i%4])
				crowd[i].signIn(i%2, "/")
				crowd[i].seen(crowd[i].call(i%2, "/"))
			}
			l := s.work(crowd)
			time.Sleep(3 * time.Second)
			struck := time.Now()
			require.NoError(t, fault.strike(s))
			time.Sleep(outageTime / 2)
			third := s.addNode()
			for _, p := range crowd {
				require.Equal(t, http.StatusOK, p.call(third, "/").status, "the third node, by ticket")
			}
			require.Positive(t, s.metric(third, `gatehouse_session_degraded_admissions_total{source="ticket"}`))
			require.NoError(t, s.nodes[1].Kill())
			require.NoError(t, s.nodes[1].Restart(context.Background()))
			l.include(third)
			time.Sleep(outageTime / 2)
			for i := range s.nodes {
				require.InDelta(t, 1, s.metric(i, "gatehouse_session_degraded"), 0, "node %d", i+1)
			}
			back := time.Now()
			require.NoError(t, fault.recovers(s))
			for i := range s.nodes {
				s.wait(i, "gatehouse_session_degraded", 0)
			}
			again := time.Now()
			time.Sleep(2 * settling)
			all := l.end()

			t.Logf("outage of %s, seen as over after %s; %d requests, statuses %v, longest wait %s, %d not answered by a node that was down",
				back.Sub(struck).Round(time.Millisecond), again.Sub(back).Round(time.Millisecond), all.total, all.statuses, all.longest.Round(time.Millisecond), all.refused)
			require.Zero(t, all.statuses[http.StatusUnauthorized], "signed out: %v", all.reasons)
			require.Zero(t, all.statuses[http.StatusFound])
			require.LessOrEqual(t, all.statuses[http.StatusServiceUnavailable], all.total/1000)
			require.Equal(t, all.total, all.statuses[http.StatusOK]+all.statuses[http.StatusServiceUnavailable]+all.refused)
			for _, p := range crowd {
				for i := range s.nodes {
					p.seen(p.call(i, "/"))
				}
			}
		})
	}
}

// work is requests of a crowd, evenly over people and nodes.
type work struct {
	s       *site
	crowd   []*person
	stop    chan struct{}
	stopped sync.WaitGroup

	mu       sync.Mutex
	nodes    []int
	total    int
	refused  int
	statuses map[int]int
	reasons  map[string]int
	longest  time.Duration
}

func (s *site) work(crowd []*person) *work {
	w := &work{s: s, crowd: crowd, stop: make(chan struct{}), nodes: []int{0, 1}, statuses: map[int]int{}, reasons: map[string]int{}}
	w.stopped.Go(func() {
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-w.stop:
				return
			case <-tick.C:
			}
			w.mu.Lock()
			node := w.nodes[i%len(w.nodes)]
			w.mu.Unlock()
			w.stopped.Go(func() { w.ask(w.crowd[i%len(w.crowd)], node) })
		}
	})
	s.t.Cleanup(func() { w.end() })
	return w
}

func (w *work) ask(p *person, node int) {
	began := time.Now()
	a := p.call(node, "/")
	took := time.Since(began)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.total++
	if a.err != nil {
		w.refused++ // the node that is being restarted
		return
	}
	w.longest = max(w.longest, took)
	w.statuses[a.status]++
	if a.reason != "" {
		w.reasons[a.reason]++
	}
}

func (w *work) include(node int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nodes = append(w.nodes, node)
}

func (w *work) end() *work {
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.stopped.Wait()
	return w
}

// A session ends after its idle time and not before, whichever node the requests came to, and at its
// absolute end whatever happens.
func TestTimes_areExactOverNodes(t *testing.T) {
	const idle, absolute = 10 * time.Second, 30 * time.Second
	const early = 4 * time.Second // enough for a busy machine to send and answer
	s := start(t, fmt.Sprintf("idle %s\nabsolute %s", idle, absolute))
	steady, busy := s.person("mia"), s.person("adam")
	began := time.Now()
	busy.signIn(1, "/")
	steady.signIn(0, "/")
	steady.seen(steady.call(0, "/"))
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			a := busy.call(i%2, "/")
			if a.status != http.StatusOK {
				lasted := time.Since(began)
				t.Logf("absolute end after %s", lasted.Round(time.Millisecond))
				if a.status != http.StatusUnauthorized || a.reason != "absolute" || lasted < absolute || lasted > absolute+3*time.Second {
					t.Errorf("%d %s after %s: %s", a.status, a.reason, lasted, a.body)
				}
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	for i := range 2 {
		time.Sleep(idle - early)
		sent := time.Now()
		require.Equal(t, http.StatusOK, steady.call((i+1)%2, "/").status, "the gap was shorter than idle")
		require.Less(t, time.Since(sent), early-100*time.Millisecond, "too slow a machine to tell")
	}
	time.Sleep(idle + 500*time.Millisecond)
	a := steady.call(1, "/")
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Equal(t, "idle", a.reason)
	wg.Wait()
}

// A rotation falls due while a hundred requests come at once, and one in twenty answers is lost.
func TestRotation_underParallelRequests(t *testing.T) {
	const due = 12 * time.Second
	s := start(t, fmt.Sprintf("rotation %s", due))
	p := s.person("mia")
	p.signIn(0, "/")
	p.seen(p.call(0, "/"))
	p.seen(p.call(1, "/"))
	before := p.copied().cookies["__Host-sid"]
	time.Sleep(due + time.Second)
	var wg sync.WaitGroup
	answers := make([]answer, 100)
	for i := range answers {
		wg.Go(func() { answers[i] = p.send(i%2, http.MethodGet, "/", i%20 == 0, script) })
	}
	wg.Wait()
	for _, a := range answers {
		require.Equal(t, http.StatusOK, a.status, "%s %v", a.body, a.err)
	}
	rotations := func(result string) (n float64) {
		for i := range s.nodes {
			n += max(0, s.metric(i, `gatehouse_session_rotations_total{result="`+result+`"}`))
		}
		return n
	}
	// A rotation to which Redis took too long to answer may have been carried out all the same.
	won, failed := rotations("won"), rotations("failed")
	require.LessOrEqual(t, won, 1.0)
	require.True(t, won == 1 || failed > 0, "nobody rotated")
	for i := range 20 {
		p.seen(p.call(i%2, "/"))
	}
	if failed == 0 {
		require.NotEqual(t, before, p.copied().cookies["__Host-sid"])
	}
	t.Logf("rotated: %v won, %v lost, %v unanswered, %v re-issued", won, rotations("lost"), failed, rotations("reissued"))
}
