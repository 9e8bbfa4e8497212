package session

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// one reads the value of an option that has exactly one.
func one(d httpcaddyfile.Helper) (string, error) {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", fmt.Errorf("it takes one value, got %d", len(args))
	}
	return args[0], nil
}

func text[T any](field func(*T) *string) func(httpcaddyfile.Helper, *T) error {
	return func(d httpcaddyfile.Helper, t *T) (err error) {
		*field(t), err = one(d)
		return err
	}
}

// list adds to a field, so that an option which may be repeated can be.
func list[T any](field func(*T) *[]string) func(httpcaddyfile.Helper, *T) error {
	return func(d httpcaddyfile.Helper, t *T) error {
		args := d.RemainingArgs()
		if len(args) == 0 {
			return errors.New("it takes one value or more")
		}
		*field(t) = append(*field(t), args...)
		return nil
	}
}

func duration[T any](field func(*T) *caddy.Duration) func(httpcaddyfile.Helper, *T) error {
	return func(d httpcaddyfile.Helper, t *T) error {
		value, err := one(d)
		if err != nil {
			return err
		}
		parsed, err := caddy.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%q is not a duration", value)
		}
		if parsed == 0 {
			return errors.New("it must be positive")
		}
		*field(t) = caddy.Duration(parsed)
		return nil
	}
}

// optional is duration for a field of which zero is not the default.
func optional[T any](field func(*T) **caddy.Duration) func(httpcaddyfile.Helper, *T) error {
	return func(d httpcaddyfile.Helper, t *T) error {
		value, err := one(d)
		if err != nil {
			return err
		}
		parsed, err := caddy.ParseDuration(value)
		if err != nil && value != "0" {
			return fmt.Errorf("%q is not a duration", value)
		}
		set := caddy.Duration(parsed)
		*field(t) = &set
		return nil
	}
}

func whole[T any](field func(*T) *int) func(httpcaddyfile.Helper, *T) error {
	return func(d httpcaddyfile.Helper, t *T) error {
		value, err := one(d)
		if err != nil {
			return err
		}
		if *field(t), err = strconv.Atoi(value); err != nil {
			return fmt.Errorf("%q is not a whole number", value)
		}
		return nil
	}
}

func requirement[T any](field func(*T) *[]Requirement) func(httpcaddyfile.Helper, *T) error {
	return func(d httpcaddyfile.Helper, t *T) error {
		args := d.RemainingArgs()
		if len(args) < 2 {
			return errors.New("it takes a claim and one value or more")
		}
		*field(t) = append(*field(t), Requirement{Claim: args[0], Values: args[1:]})
		return nil
	}
}

func parseSecret(d httpcaddyfile.Helper, h *Handler) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		// The values stay out of the error.
		return fmt.Errorf("it takes an id and a value, got %d values", len(args))
	}
	h.Secrets = append(h.Secrets, Secret{ID: args[0], Value: args[1]})
	return nil
}

func parseCookie(d httpcaddyfile.Helper, h *Handler) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 || (len(args) == 2 && args[1] != "persist") {
		return errors.New("it takes a name, and persist")
	}
	h.Cookie, h.Persist = args[0], len(args) == 2
	return nil
}

func parseMaxSessions(d httpcaddyfile.Helper, h *Handler) (err error) {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 {
		return errors.New("it takes a number, and oldest or deny")
	}
	if h.MaxSessions, err = strconv.Atoi(args[0]); err != nil {
		return fmt.Errorf("%q is not a whole number", args[0])
	}
	if len(args) == 2 {
		h.WhenFull = args[1]
	}
	return nil
}

func parseAuthParam(d httpcaddyfile.Helper, p *Provider) error {
	args := d.RemainingArgs()
	if len(args) != 2 {
		return fmt.Errorf("it takes a name and a value, got %d values", len(args))
	}
	if _, ok := p.AuthParams[args[0]]; ok {
		return fmt.Errorf("%s is set twice", args[0])
	}
	if p.AuthParams == nil {
		p.AuthParams = make(map[string]string)
	}
	p.AuthParams[args[0]] = args[1]
	return nil
}

func parseUserInfo(d httpcaddyfile.Helper, p *Provider) error {
	value, err := one(d)
	if err != nil {
		return err
	}
	p.UserInfo = value == on
	return oneOf("userinfo", value, on, off)
}

// parseMatchers reads matchers of a line, of which one suffices.
func parseMatchers(d httpcaddyfile.Helper) (sets caddyhttp.RawMatcherSets, err error) {
	for d.CountRemainingArgs() > 0 {
		set, ok, err := d.MatcherToken()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%q is no matcher: name one with @, or write a path or *", d.Val())
		}
		if set == nil {
			set = caddy.ModuleMap{}
		}
		sets = append(sets, set)
	}
	if len(sets) == 0 {
		return nil, errors.New("it takes one matcher or more")
	}
	return sets, nil
}

func parsePublic(d httpcaddyfile.Helper, h *Handler) error {
	sets, err := parseMatchers(d)
	h.PublicRaw = append(h.PublicRaw, sets...)
	return err
}

func parsePassive(d httpcaddyfile.Helper, h *Handler) error {
	sets, err := parseMatchers(d)
	h.PassiveRaw = append(h.PassiveRaw, sets...)
	return err
}

func parseProvider(d httpcaddyfile.Helper, h *Handler) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("session: provider takes one name, got %d: write it as in: provider corp { ... }", len(args))
	}
	p := &Provider{Name: args[0]}
	h.Providers = append(h.Providers, p)
	return parseBlock(d, fmt.Sprintf("provider %q: ", p.Name), providerOptions(), p)
}

func parseRule(d httpcaddyfile.Helper, h *Handler) error {
	usage := "; write it as in: rule @admin { ... }"
	if n := d.CountRemainingArgs(); n != 1 {
		return d.Errf("session: rule takes one matcher, got %d%s", n, usage)
	}
	set, ok, err := d.MatcherToken()
	name := d.Val()
	if err != nil {
		return d.WrapErr(fmt.Errorf("session: rule: %w", err))
	}
	if !ok {
		return d.Errf("session: rule: %q is no matcher: name one with @, or write a path or *%s", name, usage)
	}
	r := new(Rule)
	if set != nil {
		r.MatcherSetsRaw = caddyhttp.RawMatcherSets{set}
	}
	h.Rules = append(h.Rules, r)
	return parseBlock(d, "rule "+name+": ", ruleOptions(), r)
}
