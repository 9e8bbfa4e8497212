package session

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// logout shows a button, and signs out by it: an address that signs out when it is looked at could be
// a picture on another site.
func (c *requestContext) logout(w http.ResponseWriter) error {
	if c.r.Method != http.MethodPost {
		return c.page(w, http.StatusOK, page{
			Title: "Sign out?", Text: "You will have to sign in again to go on.",
			Action: c.h.Prefix + "/logout", Label: "Sign out", Post: true, FormOrigin: c.formOrigin(),
		})
	}
	if c.h.crossSite(c.r, c.at) {
		return c.refuseCrossSite(w)
	}
	token := ""
	if cookie, ok := sessions.ParseCookie(c.cookies.session); ok && c.h.Logout == logoutRP {
		// It is buried with the session.
		token = c.h.idToken(c.r.Context(), cookie.Selector)
	}
	s, err := c.h.manager.Logout(c.r.Context(), c.request(true))
	c.auditLogout(s, err)
	h := w.Header()
	c.h.deleteSession(h)
	switch c.h.ClearSiteData {
	case clearCache:
		h.Set("Clear-Site-Data", `"cache"`)
	case clearAll:
		h.Set("Clear-Site-Data", `"cache", "storage"`)
	}
	to := c.h.AfterLogout
	if s != nil {
		to = c.afterLogout(s, token)
	}
	if c.kind == call && !acceptsHTML(c.r) {
		return c.json(w, http.StatusOK, "application/json", map[string]string{"location": to})
	}
	return c.redirect(w, http.StatusSeeOther, to)
}

// afterLogout is where a logout leads: to the provider too, if that is configured and it has a place
// for it.
func (c *requestContext) afterLogout(s *sessions.Session, token string) string {
	p := c.h.byName[s.Provider]
	if c.h.Logout != logoutRP || p == nil {
		return c.h.AfterLogout
	}
	address, err := p.EndSessionURL(token, c.at.String()+c.h.AfterLogout, "")
	if err != nil {
		if !errors.Is(err, oidc.ErrNoEndSession) {
			c.h.logger.Warn("signed out here and not at the provider", zap.String("provider", p.Name()), zap.Error(err))
		}
		return c.h.AfterLogout
	}
	return address
}

// formOrigin is the provider's origin, to which the form's answer may lead: a policy of 'self' alone
// would have browsers stop there.
func (c *requestContext) formOrigin() string {
	if c.h.Logout != logoutRP {
		return ""
	}
	var origins []string
	for _, p := range c.h.providers {
		address, err := p.EndSessionURL("", "", "")
		if err != nil {
			continue
		}
		if u, err := url.Parse(address); err == nil {
			if o := (origin{u.Scheme, u.Host}); o.valid() {
				origins = append(origins, o.String())
			}
		}
	}
	return strings.Join(origins, " ")
}

func (c *requestContext) auditLogout(s *sessions.Session, err error) {
	result := "done"
	switch {
	case err != nil:
		result = "postponed"
		c.h.logger.Warn("a logout holds on this node and reaches the others when redis is back", zap.Error(err))
	case s == nil:
		result = "none"
	}
	c.h.metrics.logouts.WithLabelValues(result).Inc()
	if s == nil {
		return
	}
	id := s.Provider + ":" + s.Subject
	if p := c.h.byName[s.Provider]; p != nil {
		if named, known := p.userID(s); known {
			id = named
		}
	}
	c.h.audit.Info("logout", append(c.who(id, s), zap.String("result", result))...)
}
