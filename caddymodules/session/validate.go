package session

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// Defaults of a handler.
const (
	defaultPrefix      = "/_auth"
	defaultCookie      = "__Host-sid"
	defaultIdle        = 15 * time.Minute
	defaultAbsolute    = 24 * time.Hour
	defaultRotation    = time.Hour
	defaultRideThrough = 10 * time.Minute
	defaultOpTimeout   = 150 * time.Millisecond
	largestOpTimeout   = 10 * time.Second
)

// Words of settings.
const (
	on  = "on"
	off = "off"

	navigateAuto = "auto"

	reuseDeny   = "deny"
	reuseRevoke = "revoke"

	fullOldest = "oldest"
	fullDeny   = "deny"

	logoutLocal = "local"
	logoutRP    = "rp"

	clearCache = "cache"
	clearAll   = "cache,storage"

	errorsWrite  = "write"
	errorsHandle = "handle"
)

func setDefault[T comparable](setting *T, value T) {
	var zero T
	if *setting == zero {
		*setting = value
	}
}

func (h *Handler) setDefaults() {
	setDefault(&h.Prefix, defaultPrefix)
	setDefault(&h.Cookie, defaultCookie)
	setDefault(&h.Idle, caddy.Duration(defaultIdle))
	setDefault(&h.Absolute, caddy.Duration(defaultAbsolute))
	setDefault(&h.OnOutage, outages[0])
	setDefault(&h.Reuse, reuseDeny)
	setDefault(&h.WhenFull, fullOldest)
	setDefault(&h.AfterLogin, "/")
	setDefault(&h.AfterLogout, "/")
	setDefault(&h.Logout, logoutLocal)
	setDefault(&h.ClearSiteData, clearCache)
	setDefault(&h.Errors, errorsWrite)
	setDefault(&h.OpTimeout, caddy.Duration(defaultOpTimeout))
	setDefault(&h.MaxCopies, sessions.DefaultCopies)
	if h.Rotation == nil {
		rotation := caddy.Duration(defaultRotation)
		h.Rotation = &rotation
	}
	if h.RideThrough == nil {
		ride := caddy.Duration(defaultRideThrough)
		h.RideThrough = &ride
	}
	for _, p := range h.Providers {
		if p != nil {
			setDefault(&p.UserID, userIDProvider)
			if len(p.Scopes) == 0 {
				p.Scopes = []string{"openid", "profile", "email"}
			}
			if len(p.Claims) == 0 {
				p.Claims = []string{"email", "name", claimGroups}
			}
		}
	}
}

