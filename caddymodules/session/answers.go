package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// problem is an answer to a program (RFC 9457).
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Reason says in a word why there is no session.
	Reason string `json:"reason,omitempty"`
	// Login is where a person can sign in.
	Login     string `json:"login,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

// answer is the answer to a request that is not forwarded.
type answer struct {
	status int
	reason string
	page   page
	login  string
	// cause is for the log, and for handle_errors.
	cause error
}

// signedOut answers a request without a session.
func (c *requestContext) signedOut(w http.ResponseWriter, v *sessions.Verdict) error {
	kind := c.kind
	switch c.policy.navigate {
	case on:
		if kind == call && safe(c.r) && !upgrades(c.r) {
			kind = navigation
		}
	case off:
		if kind == navigation {
			kind = call
		}
	}
	if kind == navigation {
		return c.redirect(w, http.StatusFound, c.loginAddress(c.sent.URL.RequestURI()))
	}
	a := answer{
		status: http.StatusUnauthorized, reason: v.Reason.String(), login: c.loginAddress(c.referrer()),
		cause: fmt.Errorf("there is no session: %s", v.Reason),
	}
	if kind == form {
		a.page = page{Title: "You are signed out", Text: "Nothing was sent. Sign in again, go back, and send it once more.", Action: a.login, Label: "Sign in"}
	}
	w.Header().Set("WWW-Authenticate", "Session reason="+strconv.Quote(a.reason))
	return c.answer(w, &a)
}

// unavailable answers a request whose session cannot be decided while Redis is unavailable.
func (c *requestContext) unavailable(w http.ResponseWriter, v *sessions.Verdict) error {
	if v.Err != nil {
		if ce := c.h.logger.Check(zap.DebugLevel, "session cannot be known"); ce != nil {
			ce.Write(zap.Error(v.Err), zap.String("request_id", requestID(c.r)))
		}
	}
	w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	cause := v.Err
	if cause == nil {
		cause = errors.New("it cannot be known now whether there is a session that may do this")
	}
	return c.answer(w, &answer{
		status: http.StatusServiceUnavailable, reason: sessions.ReasonUnavailable.String(), cause: cause,
		page: page{Title: "One moment", Text: "Your session cannot be looked up right now. You are not signed out: please try again in a few seconds."},
	})
}

// forbidden answers a user who does not satisfy a rule.
func (c *requestContext) forbidden(w http.ResponseWriter, v *sessions.Verdict) error {
	c.h.metrics.refused.WithLabelValues("requirement").Inc()
	return c.answer(w, &answer{
		status: http.StatusForbidden, reason: "requirement",
		cause: fmt.Errorf("session %s lacks what a rule requires", v.Session.Selector.ID()),
		page:  page{Title: "Not for you", Text: "You are signed in, but you may not see this page. If you should, ask whoever looks after this site."},
	})
}

// notAllowed answers a user whom `allow` does not admit. The rule may be newer than their session.
func (c *requestContext) notAllowed(w http.ResponseWriter, v *sessions.Verdict) error {
	c.h.metrics.refused.WithLabelValues("allow").Inc()
	return c.answer(w, &answer{
		status: http.StatusForbidden, reason: "not_allowed", login: c.otherUserAddress(c.referrer()),
		cause: fmt.Errorf("session %s is not admitted by allow of provider %q", v.Session.Selector.ID(), v.Session.Provider),
		page:  c.notAllowedPage(c.sent.URL.RequestURI()),
	})
}

// notAllowedPage tells a user that their account may not use this site, and offers another account.
func (c *requestContext) notAllowedPage(returnTo string) page {
	return page{
		Title:  "You cannot sign in here",
		Text:   "Your account is known, but it is not among those that may use this site. If it should be, ask whoever looks after the site.",
		Action: c.otherUserAddress(returnTo), Label: "Sign in as somebody else",
	}
}

// otherUserAddress begins a login at which the provider asks for an account again. Without that the provider
// would answer with the account that it knows already.
func (c *requestContext) otherUserAddress(returnTo string) string {
	address := c.loginAddress(returnTo)
	if strings.Contains(address, "?") {
		return address + "&prompt=login"
	}
	return address + "?prompt=login"
}

// refuseCrossSite answers a request that a page of another site made.
func (c *requestContext) refuseCrossSite(w http.ResponseWriter) error {
	c.h.metrics.refused.WithLabelValues("csrf").Inc()
	return c.answer(w, &answer{
		status: http.StatusForbidden, reason: "cross-site", cause: errors.New("a cross-site request"),
		page: page{Title: "Not sent", Text: "This request came from another site, so it was not carried out."},
	})
}

// tooManyCookies answers a browser that sends too many session cookies. It deletes the cookies of unfinished logins, so
// that the next request succeeds.
func (c *requestContext) tooManyCookies(w http.ResponseWriter) error {
	c.h.metrics.refused.WithLabelValues("cookies").Inc()
	for _, f := range c.cookies.flows {
		addCookie(w.Header(), f.name, "", -1)
	}
	return c.answer(w, &answer{
		status: http.StatusBadRequest, reason: "cookies", cause: fmt.Errorf("%d cookies of ours came with one request", c.cookies.count),
		page: page{Title: "Too many cookies", Text: "Your browser has sent more cookies of this site than it can have. Please try again."},
	})
}

// answer writes an answer in the form that the client reads, or returns it as an error for handle_errors.
func (c *requestContext) answer(w http.ResponseWriter, a *answer) error {
	if c.h.Errors == errorsHandle {
		c.ours(w.Header())
		return caddyhttp.Error(a.status, a.cause)
	}
	if a.page.Title != "" && (c.kind == navigation || c.kind == form) {
		return c.page(w, a.status, a.page)
	}
	return c.problem(w, a.status, problem{Reason: a.reason, Login: a.login})
}

// ours adds what all answers of this handler have: no cache may keep them, and pages of the origins in
// `cors` may read them.
func (c *requestContext) ours(h http.Header) {
	h.Set("Cache-Control", "no-store")
	c.h.share(h, c.from)
}

// problem writes a problem.
func (c *requestContext) problem(w http.ResponseWriter, status int, p problem) error {
	p.Type, p.Title, p.Status, p.RequestID = "about:blank", http.StatusText(status), status, requestID(c.r)
	return c.json(w, status, "application/problem+json", p)
}

func (c *requestContext) json(w http.ResponseWriter, status int, contentType string, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return caddyhttp.Error(http.StatusInternalServerError, err)
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	c.ours(h)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that went away is told nothing
	return nil
}

// redirect sends a browser on.
func (c *requestContext) redirect(w http.ResponseWriter, status int, address string) error {
	h := w.Header()
	h.Set("Location", address)
	c.ours(h)
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	return nil
}

// loginAddress returns the address of a login that returns to a page of this site.
func (c *requestContext) loginAddress(returnTo string) string {
	address := c.h.Prefix + "/login"
	if returnTo = oidc.ReturnTo(returnTo, ""); returnTo != "" {
		address += "?return_to=" + url.QueryEscape(returnTo)
	}
	return address
}

// referrer returns the page of this site that made the request, empty if unknown.
func (c *requestContext) referrer() string {
	u, err := url.Parse(c.r.Header.Get("Referer"))
	if err != nil || u.Host == "" || (origin{u.Scheme, u.Host}).String() != c.at.String() {
		return ""
	}
	if _, ours := c.h.endpoint(u.Path); ours {
		return ""
	}
	return u.RequestURI()
}
