package ratelimit

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"
)

// one reads the value of an option that has exactly one.
func one(d *caddyfile.Dispenser) (string, error) {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return "", fmt.Errorf("it takes one value, got %d", len(args))
	}
	return args[0], nil
}

func text[T any](field func(*T) *string) func(*caddyfile.Dispenser, *T) error {
	return func(d *caddyfile.Dispenser, t *T) (err error) {
		*field(t), err = one(d)
		return err
	}
}

func flag[T any](field func(*T) *bool) func(*caddyfile.Dispenser, *T) error {
	return func(d *caddyfile.Dispenser, t *T) error {
		*field(t) = true
		if args := d.RemainingArgs(); len(args) > 0 {
			return fmt.Errorf("it takes no value, got %q", args[0])
		}
		return nil
	}
}

func duration[T any](field func(*T) *caddy.Duration) func(*caddyfile.Dispenser, *T) error {
	return func(d *caddyfile.Dispenser, t *T) error {
		value, err := one(d)
		if err != nil {
			return err
		}
		parsed, err := caddy.ParseDuration(value)
		if err != nil {
			return fmt.Errorf("%q is not a duration", value)
		}
		*field(t) = caddy.Duration(parsed)
		return nil
	}
}

func whole[T any](field func(*T) *int) func(*caddyfile.Dispenser, *T) error {
	return func(d *caddyfile.Dispenser, t *T) (err error) {
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

// optional is whole for a field of which zero is not the default.
func optional[T any](field func(*T) **int) func(*caddyfile.Dispenser, *T) error {
	return func(d *caddyfile.Dispenser, t *T) error {
		*field(t) = new(int)
		return whole(func(t *T) *int { return *field(t) })(d, t)
	}
}

func size[T any](field func(*T) *int64) func(*caddyfile.Dispenser, *T) error {
	return func(d *caddyfile.Dispenser, t *T) error {
		value, err := one(d)
		if err != nil {
			return err
		}
		bytes, err := humanize.ParseBytes(value)
		if err != nil || int64(bytes) < 0 {
			return fmt.Errorf("%q is not a size", value)
		}
		*field(t) = int64(bytes)
		return nil
	}
}

func parseZone(d *caddyfile.Dispenser, h *Handler) error {
	args := d.RemainingArgs()
	if len(args) != 1 {
		return d.Errf("zone takes one name, got %d: write it as in: zone login { ... }", len(args))
	}
	name := args[0]
	if _, ok := h.RateLimits[name]; ok {
		return d.Errf("zone %q is defined twice: give one of them another name", name)
	}
	z := new(Zone)
	if err := parseBlock(d, fmt.Sprintf("zone %q: ", name), zoneOptions, z); err != nil {
		return err
	}
	if len(z.Keys) == 1 {
		z.Key, z.Keys = z.Keys[0], nil
	}
	if h.RateLimits == nil {
		h.RateLimits = make(map[string]*Zone)
	}
	h.RateLimits[name] = z
	return nil
}

func parseMatch(d *caddyfile.Dispenser, z *Zone) error {
	set, err := caddyhttp.ParseCaddyfileNestedMatcherSet(d)
	if err != nil {
		return err
	}
	z.MatcherSetsRaw = append(z.MatcherSetsRaw, set)
	return nil
}

func parseKey(d *caddyfile.Dispenser, z *Zone) error {
	parts := d.RemainingArgs()
	if len(parts) == 0 {
		return errors.New("it takes one part or more; to count all requests together leave it out")
	}
	z.Keys = append(z.Keys, parts...)
	return nil
}

func parseEvents(d *caddyfile.Dispenser, z *Zone) error {
	value, err := one(d)
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return fmt.Errorf("%q is not a whole number", value)
	}
	z.MaxEvents = &n
	return nil
}

func parseLimit(d *caddyfile.Dispenser, z *Zone) error {
	args := d.RemainingArgs()
	if len(args) != 1 && (len(args) != 3 || args[1] != "burst") {
		return errors.New("it takes a rate, and burst with a number")
	}
	l, err := parseRate(args[0])
	if err != nil {
		return err
	}
	if len(args) == 3 {
		if l.Burst, err = strconv.ParseInt(args[2], 10, 64); err != nil {
			return fmt.Errorf("burst: %q is not a whole number", args[2])
		}
		if l.Burst == 0 {
			return errors.New("burst must be positive: leave it out for a burst of the rate")
		}
	}
	z.Limits = append(z.Limits, l)
	return nil
}

// parseRate reads a rate like 500/15m.
func parseRate(text string) (Limit, error) {
	rate, period, ok := strings.Cut(text, "/")
	if !ok {
		return Limit{}, fmt.Errorf("%q has no period after a slash", text)
	}
	n, err := strconv.ParseInt(rate, 10, 64)
	if err != nil {
		return Limit{}, fmt.Errorf("the rate %q is not a whole number", rate)
	}
	t, err := caddy.ParseDuration(period)
	if err != nil {
		return Limit{}, fmt.Errorf("the period %q is not a duration", period)
	}
	return Limit{Rate: n, Period: caddy.Duration(t)}, nil
}

func parseJitter(d *caddyfile.Dispenser, h *Handler) error {
	value, err := one(d)
	if err != nil {
		return err
	}
	if h.Jitter, err = strconv.ParseFloat(value, 64); err != nil {
		return fmt.Errorf("%q is not a number", value)
	}
	return nil
}

func parseDistributed(d *caddyfile.Dispenser, h *Handler) error {
	if d.NextArg() {
		return d.Errf("distributed takes no value, got %q", d.Val())
	}
	h.Distributed = new(Distributed)
	return parseBlock(d, "distributed: ", distributedOptions, h.Distributed)
}

func parseStorage(d *caddyfile.Dispenser, h *Handler) error {
	if !d.NextArg() {
		return d.Errf("storage takes a module, as in: storage file_system")
	}
	id := "caddy.storage." + d.Val()
	module, err := caddyfile.UnmarshalModule(d, id)
	if err != nil {
		return err
	}
	storage, ok := module.(caddy.StorageConverter)
	if !ok {
		return d.Errf("storage: module %s is no storage", id)
	}
	h.StorageRaw = caddyconfig.JSONModuleObject(storage, "module", module.(caddy.Module).CaddyModule().ID.Name(), nil)
	return nil
}
