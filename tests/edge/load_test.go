package edge

import (
	"context"
	"fmt"
	"net/http"
	"sort"
	"sync"
	"testing"
	"time"
)

// answer is what became of one request.
type answer struct {
	node       int
	sent, done time.Time
	status     int // 0 when there was no answer
	err        error
}

// parallel sends n requests, as many at once as there are, alternating nodes.
func (e *edge) parallel(n int, path string, header ...string) []answer {
	answers := make([]answer, n)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			<-begin
			answers[i] = e.ask(i%len(e.nodes), path, header...)
		})
	}
	close(begin)
	wg.Wait()
	return answers
}

// ask sends one request. Unlike get it may be called from any goroutine.
func (e *edge) ask(node int, path string, header ...string) answer {
	a := answer{node: node, sent: time.Now()}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, e.urls[node]+path, http.NoBody)
	if err == nil {
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Add(header[i], header[i+1])
		}
		var resp *http.Response
		if resp, err = e.client.Do(req); err == nil {
			a.status = resp.StatusCode
			err = resp.Body.Close()
		}
	}
	a.err, a.done = err, time.Now()
	return a
}

// askAgain is ask by a client that, as browsers and proxies do, tries a GET once more whose connection
// broke before it was answered. While an edge reloads, Linux resets connections that the old listener
// had not accepted yet (unless net.ipv4.tcp_migrate_req is 1).
func (e *edge) askAgain(node int, path string, header ...string) answer {
	a := e.ask(node, path, header...)
	if a.status == 0 {
		e.retries.Add(1)
		a = e.ask(node, path, header...)
	}
	return a
}

// load is requests at a steady rate until it is stopped, alternating nodes. A request that waits does
// not hold up the next.
type load struct {
	stop    chan struct{}
	stopped sync.WaitGroup
	mu      sync.Mutex
	answers []answer
}

func (e *edge) load(rate int, path string, header ...string) *load {
	l := &load{stop: make(chan struct{})}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	l.stopped.Go(func() {
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-l.stop:
				return
			case <-tick.C:
			}
			node := i % len(e.nodes)
			l.stopped.Go(func() {
				a := e.askAgain(node, path, header...)
				l.mu.Lock()
				defer l.mu.Unlock()
				l.answers = append(l.answers, a)
			})
		}
	})
	e.t.Cleanup(func() { l.end() })
	return l
}

// end stops the load and returns the answers in the order of their sending. It may be called again.
func (l *load) end() []answer {
	select {
	case <-l.stop:
	default:
		close(l.stop)
	}
	l.stopped.Wait()
	sort.Slice(l.answers, func(i, j int) bool { return l.answers[i].sent.Before(l.answers[j].sent) })
	return l.answers
}

// seen sums answers up.
type seen struct {
	total    int
	statuses map[int]int
	errors   []error
	longest  time.Duration
}

func sum(answers []answer) seen {
	s := seen{statuses: map[int]int{}}
	for _, a := range answers {
		s.total++
		s.statuses[a.status]++
		if a.err != nil {
			s.errors = append(s.errors, a.err)
		}
		s.longest = max(s.longest, a.done.Sub(a.sent))
	}
	return s
}

func (s seen) String() string {
	return fmt.Sprintf("%d requests, statuses %v, longest wait %s, %d errors", s.total, s.statuses, s.longest.Round(time.Millisecond), len(s.errors))
}

// onlyLimited fails unless every request was answered 200 or 429.
func (s seen) onlyLimited(t *testing.T) {
	t.Helper()
	if s.statuses[http.StatusOK]+s.statuses[http.StatusTooManyRequests] != s.total {
		t.Errorf("not all are 200 or 429: %s: %v", s, s.errors)
	}
}

// between are the answers to requests that were sent in [from, to).
func between(answers []answer, from, to time.Time) (part []answer) {
	for _, a := range answers {
		if !a.sent.Before(from) && a.sent.Before(to) {
			part = append(part, a)
		}
	}
	return part
}

// most is the largest number of admissions in any window, each at the middle of its request.
func most(answers []answer, window time.Duration) (n int) {
	var times []time.Time
	for _, a := range answers {
		if a.status == http.StatusOK {
			times = append(times, a.sent.Add(a.done.Sub(a.sent)/2))
		}
	}
	sort.Slice(times, func(i, j int) bool { return times[i].Before(times[j]) })
	first := 0
	for i, t := range times {
		for t.Sub(times[first]) >= window {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}
