package session

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
)

// largestMaxAge bounds the max_age that an address may ask for, in seconds.
const largestMaxAge = 365 * 24 * 60 * 60

// promptLogin has the provider ask for an account and a password, although it knows the browser already
// (OpenID Connect Core 1.0, 3.1.2.1).
const promptLogin = "login"

// login sends a person to a provider; nil lets them choose.
func (c *requestContext) login(p *provider) func(http.ResponseWriter) error {
	return func(w http.ResponseWriter) error {
		if refused := c.cannotSignIn(); refused != nil {
			return c.answer(w, refused)
		}
		if p == nil && len(c.h.providers) > 1 {
			return c.choose(w)
		}
		if p == nil {
			p = c.h.providers[0]
		}
		if c.h.sharedState.node.Away() || !p.Status().Ready {
			return c.loginUnavailable(w, p)
		}
		return c.begin(w, p)
	}
}

// cannotSignIn says why nobody can sign in by this request, if so.
func (c *requestContext) cannotSignIn() *answer {
	switch {
	case c.kind != navigation:
		// A login that nobody looks at would only leave a cookie behind.
		return &answer{
			status: http.StatusUnauthorized, reason: "navigation", login: c.h.Prefix + "/login",
			cause: errors.New("a login is a page that a person goes to"),
		}
	case !c.at.valid() || (len(c.h.origins) > 0 && !c.h.origins[c.at.String()]):
		a := &answer{
			status: http.StatusMisdirectedRequest, reason: "origin", cause: errors.New("nobody signs in at this address: it is no origin of the session"),
			page: page{Title: "Not at this address", Text: "Nobody can sign in at this address."},
		}
		if len(c.h.Origins) > 0 && c.at.valid() {
			if to, err := parseOrigin(c.h.Origins[0]); err == nil {
				a.page.Action, a.page.Label = to+c.h.Prefix+"/login", "Sign in at "+to
			}
		}
		return a
	case !c.at.secure():
		return &answer{
			status: http.StatusForbidden, reason: "insecure", cause: errors.New("a browser keeps no session over plain http"),
			page: page{Title: "Not over plain http", Text: "Signing in needs an encrypted connection. Open this page by https."},
		}
	}
	return nil
}

func (c *requestContext) choose(w http.ResponseWriter) error {
	p := page{Title: "Sign in"}
	values := url.Values{}
	if to := c.returnTo(); to != c.h.AfterLogin {
		values.Set("return_to", to)
	}
	if c.sent.URL.Query().Get("prompt") == promptLogin {
		values.Set("prompt", promptLogin)
	}
	query := ""
	if len(values) > 0 {
		query = "?" + values.Encode()
	}
	for _, provider := range c.h.providers {
		p.Choices = append(p.Choices, choice{Address: c.h.Prefix + "/login/" + provider.Name() + query, Label: "Continue with " + provider.Name()})
	}
	return c.page(w, http.StatusOK, p)
}

// loginUnavailable answers when a login could not come to its end.
func (c *requestContext) loginUnavailable(w http.ResponseWriter, p *provider) error {
	c.h.metrics.logins.WithLabelValues(p.Name(), "unavailable").Inc()
	w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	return c.page(w, http.StatusServiceUnavailable, page{
		Title: "Signing in is not possible right now", Text: "A service that is needed for it does not answer. Please try again in a few seconds.",
		Action: c.loginAddress(c.returnTo()), Label: "Try again",
	})
}

// returnTo is where the login leads, never back to a login.
func (c *requestContext) returnTo() string {
	to := oidc.ReturnTo(c.sent.URL.Query().Get("return_to"), c.h.AfterLogin)
	if u, err := url.Parse(to); err != nil {
		return c.h.AfterLogin
	} else if _, ours := c.h.endpoint(u.Path); ours {
		return c.h.AfterLogin
	}
	return to
}

// begin notes the login in a cookie and sends the browser to the provider.
func (c *requestContext) begin(w http.ResponseWriter, p *provider) error {
	flow := oidc.NewFlow(p.Name(), c.returnTo(), c.h.now())
	if age, err := strconv.Atoi(c.sent.URL.Query().Get("max_age")); err == nil && age >= 0 && age <= largestMaxAge {
		flow = flow.WithMaxAge(time.Duration(age) * time.Second)
	}
	prompt := ""
	if c.sent.URL.Query().Get("prompt") == promptLogin {
		prompt = promptLogin
	}
	address, err := p.AuthURL(flow, oidc.AuthRequest{RedirectURI: c.redirectURI(p), Prompt: prompt})
	if err != nil {
		c.h.logger.Warn("a login could not begin", zap.String("provider", p.Name()), zap.Error(err))
		return c.loginUnavailable(w, p)
	}
	sealer, err := c.h.flowSealer(c.at.host)
	if err != nil {
		return err
	}
	sealed, err := sealer.Seal(flow)
	if err != nil {
		return err
	}
	for _, old := range c.surplus(sealer) {
		addCookie(w.Header(), old, "", -1)
	}
	addCookie(w.Header(), c.h.cookies.flow+oidc.FlowID(flow.State), sealed, int(oidc.FlowLifetime.Seconds()))
	return c.redirect(w, http.StatusFound, address)
}

// surplus are the cookies of logins under way that make room for one more: those that cannot be
// finished any more, then the oldest.
func (c *requestContext) surplus(sealer *oidc.FlowSealer) (names []string) {
	type begun struct {
		name string
		at   int64
	}
	var open []begun
	for _, f := range c.cookies.flows {
		if flow, err := sealer.Open(f.value); err == nil {
			open = append(open, begun{f.name, flow.Created})
		} else {
			names = append(names, f.name)
		}
	}
	slices.SortStableFunc(open, func(a, b begun) int { return cmp.Compare(a.at, b.at) })
	for len(open) >= maxFlows {
		names = append(names, open[0].name)
		open = open[1:]
	}
	return names
}

func (c *requestContext) redirectURI(p *provider) string {
	return c.at.String() + c.h.Prefix + "/callback/" + p.Name()
}