var (
	prefixForm   = regexp.MustCompile(`^(/[A-Za-z0-9_.~-]*[A-Za-z0-9_~-])+$`)
	cookieForm   = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	providerForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)
	spaceForm    = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	hostForm     = regexp.MustCompile(`^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{0,4})?$`)
	claimForm    = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,128}$`)
)

// taken are claims under whose names the handler sets something else.
var taken = []string{"id", "sub", "iss", "provider", claimACR, "auth_time", "session", "access_token"}

// Validate says what is wrong with the configuration, naming setting and cure. It changes nothing;
// defaults must have been set.
func (h *Handler) Validate() error {
	if err := h.validateNames(); err != nil {
		return err
	}
	if err := h.validateTimes(); err != nil {
		return err
	}
	if err := errors.Join(
		oneOf("on_outage", h.OnOutage, outages[:3]...),
		oneOf("reuse", h.Reuse, reuseDeny, reuseRevoke),
		oneOf("max_sessions", h.WhenFull, fullOldest, fullDeny),
		oneOf("logout", h.Logout, logoutLocal, logoutRP),
		oneOf("clear_site_data", h.ClearSiteData, clearCache, clearAll, off),
		oneOf("errors", h.Errors, errorsWrite, errorsHandle),
	); err != nil {
		return err
	}
	if h.MaxSessions < 0 {
		return fmt.Errorf("max_sessions must not be negative, got %d: 0 sets no bound", h.MaxSessions)
	}
	if h.MaxCopies < 1 {
		return fmt.Errorf("max_copies must be positive, got %d", h.MaxCopies)
	}
	for i, r := range h.Rules {
		if r == nil {
			return fmt.Errorf("rule %d is null: remove it", i+1)
		}
		if err := r.validate(h); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
	}
	return h.validateProviders()
}

func (h *Handler) validateNames() error {
	switch {
	case !prefixForm.MatchString(h.Prefix):
		return fmt.Errorf("prefix must be a path of letters, digits, - and _ without a slash at its end, got %q: write it as in: prefix /_auth", h.Prefix)
	case !cookieForm.MatchString(h.Cookie):
		return fmt.Errorf("cookie must be a name of letters, digits, - and _, got %q: write it as in: cookie __Host-sid", h.Cookie)
	case strings.HasPrefix(strings.ToLower(h.Cookie), "__") && !strings.HasPrefix(h.Cookie, hostPrefix):
		return fmt.Errorf("cookie %q begins like a name that browsers treat in a special way: use __Host-", h.Cookie)
	case h.KeyNamespace != "" && !spaceForm.MatchString(h.KeyNamespace):
		return fmt.Errorf("namespace must be 1 to 64 letters, digits, dots, - or _, got %q", h.KeyNamespace)
	}
	for setting, path := range map[string]string{"after_login": h.AfterLogin, "after_logout": h.AfterLogout} {
		if oidc.ReturnTo(path, "") == "" {
			return fmt.Errorf("%s must be a path of this site, got %q: write it as in: %s /", setting, path, setting)
		}
	}
	for _, setting := range []struct {
		name    string
		origins []string
	}{{"origin", h.Origins}, {"trusted_origins", h.TrustedOrigins}, {"cors", h.CORS}} {
		for _, text := range setting.origins {
			if strings.Contains(text, "{") {
				continue // validated when its placeholders are replaced
			}
			if _, err := parseOrigin(text); err != nil {
				return fmt.Errorf("%s: %w", setting.name, err)
			}
		}
	}
	return nil
}

// parseOrigin reads scheme, host and port, and writes them as browsers do.
func parseOrigin(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") ||
		!strings.EqualFold(strings.TrimSuffix(text, "/"), u.Scheme+"://"+u.Host) || !hostForm.MatchString(u.Host) {
		return "", fmt.Errorf("%q is not an origin: write scheme and host, as in: https://app.example.com", text)
	}
	host := strings.ToLower(u.Host)
	if port := map[string]string{"https": ":443", "http": ":80"}[u.Scheme]; strings.HasSuffix(host, port) {
		host = strings.TrimSuffix(host, port)
	}
	return u.Scheme + "://" + host, nil
}

func (h *Handler) validateTimes() error {
	idle, absolute := time.Duration(h.Idle), time.Duration(h.Absolute)
	switch {
	case idle < sessions.MinIdle:
		return fmt.Errorf("idle must be at least %s, got %s: 15m suits most sites", sessions.MinIdle, idle)
	case absolute < idle:
		return fmt.Errorf("absolute must be at least idle (%s), got %s", idle, absolute)
	case *h.Rotation != 0 && time.Duration(*h.Rotation) < time.Second:
		return fmt.Errorf("rotation must be 0 (off) or at least 1s, got %s", time.Duration(*h.Rotation))
	case *h.RideThrough < 0 || time.Duration(*h.RideThrough) > sessions.MaxRideThrough:
		return fmt.Errorf("ride_through must be between 0 (off) and %s, got %s: for that long a stolen pair of cookies may outlive its logout",
			sessions.MaxRideThrough, time.Duration(*h.RideThrough))
	case h.OpTimeout < 0 || time.Duration(h.OpTimeout) > largestOpTimeout:
		return fmt.Errorf("op_timeout must be above 0 and at most %s, got %s: 150ms suits a Redis in the same network",
			largestOpTimeout, time.Duration(h.OpTimeout))
	}
	return nil
}

func (h *Handler) validateProviders() error {
	if len(h.Providers) == 0 {
		return errors.New("there is no provider: name one, as in: provider corp { issuer https://login.example.com }")
	}
	seen := make(map[string]bool)
	for _, p := range h.Providers {
		switch {
		case p == nil:
			return errors.New("a provider is null: remove it")
		case !providerForm.MatchString(p.Name):
			return fmt.Errorf("provider %q: its name must be 1 to 32 letters, digits, - and _: it is part of addresses and user ids", p.Name)
		case seen[p.Name]:
			return fmt.Errorf("provider %q is there twice: give one of them another name", p.Name)
		}
		seen[p.Name] = true
		if err := p.validate(len(h.Providers)); err != nil {
			return fmt.Errorf("provider %q: %w", p.Name, err)
		}
	}
	return nil
}

func (c *Provider) validate(providers int) error {
	switch {
	case c.Issuer == "":
		return errors.New("issuer is missing: set it exactly as the provider calls itself, as in: issuer https://login.example.com")
	case c.ClientID == "":
		return errors.New("client_id is missing: register the site at the provider, and set the name that it gives")
	case c.UserID != userIDProvider && providers > 1:
		return fmt.Errorf("user_id %s needs a single provider: of several, two could give different people one id", c.UserID)
	case c.Leeway < 0 || time.Duration(c.Leeway) > 5*time.Minute:
		return fmt.Errorf("leeway must be between 0s and 5m, got %s", time.Duration(c.Leeway))
	}
	names := slices.Clone(c.Claims)
	if id := c.idClaim(); id != "" {
		names = append(names, id)
	}
	for _, name := range names {
		switch {
		case !claimForm.MatchString(name):
			return fmt.Errorf("claims: %q cannot be the name of a claim", name)
		case slices.Contains(taken, name):
			return fmt.Errorf("claims: {http.auth.user.%s} is set anyway: remove %s", name, name)
		}
	}
	for _, q := range c.Allow {
		if err := q.validate(); err != nil {
			return fmt.Errorf("allow: %w", err)
		}
	}
	return nil
}

func (q *Requirement) validate() error {
	if q.Claim == "" || len(q.Values) == 0 {
		return errors.New("it takes a claim and one value or more")
	}
	return nil
}

func (r *Rule) validate(h *Handler) error {
	for _, q := range r.Require {
		if err := q.validate(); err != nil {
			return fmt.Errorf("require: %w", err)
		}
		if q.Claim == "max_age" {
			return errors.New("require max_age is not built yet in this version: remove it")
		}
		if q.Claim == claimACR {
			continue
		}
		for _, p := range h.Providers {
			if p != nil && !slices.Contains(p.Claims, q.Claim) && p.idClaim() != q.Claim {
				return fmt.Errorf("require: provider %q does not keep the claim %s, so nobody would pass: add it to its claims", p.Name, q.Claim)
			}
		}
	}
	switch idle, absolute := time.Duration(r.Idle), time.Duration(r.Absolute); {
	case idle != 0 && (idle < sessions.MinIdle || idle >= time.Duration(h.Idle)):
		return fmt.Errorf("idle must be at least %s and shorter than the site's %s, got %s", sessions.MinIdle, time.Duration(h.Idle), idle)
	case absolute != 0 && (absolute < time.Second || absolute >= time.Duration(h.Absolute)):
		return fmt.Errorf("absolute must be at least 1s and shorter than the site's %s, got %s", time.Duration(h.Absolute), absolute)
	}
	return errors.Join(
		unset("on_outage", r.OnOutage, outages...),
		unset("navigate", r.Navigate, navigateAuto, on, off),
		unset("csrf", r.CSRF, on, off),
	)
}

// unset is oneOf for a setting that may be left out.
func unset(setting, value string, allowed ...string) error {
	if value == "" {
		return nil
	}
	return oneOf(setting, value, allowed...)
}

// oneOf reports whether a setting has one of its values.
func oneOf(setting, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return fmt.Errorf("%s %q is not one of %s", setting, value, strings.Join(allowed, ", "))
}

// readSecrets opens the sealing keys. One that is empty after its placeholders are replaced is not
// there, like a Redis whose address is: whether that will do, join knows.
func (h *Handler) readSecrets() error {
	for _, s := range h.Secrets {
		if caddy.NewReplacer().ReplaceKnown(s.Value, "") == "" {
			h.emptySecret = s.ID
			continue
		}
		value, err := readSecret("secret "+s.ID, s.Value)
		if err != nil {
			return err
		}
		key, err := sessions.ParseKey(s.ID, value)
		if err != nil {
			return err
		}
		h.keys = append(h.keys, key)
	}
	if len(h.keys) == 0 {
		return nil
	}
	_, err := sessions.NewKeys(h.keys...)
	return err
}

// warn logs what is valid and yet surely not meant.
func (h *Handler) warn() {
	if !strings.HasPrefix(h.Cookie, hostPrefix) {
		h.logger.Warn("the cookie's name does not begin with __Host-, so a sibling subdomain could plant one: use the default name")
	}
	for o := range h.cors {
		if scheme, host, _ := strings.Cut(o, "://"); !(origin{scheme, host}).secure() {
			h.logger.Warn("cors shares what people see with a page that comes by plain http, which anybody on the way can replace: use https", zap.String("origin", o))
		}
	}
	if h.sharedState.link == nil {
		h.logger.Warn("sessions are kept in this process alone: other nodes do not know them, and a restart signs everybody out; configure the global option redis to share them")
	}
	for _, set := range h.public {
		if len(set.MatcherSet) == 0 {
			h.logger.Warn("public * lets every request pass without a session")
		}
	}
}
