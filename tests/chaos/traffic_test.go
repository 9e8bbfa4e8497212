//go:build chaos

package chaos

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// answer is what became of one request.
type answer struct {
	node       int
	sent, done time.Time
	status     int // 0 when there was no answer
	// quota is what the answer says that this client is held to: less than the limit when a node decided alone.
	quota  int
	reason string // of a session's absence
	err    error
}

// traffic is requests of one sort at a steady rate, until it is ended.
type traffic struct {
	name string
	// bound is what a window may hold, for a limit, and full the quota that a client is held to while all is well;
	// zero for sessions.
	bound, full int
	// pinned is a load that one node gets.
	pinned bool

	stop    chan struct{}
	running sync.WaitGroup
	again   atomic.Int64

	mu      sync.Mutex
	answers []answer
}

// load sends requests that one limit counts by one key: to all nodes in turn, or all to the first node that is up.
func (s *system) load(path, key string, rate, bound, full int, pinned bool) *traffic {
	return s.steadily(&traffic{name: path + " " + key, bound: bound, full: full, pinned: pinned}, rate, func(i int) answer {
		if pinned {
			i = 0
		}
		return s.ask(s.alive(i), path, http.Header{"X-Key": {key}})
	})
}

// steadily sends requests, none of which waits for another.
func (s *system) steadily(l *traffic, rate int, send func(i int) answer) *traffic {
	l.stop = make(chan struct{})
	tick := time.NewTicker(time.Second / time.Duration(rate))
	l.running.Go(func() {
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-l.stop:
				return
			case <-tick.C:
			}
			l.running.Go(func() {
				a := send(i)
				if a.status == 0 && !s.wasDown(a.node, a.sent, a.done) {
					// While an edge reloads, Linux resets connections that the old listener had not accepted yet:
					// as browsers and proxies do, a GET is tried once more.
					l.again.Add(1)
					a = send(i)
				}
				l.mu.Lock()
				defer l.mu.Unlock()
				l.answers = append(l.answers, a)
			})
		}
	})
	s.t.Cleanup(func() { l.end() })
	return l
}

// end stops the requests and returns the answers.
func (l *traffic) end() []answer {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.running.Wait()
	return l.answers
}

// alive is the first node from i on that is up; some are always.
func (s *system) alive(i int) int {
	for j := range s.nodes {
		if node := (i + j) % len(s.nodes); s.up[node].Load() {
			return node
		}
	}
	return i % len(s.nodes)
}

var (
	quota  = regexp.MustCompile(`;q=(\d+)`)
	reason = regexp.MustCompile(`"reason":"(\w+)"`)
)

func (s *system) ask(node int, path string, header http.Header) answer {
	a, _ := s.exchange(node, http.MethodGet, path, header)
	return a
}

// exchange sends a request and also returns the headers of its answer.
func (s *system) exchange(node int, method, path string, header http.Header) (a answer, got http.Header) {
	a = answer{node: node, sent: time.Now()}
	defer func() { a.done = time.Now() }()
	req, err := http.NewRequestWithContext(context.Background(), method, s.urls[node]+path, http.NoBody)
	if err != nil {
		a.err = err
		return a, nil
	}
	req.Header = header
	resp, err := s.client.Do(req)
	if err != nil {
		a.err = err
		return a, nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.err = err // cut off in the middle
		return a, nil
	}
	a.status = resp.StatusCode
	if m := quota.FindStringSubmatch(resp.Header.Get("RateLimit-Policy")); m != nil {
		a.quota, _ = strconv.Atoi(m[1])
	}
	if m := reason.FindSubmatch(body); m != nil {
		a.reason = string(m[1])
	}
	return a, resp.Header
}
