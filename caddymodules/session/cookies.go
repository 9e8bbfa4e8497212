package session

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

const (
	// hostPrefix binds a cookie to its host: browsers take one of such a name only from the host itself.
	hostPrefix = "__Host-"
	// maxFlows is how many logins a browser may have under way: one for each tab, up to a bound.
	maxFlows = 5
	// maxCookies of ours may come with a request; no browser of a person sends more.
	maxCookies = 8
)

// cookieNames are the names of our cookies.
type cookieNames struct {
	session, ticket string
	// flow begins the names of logins under way; what follows tells them apart.
	flow string
}

func newCookieNames(session string) cookieNames {
	if session == defaultCookie {
		return cookieNames{session: session, ticket: "__Host-rt", flow: "__Host-login-"}
	}
	return cookieNames{session: session, ticket: session + "-rt", flow: session + "-login-"}
}

// ours reports whether a cookie of that name is one of ours.
func (n *cookieNames) ours(name string) bool {
	return name == n.session || name == n.ticket || strings.HasPrefix(name, n.flow)
}

// presented is what a request brings of our cookies.
type presented struct {
	// session and ticket are empty when there is none, or more than one: it cannot be known which one
	// the browser has from us.
	session, ticket string
	flows           []flowCookie
	count           int
}

type flowCookie struct{ name, value string }

// take reads our cookies and takes them out of the request, so that nobody behind us sees them.
func (n *cookieNames) take(header http.Header) (p presented) {
	lines := header["Cookie"]
	seenSession, seenTicket := 0, 0
	touched := false
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			name = strings.TrimRight(name, " \t")
			if !n.ours(name) {
				continue
			}
			touched = true
			p.count++
			value = strings.Trim(value, " \t")
			switch name {
			case n.session:
				seenSession++
				p.session = value
			case n.ticket:
				seenTicket++
				p.ticket = value
			default:
				p.flows = append(p.flows, flowCookie{name, value})
			}
		}
	}
	if seenSession > 1 {
		p.session = ""
	}
	if seenTicket > 1 {
		p.ticket = ""
	}
	if touched {
		n.strip(header, lines)
	}
	return p
}

// strip leaves the other cookies as they are.
func (n *cookieNames) strip(header http.Header, lines []string) {
	passed := lines[:0] // they are this request's, and each is read before it is written over
	for _, line := range lines {
		var b strings.Builder
		for pair := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.Trim(pair, " \t"), "=")
			if n.ours(strings.TrimRight(name, " \t")) || strings.Trim(pair, " \t") == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(strings.Trim(pair, " \t"))
		}
		if b.Len() > 0 {
			passed = append(passed, b.String())
		}
	}
	if len(passed) == 0 {
		delete(header, "Cookie")
		return
	}
	header["Cookie"] = passed
}

// stripSet keeps an app's response from setting or deleting our cookies.
func (n *cookieNames) stripSet(header http.Header) {
	lines := header["Set-Cookie"]
	if len(lines) == 0 {
		return
	}
	passed := lines[:0:0]
	for _, line := range lines {
		if !n.ours(setName(line)) {
			passed = append(passed, line)
		}
	}
	if len(passed) == 0 {
		delete(header, "Set-Cookie")
		return
	}
	header["Set-Cookie"] = passed
}

// setName is the name under which a browser brings back the cookie of a Set-Cookie line. One without a
// name comes back as its value alone, which then reads as a name: `=a=b` as `a=b`.
func setName(line string) string {
	pair, _, _ := strings.Cut(line, ";")
	name, value, _ := strings.Cut(pair, "=")
	if name = strings.TrimSpace(name); name == "" {
		name, _, _ = strings.Cut(value, "=")
	}
	return strings.TrimSpace(name)
}

// setSession writes the cookies of a session. An empty one is left as the browser has it.
func (h *Handler) setSession(header http.Header, c sessions.Cookies) {
	age := 0
	if h.Persist {
		age = max(1, int(c.Absolute.Time().Sub(h.now()).Seconds()))
	}
	if c.Session != "" {
		addCookie(header, h.cookies.session, c.Session, age)
	}
	if c.Ticket != "" {
		addCookie(header, h.cookies.ticket, c.Ticket, age)
	}
}

// deleteSession is for logouts, and for nothing else: a late response that deletes would destroy the
// newer cookie of the same browser.
func (h *Handler) deleteSession(header http.Header) {
	addCookie(header, h.cookies.session, "", -1)
	addCookie(header, h.cookies.ticket, "", -1)
}

// addCookie adds a cookie. age is in seconds: 0 ends with the browser, less deletes.
func addCookie(header http.Header, name, value string, age int) {
	c := http.Cookie{ //nolint:gosec // it has all three
		Name: name, Value: value, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	if age < 0 {
		c.Expires = time.Unix(1, 0)
	}
	header.Add("Set-Cookie", c.String())
}
