//go:build chaos

package chaos

import (
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// person is somebody at a browser. Cookies ignore ports, so all nodes are one host to it. It may do several things
// at once.
type person struct {
	*system
	name string

	mu      sync.Mutex
	cookies map[string]string
}

var names = []string{"mia", "adam", "olivia", "viktor"}

// header is what browsers send with a script's request, or with that of a page.
func (p *person) header(mode string) http.Header {
	h := http.Header{"Sec-Fetch-Mode": {mode}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Dest": {"empty"}}
	if mode == "navigate" {
		h.Set("Sec-Fetch-Dest", "document")
		h.Set("Accept", "text/html")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, value := range p.cookies {
		h.Add("Cookie", name+"="+value)
	}
	return h
}

// send sends a request and keeps the cookies of its answer.
func (p *person) send(node int, method, path, mode string) (answer, http.Header) {
	a, got := p.exchange(node, method, path, p.header(mode))
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range (&http.Response{Header: got}).Cookies() {
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		} else {
			p.cookies[c.Name] = c.Value
		}
	}
	return a, got
}

// work is a script's request.
func (p *person) work(node int) answer {
	a, _ := p.send(node, http.MethodGet, "/", "cors")
	return a
}

// signIn has somebody sign in. On a machine whose disk is busy Redis may need longer for a write than anybody
// waits; then they try again.
func (s *system) signIn(node int, name string) *person {
	s.t.Helper()
	var p *person
	require.Eventually(s.t, func() bool {
		p = &person{system: s, name: name, cookies: map[string]string{}}
		a, got := p.send(node, http.MethodGet, "/_auth/login", "navigate")
		to := got.Get("Location")
		u, err := url.Parse(to)
		if err != nil || a.status != http.StatusFound {
			return false
		}
		back, err := idp.NewBrowser(nil).SignIn(s.t.Context(), to, u.Query().Get("redirect_uri"), name)
		if err != nil {
			return false
		}
		a, _ = p.send(node, http.MethodGet, back.RequestURI(), "navigate")
		return a.status == http.StatusFound
	}, patience, 100*time.Millisecond, "%s could not sign in at node %d", name, node+1)
	return p
}

// signOut signs somebody out, and returns who has a copy of what their browser had.
func (p *person) signOut(node int) *person {
	p.t.Helper()
	p.mu.Lock()
	thief := &person{system: p.system, name: p.name, cookies: maps.Clone(p.cookies)}
	p.mu.Unlock()
	require.Eventually(p.t, func() bool {
		a, _ := p.send(node, http.MethodPost, "/_auth/logout", "cors")
		return a.status == http.StatusOK
	}, patience, 100*time.Millisecond, "%s could not sign out at node %d", p.name, node+1)
	return thief
}

// crowd is people at work, all over the nodes.
func (s *system) crowd(people []*person, rate int) *traffic {
	return s.steadily(&traffic{name: "sessions"}, rate, func(i int) answer { return people[i%len(people)].work(s.alive(i / len(people))) })
}
