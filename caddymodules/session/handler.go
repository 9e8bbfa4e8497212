package session

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// ServeHTTP decides which session a request has. It forwards the request, or answers it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	c := requestContext{h: h, r: r, sent: original(r), at: originOf(r), kind: kindOf(r), from: h.sharedWith(r)}
	if c.preflight() {
		return c.allow(w) // a preflight has no cookies, so it is answered first
	}
	c.cookies = h.cookies.take(r.Header)
	if c.cookies.count > maxCookies {
		return c.tooManyCookies(w)
	}
	if endpoint, ok := h.endpoint(c.sent.URL.Path); ok {
		return c.serve(w, endpoint)
	}
	public, err := c.public()
	if err != nil {
		return err
	}
	if c.policy, err = h.policyOf(c.sent); err != nil {
		return err
	}
	if c.policy.csrf && h.crossSite(r, c.at) {
		return c.refuseCrossSite(w)
	}
	v, err := c.check()
	if err != nil {
		return err
	}
	c.placeholders = publish(r, &v)
	switch {
	case v.Status == sessions.SignedIn:
		return c.pass(w, next, &v, public)
	case public:
		return c.forward(w, next, &v)
	case v.Status == sessions.Undecided:
		return c.unavailable(w, &v)
	default:
		return c.signedOut(w, &v)
	}
}

// requestContext holds what the handler knows of one request.
type requestContext struct {
	h *Handler
	r *http.Request
	// sent is the request as the client sent it, before rewrites.
	sent *http.Request
	at   origin
	kind kind
	// from is the origin of `cors` whose page has made the request, if one has.
	from    string
	cookies presented
	policy  policy
	// placeholders are the placeholders, once there is a verdict.
	placeholders *published
}

// public reports whether the request passes without a session.
func (c *requestContext) public() (bool, error) {
	if len(c.h.public) == 0 || !canonical(c.sent) {
		return false, nil
	}
	return c.h.public.matchExactly(c.sent)
}

// check asks the manager for the session of the request.
func (c *requestContext) check() (sessions.Verdict, error) {
	passive, err := c.h.passive.match(c.sent)
	if err != nil {
		return sessions.Verdict{}, err
	}
	v := c.h.manager.Check(c.r.Context(), c.request(passive))
	c.h.settle(&v)
	c.h.metrics.count(&v)
	if v.Reason == sessions.ReasonReuse && v.Status == sessions.SignedOut {
		c.h.audit.Warn("a session's secret was used that was replaced long ago, somebody may have copied the cookie",
			zap.String("client_ip", clientIP(c.r)), zap.String("owner_ip", v.Owner),
			zap.Bool("session_ended", c.h.Reuse == reuseRevoke), zap.String("request_id", requestID(c.r)))
	}
	return v, nil
}

// request is the input of the manager.
func (c *requestContext) request(passive bool) sessions.Request {
	return sessions.Request{
		Cookie: c.cookies.session, Ticket: c.cookies.ticket,
		Host: c.at.host, Addr: clientIP(c.r),
		Passive: passive, Safe: safe(c.r), Speculative: c.kind == prefetch,
		Outage: c.policy.outage, Idle: c.policy.idle, Absolute: c.policy.absolute,
	}
}

// settle rejects a session that was made at another site: by another provider, by a provider that is not
// configured here any more, or for another client. All sites of a Redis share its sessions, and a user can
// copy a cookie from one site to another.
func (h *Handler) settle(v *sessions.Verdict) {
	if v.Status != sessions.SignedIn {
		return
	}
	if p := h.byName[v.Session.Provider]; p == nil || p.Issuer() != v.Session.Issuer || p.config.ClientID != v.Session.ClientID {
		v.Status, v.Reason, v.Session = sessions.SignedOut, sessions.ReasonNone, nil
	}
}

// pass forwards the request if the session satisfies allow and the requirements of the rules.
func (c *requestContext) pass(w http.ResponseWriter, next caddyhttp.Handler, v *sessions.Verdict, public bool) error {
	p := c.h.byName[v.Session.Provider]
	id, known := p.userID(v.Session)
	if !known {
		if public {
			return c.forward(w, next, v)
		}
		return c.unavailable(w, v)
	}
	switch authorize(p.config.Allow, v.Session) {
	case unsatisfied:
		if public {
			return c.forward(w, next, v) // without a user: the app must not see this one
		}
		return c.notAllowed(w, v)
	case unknown:
		if public {
			return c.forward(w, next, v)
		}
		return c.unavailable(w, v)
	case satisfied:
	}
	if !public {
		switch authorize(c.policy.require, v.Session) {
		case unsatisfied:
			return c.forbidden(w, v)
		case unknown:
			return c.unavailable(w, v)
		case satisfied:
		}
	}
	c.placeholders.signIn(c.r, p, id, v.Session)
	return c.forward(w, next, v)
}

// forward calls the next handler. The response gets the cookies that are due.
func (c *requestContext) forward(w http.ResponseWriter, next caddyhttp.Handler, v *sessions.Verdict) error {
	rw := &response{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		h:                     c.h, ctx: c.r.Context(), verdict: v, upgrade: upgrades(c.r), from: c.from,
	}
	if err := next.ServeHTTP(rw, c.r); err != nil {
		if !rw.begun {
			c.h.share(w.Header(), c.from)
		}
		return err // a handler that renders the error may allow caches to store it
	}
	// If the next handler wrote nothing, an outer handler writes the response.
	rw.begin(http.StatusOK)
	return nil
}

// retryAfter is the wait that a client is told while Redis is unavailable: a failover commonly takes as long.
const retryAfter = 5 * time.Second
