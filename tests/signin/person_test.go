package signin

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// person is somebody at a browser. Cookies ignore ports, so all nodes are one host to it. It may do
// several things at once.
type person struct {
	*site
	name     string
	provider *idp.Browser

	mu      sync.Mutex
	cookies map[string]string
}

func (s *site) person(name string) *person {
	return &person{site: s, name: name, provider: idp.NewBrowser(nil), cookies: map[string]string{}}
}

// answer is what came back.
type answer struct {
	status   int
	location string
	reason   string
	body     string
	err      error
}

// page and script are what browsers say of the two sorts of request.
var (
	page   = map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"}
	script = map[string]string{"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin"}
)

// send sends a request and keeps the cookies of its answer, unless the answer is lost on the way.
func (p *person) send(node int, method, path string, lost bool, headers ...map[string]string) answer {
	header := http.Header{}
	for _, h := range headers {
		for k, v := range h {
			header.Set(k, v)
		}
	}
	p.mu.Lock()
	for name, value := range p.cookies {
		header.Add("Cookie", name+"="+value)
	}
	p.mu.Unlock()
	resp, body, err := p.do(p.t.Context(), method, p.url(node)+path, header)
	if err != nil {
		return answer{err: err}
	}
	if !lost {
		p.keep(resp)
	}
	a := answer{status: resp.StatusCode, location: resp.Header.Get("Location"), body: body}
	var problem struct{ Reason string }
	if json.Unmarshal([]byte(body), &problem) == nil {
		a.reason = problem.Reason
	}
	return a
}

func (p *person) keep(resp *http.Response) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range resp.Cookies() {
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		} else {
			p.cookies[c.Name] = c.Value
		}
	}
}

// call is a script's request.
func (p *person) call(node int, path string) answer {
	return p.send(node, http.MethodGet, path, false, script)
}

// seen is what the app has seen of a request that was let through.
func (p *person) seen(a answer) upstream.Answer {
	p.t.Helper()
	require.Equal(p.t, http.StatusOK, a.status, "%s: %s %v", p.name, a.body, a.err)
	var got upstream.Answer
	require.NoError(p.t, json.Unmarshal([]byte(a.body), &got))
	return got
}

// signIn goes to a page of a node, signs in at the provider, and returns where that leads. On a machine
// whose disk is busy Redis may need longer for a write than anybody waits; then they try again.
func (p *person) signIn(node int, path string) string {
	p.t.Helper()
	for range 5 {
		if to, ok := p.tryToSignIn(node, path); ok {
			return to
		}
	}
	p.t.Fatalf("%s could not sign in", p.name)
	return ""
}

func (p *person) tryToSignIn(node int, path string) (to string, ok bool) {
	p.t.Helper()
	a := p.send(node, http.MethodGet, path, false, page)
	require.Equal(p.t, http.StatusFound, a.status, "%s %v", a.body, a.err)
	a = p.send(node, http.MethodGet, a.location, false, page)
	require.Equal(p.t, http.StatusFound, a.status, a.body)
	u, err := url.Parse(a.location)
	require.NoError(p.t, err)
	back, err := p.provider.SignIn(p.t.Context(), a.location, u.Query().Get("redirect_uri"), p.name)
	require.NoError(p.t, err)
	a = p.send(node, http.MethodGet, back.RequestURI(), false, page)
	if a.status == http.StatusServiceUnavailable {
		return "", false
	}
	require.Equal(p.t, http.StatusFound, a.status, a.body)
	return a.location, true
}

// copied is somebody who has the same cookies.
func (p *person) copied() *person {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &person{site: p.site, name: p.name, cookies: maps.Clone(p.cookies)}
}
