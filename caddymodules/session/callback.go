package session

import (
	"errors"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// callback finishes a login.
func (c *requestContext) callback(p *provider) func(http.ResponseWriter) error {
	return func(w http.ResponseWriter) error {
		if refused := c.cannotSignIn(); refused != nil {
			return c.answer(w, refused)
		}
		flow, ok := c.flow(w.Header())
		if !ok {
			return c.noFlow(w, p)
		}
		who, tokens, err := p.Login(c.r.Context(), c.sent.URL.Query(), flow, c.redirectURI(p))
		if err != nil {
			return c.loginFailed(w, p, flow, err)
		}
		if claim, ok := p.allows(&who); !ok {
			c.refused(p, "not_allowed", zap.String("subject", who.Subject), zap.String("claim", claim))
			return c.page(w, http.StatusForbidden, c.notAllowedPage(flow.ReturnTo))
		}
		return c.signIn(w, p, flow, &who, tokens)
	}
}

// flow returns the login that this callback finishes. It deletes the cookie of the login, which works once.
func (c *requestContext) flow(header http.Header) (oidc.Flow, bool) {
	states := c.sent.URL.Query()["state"]
	if len(states) != 1 || oidc.FlowID(states[0]) == "" {
		return oidc.Flow{}, false
	}
	name, value, found := c.h.cookies.flow+oidc.FlowID(states[0]), "", 0
	for _, f := range c.cookies.flows {
		if f.name == name {
			value, found = f.value, found+1
		}
	}
	if found != 1 {
		return oidc.Flow{}, false
	}
	sealer, err := c.h.flowSealer(c.at.host)
	if err != nil {
		return oidc.Flow{}, false
	}
	flow, err := sealer.Open(value)
	if err != nil {
		return oidc.Flow{}, false
	}
	addCookie(header, name, "", -1)
	return flow, true
}

// noFlow answers a callback without a login of this browser: a page that was loaded again, a login that took too long,
// or an attacker who wants the user to be signed in as somebody else.
func (c *requestContext) noFlow(w http.ResponseWriter, p *provider) error {
	v := c.h.manager.Check(c.r.Context(), c.request(true))
	c.h.settle(&v)
	if v.Status == sessions.SignedIn {
		return c.redirect(w, http.StatusFound, c.h.AfterLogin)
	}
	c.refused(p, "state")
	return c.tryAgain(w, http.StatusBadRequest, "", "This sign-in has expired, or was begun in another browser. Nothing happened.")
}

// loginFailed answers a login that the provider refused, or whose result was not valid.
func (c *requestContext) loginFailed(w http.ResponseWriter, p *provider, flow oidc.Flow, err error) error {
	if gone := c.r.Context().Err(); gone != nil {
		return gone
	}
	var rejected *oidc.RejectedError
	var response *oidc.ResponseError
	result := "failed"
	switch {
	case errors.Is(err, oidc.ErrUnavailable):
		c.refused(p, "unavailable", zap.Error(err))
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		return c.tryAgain(w, http.StatusServiceUnavailable, flow.ReturnTo, "The sign-in service does not answer right now.")
	case errors.As(err, &response):
		c.refused(p, "declined", zap.Error(err))
		return c.tryAgain(w, http.StatusForbidden, flow.ReturnTo, "The sign-in service did not sign you in.")
	case errors.As(err, &rejected):
		result = "rejected"
		if rejected.Reason == oidc.ReasonState {
			result = "state"
		}
	}
	c.refused(p, result, zap.Error(err))
	return c.tryAgain(w, http.StatusBadRequest, flow.ReturnTo, "What the sign-in service has answered could not be accepted.")
}

func (c *requestContext) tryAgain(w http.ResponseWriter, status int, returnTo, text string) error {
	return c.page(w, status, page{
		Title: "You are not signed in yet", Text: text, Action: c.loginAddress(returnTo), Label: "Try again",
	})
}

// refused counts and audits a login that failed.
func (c *requestContext) refused(p *provider, result string, fields ...zap.Field) {
	c.h.metrics.logins.WithLabelValues(p.Name(), result).Inc()
	c.h.audit.Warn("login refused", append([]zap.Field{
		zap.String("result", result), zap.String("provider", p.Name()),
		zap.String("client_ip", clientIP(c.r)), zap.String("request_id", requestID(c.r)),
	}, fields...)...)
}

// signIn creates the session and redirects the browser to the page that the user asked for.
func (c *requestContext) signIn(w http.ResponseWriter, p *provider, flow oidc.Flow, who *oidc.Identity, tokens oidc.Tokens) error {
	identity := p.identity(who)
	if _, known := p.userID(&sessions.Session{Identity: identity}); !known {
		c.refused(p, "no_id", zap.String("subject", who.Subject), zap.String("claim", p.config.UserID))
		return c.page(w, http.StatusForbidden, page{
			Title: "You cannot sign in here", Text: "Your account lacks what this site knows people by. Ask whoever looks after the site.",
		})
	}
	s, cookies, err := c.h.manager.Login(c.r.Context(), c.request(false), identity)
	switch {
	case errors.Is(err, sessions.ErrTooMany):
		c.refused(p, "too_many", zap.String("subject", who.Subject))
		return c.tryAgain(w, http.StatusForbidden, flow.ReturnTo, "You are signed in on as many devices as you may. Sign out on one of them first.")
	case err != nil:
		c.refused(p, "unavailable", zap.Error(err))
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		return c.tryAgain(w, http.StatusServiceUnavailable, flow.ReturnTo, "Your session could not be stored right now.")
	}
	if err := c.h.keepIDToken(c.r.Context(), s, tokens.ID); err != nil {
		c.h.logger.Warn("the ID token was not kept, so a logout at the provider will ask the person", zap.Error(err))
	}
	id, _ := p.userID(s)
	c.h.metrics.logins.WithLabelValues(p.Name(), "ok").Inc()
	c.h.audit.Info("login", c.who(id, s)...)
	c.h.setSession(w.Header(), cookies)
	return c.redirect(w, http.StatusFound, oidc.ReturnTo(flow.ReturnTo, c.h.AfterLogin))
}

// who returns the fields of an audit line about a user.
func (c *requestContext) who(id string, s *sessions.Session) []zap.Field {
	return []zap.Field{
		zap.String("user", id), zap.String("provider", s.Provider), zap.String("subject", s.Subject),
		zap.String("session", s.Selector.ID()), zap.String("client_ip", clientIP(c.r)), zap.String("request_id", requestID(c.r)),
	}
}
