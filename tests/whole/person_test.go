package whole

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

// person is somebody of the demo at a browser. Cookies ignore ports, so both nodes are one host to it.
type person struct {
	*system
	name    string
	browser *http.Client
	// address is where the person is, as the load balancer tells it.
	address string
}

func (s *system) person(name, address string) *person {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	browser := *s.client
	browser.Jar = jar
	return &person{system: s, name: name, browser: &browser, address: address}
}

// call is a script's request of a page.
func (p *person) call(node int, method, path, body string) answer {
	p.t.Helper()
	header := map[string]string{
		"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty", "Sec-Fetch-Site": "same-origin", "X-Forwarded-For": p.address,
	}
	if body != "" {
		header["Content-Type"] = "application/json"
	}
	return p.send(p.browser, method, p.urls[node]+path, header, body)
}

// visit goes to a page.
func (p *person) visit(url string) answer {
	p.t.Helper()
	return p.send(p.browser, http.MethodGet, url, map[string]string{
		"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html", "X-Forwarded-For": p.address,
	}, "")
}

// signIn goes to a node's first page and signs in at the provider. Where the disk is busy Redis may need longer for
// a write than anybody waits; then the person tries again.
func (p *person) signIn(node int) {
	p.t.Helper()
	for range 5 {
		a := p.visit(p.urls[node] + "/")
		require.Equal(p.t, http.StatusFound, a.status, a.body)
		a = p.visit(p.urls[node] + a.header.Get("Location"))
		require.Equal(p.t, http.StatusFound, a.status, a.body)
		to, err := url.Parse(a.header.Get("Location"))
		require.NoError(p.t, err)
		back, err := idp.NewBrowser(nil).SignIn(p.t.Context(), to.String(), to.Query().Get("redirect_uri"), p.name)
		require.NoError(p.t, err)
		a = p.visit(back.String())
		if a.status == http.StatusServiceUnavailable {
			continue
		}
		require.Equal(p.t, http.StatusFound, a.status, a.body)
		a = p.visit(p.urls[node] + a.header.Get("Location"))
		require.Equal(p.t, http.StatusOK, a.status, a.body)
		return
	}
	p.t.Fatalf("%s could not sign in", p.name)
}

// tries asks the nodes in turn for so many sign-ins, and counts the statuses.
func (p *person) tries(n int) map[int]int {
	p.t.Helper()
	statuses := map[int]int{}
	for i := range n {
		statuses[p.visit(p.urls[i%len(p.urls)]+"/_auth/login").status]++
	}
	return statuses
}
