package session

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// endpoint is what follows the prefix in a path; false if the path is not below it.
func (h *Handler) endpoint(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, h.Prefix)
	if !ok || (rest != "" && rest[0] != '/') {
		return "", false
	}
	return strings.TrimPrefix(rest, "/"), true
}

// serve answers a request below the prefix.
func (c *requestContext) serve(w http.ResponseWriter, endpoint string) error {
	if !canonical(c.sent) {
		return c.notFound(w)
	}
	name, provider, named := strings.Cut(endpoint, "/")
	switch {
	case name == "login" && named && c.h.byName[provider] != nil:
		return c.only(w, c.login(c.h.byName[provider]), http.MethodGet, http.MethodHead)
	case endpoint == "login":
		return c.only(w, c.login(nil), http.MethodGet, http.MethodHead)
	case name == "callback" && named && c.h.byName[provider] != nil:
		// Cookies that are Lax do not come with a form that another site posts.
		return c.only(w, c.callback(c.h.byName[provider]), http.MethodGet)
	case endpoint == "logout":
		return c.only(w, c.logout, http.MethodGet, http.MethodHead, http.MethodPost)
	case endpoint == "session":
		return c.only(w, c.own, http.MethodGet, http.MethodHead)
	}
	return c.notFound(w)
}

// only answers other methods 405.
func (c *requestContext) only(w http.ResponseWriter, serve func(http.ResponseWriter) error, methods ...string) error {
	if slices.Contains(methods, c.r.Method) {
		return serve(w)
	}
	w.Header().Set("Allow", strings.Join(methods, ", "))
	return c.answer(w, &answer{
		status: http.StatusMethodNotAllowed, cause: errors.New("method not allowed"),
		page: page{Title: "This cannot be done", Text: "This address does not take what your browser has sent."},
	})
}

func (c *requestContext) notFound(w http.ResponseWriter) error {
	return c.answer(w, &answer{
		status: http.StatusNotFound, cause: errors.New("there is no such endpoint"),
		page: page{Title: "There is nothing here", Text: "No page has this address.", Action: "/", Label: "To the start"},
	})
}

// ownSession is what the session endpoint says.
type ownSession struct {
	ID       string     `json:"id"`
	User     string     `json:"user"`
	Provider string     `json:"provider"`
	Subject  string     `json:"subject"`
	Email    string     `json:"email,omitempty"`
	Name     string     `json:"name,omitempty"`
	Groups   []string   `json:"groups"`
	Created  time.Time  `json:"created"`
	Expires  time.Time  `json:"expires"`
	Idle     *time.Time `json:"idleExpires,omitempty"`
	Source   string     `json:"source"`
}

// own tells a page about its session. It asks the store, and is no activity itself: a page that shows
// how long is left must not make it longer.
func (c *requestContext) own(w http.ResponseWriter) error {
	c.policy.outage = sessions.StrictAlways
	v := c.h.manager.Check(c.r.Context(), c.request(true))
	if v.Status == sessions.Undecided {
		c.policy.outage = sessions.Ride
		v = c.h.manager.Check(c.r.Context(), c.request(true))
	}
	c.h.settle(&v)
	placeholders := publish(c.r, &v)
	w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
	switch v.Status {
	case sessions.Undecided:
		return c.unavailable(w, &v)
	case sessions.SignedOut:
		c.kind = call // whoever asks wants to know, and not to go on
		return c.signedOut(w, &v)
	case sessions.SignedIn:
	}
	p := c.h.byName[v.Session.Provider]
	id, known := p.userID(v.Session)
	if !known {
		return c.unavailable(w, &v)
	}
	switch authorize(p.config.Allow, v.Session) {
	case unsatisfied:
		return c.notAllowed(w, &v)
	case unknown:
		return c.unavailable(w, &v)
	case satisfied:
	}
	placeholders.signIn(c.r, p, id, v.Session)
	cookies, rotation := c.h.manager.Cookies(c.r.Context(), &v)
	c.h.metrics.countRotation(rotation)
	c.h.setSession(w.Header(), cookies)
	s := v.Session
	first := func(claim string) string { return strings.Join(s.Claims.Values(claim), ",") }
	out := ownSession{
		ID: s.Selector.ID(), User: id, Provider: s.Provider, Subject: s.Subject,
		Email: first("email"), Name: first("name"), Groups: append([]string{}, s.Groups...),
		Created: s.Created.Time(), Expires: s.Absolute.Time(), Source: v.Source.String(),
	}
	if v.Last > 0 {
		idle := min(v.Last.Add(time.Duration(c.h.Idle)), s.Absolute).Time()
		out.Idle = &idle
	}
	return c.json(w, http.StatusOK, "application/json", out)
}
