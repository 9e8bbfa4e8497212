package session

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// Rule asks more of the requests that it matches.
type Rule struct {
	// MatcherSetsRaw are the requests. None: all.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Require lists what who is signed in must have. Each must be fulfilled, or the answer is 403.
	Require []Requirement `json:"require,omitempty"`

	// Idle refuses sessions that were idle for longer, here only. Default: as elsewhere.
	Idle caddy.Duration `json:"idle,omitempty"`

	// Absolute refuses sessions that are older, here only. Default: as elsewhere.
	Absolute caddy.Duration `json:"absolute,omitempty"`

	// OnOutage is what is allowed here while Redis is away: `ride`, `safe-only`, `strict`, or
	// `strict-always`, which asks Redis for each request. Default: as elsewhere.
	OnOutage string `json:"on_outage,omitempty"`

	// Navigate says what becomes of who is not signed in: `on` redirects to the login, `off` answers
	// 401, `auto` goes by the kind of request. Default: auto.
	Navigate string `json:"navigate,omitempty"`

	// CSRF off lets cross-site requests pass, such as a provider's webhooks. Default: on.
	CSRF string `json:"csrf,omitempty"`
}

// rule is a Rule in use.
type rule struct {
	*Rule
	matchers matchers
}

// Claims with a meaning of their own.
const (
	claimGroups = "groups"
	claimACR    = "acr"
)

// outages are the values of on_outage, from the mildest to the strictest.
var outages = []string{"ride", "safe-only", "strict", "strict-always"}

func outageOf(word string) sessions.Outage {
	return sessions.Outage(max(0, slices.Index(outages, word)))
}

// policy is what all rules together require of a request.
type policy struct {
	require        []Requirement
	idle, absolute time.Duration
	outage         sessions.Outage
	navigate       string
	csrf           bool
}

// policyOf combines the rules that match the request. The strictest value of a setting is used, of navigate the last one;
// a setting that no rule has comes from the handler. A rule matches every spelling of its path. A value that is milder than
// the handler's is used only if the path has a single reading.
func (h *Handler) policyOf(r *http.Request) (policy, error) {
	t := policy{outage: outageOf(h.OnOutage), csrf: true, navigate: navigateAuto}
	if len(h.rules) == 0 {
		return t, nil
	}
	readings, sure := []*http.Request{r}, canonical(r)
	if !sure {
		readings = append(readings, pathVariants(r)...)
	}
	outage, csrf := -1, ""
	for _, rule := range h.rules {
		in, err := rule.matchers.matchAny(readings)
		if err != nil {
			return t, err
		}
		if !in {
			continue
		}
		level := slices.Index(outages, rule.OnOutage)
		milder, exactly := level >= 0 && level < int(t.outage), false
		if sure && (milder || rule.CSRF == off) {
			if exactly, err = rule.matchers.matchExactly(r); err != nil {
				return t, err
			}
		}
		t.require = append(t.require, rule.Require...)
		t.idle = shorter(t.idle, time.Duration(rule.Idle))
		t.absolute = shorter(t.absolute, time.Duration(rule.Absolute))
		if !milder || exactly {
			outage = max(outage, level)
		}
		if rule.Navigate != "" {
			t.navigate = rule.Navigate
		}
		if rule.CSRF == on || (rule.CSRF == off && csrf != on && exactly) {
			csrf = rule.CSRF
		}
	}
	if outage >= 0 {
		t.outage = outageOf(outages[outage])
	}
	t.csrf = csrf != off
	return t, nil
}

// shorter of two times, of which zero is none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// authorization is the result of authorize.
type authorization uint8

const (
	satisfied authorization = iota
	// unsatisfied: the session lacks a required value.
	unsatisfied
	// unknown: the session comes from a ticket that had no room for the claim.
	unknown
)

// authorize reports whether a session satisfies the requirements.
func authorize(required []Requirement, s *sessions.Session) authorization {
	result := satisfied
	for _, q := range required {
		var have []string
		cut := false
		switch q.Claim {
		case claimGroups:
			have, cut = s.Groups, s.GroupsCut
		case claimACR:
			if !s.Rebuilt && s.ACR != "" {
				have = []string{s.ACR}
			}
		default:
			have = s.Claims.Values(q.Claim)
			cut = have == nil && s.ClaimsCut
		}
		switch {
		case slices.ContainsFunc(have, func(v string) bool { return slices.Contains(q.Values, v) }):
		case cut:
			result = max(result, unknown)
		default:
			return unsatisfied
		}
	}
	return result
}

// loadMatchers compiles those of public, passive and the rules.
func (h *Handler) loadMatchers(ctx caddy.Context) (err error) {
	if h.public, err = loadMatchers(ctx, h, "PublicRaw", h.PublicRaw); err != nil {
		return fmt.Errorf("public: %w", err)
	}
	if h.passive, err = loadMatchers(ctx, h, "PassiveRaw", h.PassiveRaw); err != nil {
		return fmt.Errorf("passive: %w", err)
	}
	for i, r := range h.Rules {
		compiled := &rule{Rule: r}
		if len(r.MatcherSetsRaw) == 0 {
			compiled.matchers = matchers{{}} // one set that asks nothing
			h.rules = append(h.rules, compiled)
			continue
		}
		if compiled.matchers, err = loadMatchers(ctx, r, "MatcherSetsRaw", r.MatcherSetsRaw); err != nil {
			return fmt.Errorf("rule %d: %w", i+1, err)
		}
		h.rules = append(h.rules, compiled)
	}
	return nil
}
