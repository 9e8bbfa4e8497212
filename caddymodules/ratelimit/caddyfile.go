package ratelimit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("rate_limit", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("rate_limit", httpcaddyfile.Before, "basic_auth")
}

func parseCaddyfile(helper httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h := new(Handler)
	return h, h.UnmarshalCaddyfile(helper.Dispenser)
}

// UnmarshalCaddyfile reads the directive. Of alternatives the first is the default.
//
//	rate_limit [<matcher>] {
//	    zone <name> {
//	        match { <matchers> }
//	        key         <part>...
//	        on_empty_key client|skip|reject|share
//	        limit       <rate>/<period> [burst <n>]
//	        events      <n>
//	        window      <duration>
//	        algorithm   log|slices|gcra
//	        mode        exact|local
//	        on_failure  share|local|open|closed
//	        ipv4_prefix <bits>
//	        ipv6_prefix <bits>
//	    }
//	    op_timeout <duration>
//	    headers    draft|off
//	    max_keys   <n>
//	    max_memory <size>
//	    log_key
//	    jitter     <factor>
//	    disable_metrics
//	    distributed {
//	        read_interval  <duration>
//	        write_interval <duration>
//	        purge_age      <duration>
//	    }
//	    storage        <module>...
//	    sweep_interval <duration>
//	}
//
// zone, match, key and limit may be repeated. distributed, storage and sweep_interval are
// caddy-ratelimit's, accepted and not used.
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // directive name
	if d.NextArg() {
		return d.Errf("rate_limit takes a block and no arguments, got %q: name a zone in the block", d.Val())
	}
	return parseBlock(d, "", handlerOptions, h)
}

// option is a setting of a block whose result is a T.
type option[T any] struct {
	// usage is what an error shows. A block makes its own errors, place included.
	usage  string
	block  bool
	repeat bool
	parse  func(d *caddyfile.Dispenser, t *T) error
}

// unbuilt are the settings of a zone that are specified, but not built yet.
var unbuilt = []string{"quota", "concurrency", "tier", "cost", "count_if", "lease", "shadow", "enforce"}

var handlerOptions = map[string]option[Handler]{
	"zone":            {block: true, repeat: true, parse: parseZone},
	"op_timeout":      {usage: "op_timeout 25ms", parse: duration(func(h *Handler) *caddy.Duration { return &h.OpTimeout })},
	"headers":         {usage: "headers off", parse: text(func(h *Handler) *string { return &h.Headers })},
	"max_keys":        {usage: "max_keys 200000", parse: whole(func(h *Handler) *int { return &h.MaxKeys })},
	"max_memory":      {usage: "max_memory 64MiB", parse: size(func(h *Handler) *int64 { return &h.MaxMemory })},
	"log_key":         {usage: "log_key", parse: flag(func(h *Handler) *bool { return &h.LogKey })},
	"jitter":          {usage: "jitter 0.2", parse: parseJitter},
	"disable_metrics": {usage: "disable_metrics", parse: flag(func(h *Handler) *bool { return &h.DisableMetrics })},
	"distributed":     {block: true, parse: parseDistributed},
	"storage":         {block: true, parse: parseStorage},
	"sweep_interval":  {usage: "sweep_interval 1m", parse: duration(func(h *Handler) *caddy.Duration { return &h.SweepInterval })},
}

var distributedOptions = map[string]option[Distributed]{
	"read_interval":  {usage: "read_interval 5s", parse: duration(func(x *Distributed) *caddy.Duration { return &x.ReadInterval })},
	"write_interval": {usage: "write_interval 5s", parse: duration(func(x *Distributed) *caddy.Duration { return &x.WriteInterval })},
	"purge_age":      {usage: "purge_age 1h", parse: duration(func(x *Distributed) *caddy.Duration { return &x.PurgeAge })},
}

var zoneOptions = map[string]option[Zone]{
	"match":        {block: true, repeat: true, parse: parseMatch},
	"key":          {usage: "key {client_ip}", repeat: true, parse: parseKey},
	"on_empty_key": {usage: "on_empty_key skip", parse: text(func(z *Zone) *string { return &z.OnEmptyKey })},
	"limit":        {usage: "limit 500/15m burst 50", repeat: true, parse: parseLimit},
	"events":       {usage: "events 100", parse: parseEvents},
	"window":       {usage: "window 1m", parse: duration(func(z *Zone) *caddy.Duration { return &z.Window })},
	"algorithm":    {usage: "algorithm slices", parse: text(func(z *Zone) *string { return &z.Algorithm })},
	"mode":         {usage: "mode local", parse: text(func(z *Zone) *string { return &z.Mode })},
	"on_failure":   {usage: "on_failure closed", parse: text(func(z *Zone) *string { return &z.OnFailure })},
	"ipv4_prefix":  {usage: "ipv4_prefix 24", parse: optional(func(z *Zone) **int { return &z.IPv4Prefix })},
	"ipv6_prefix":  {usage: "ipv6_prefix 48", parse: optional(func(z *Zone) **int { return &z.IPv6Prefix })},
}

// parseBlock reads a block of options. where begins its errors: the zone, if any.
func parseBlock[T any](d *caddyfile.Dispenser, where string, options map[string]option[T], t *T) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		o, ok := options[name]
		switch {
		case !ok && slices.Contains(unbuilt, name):
			return d.Errf("%s%s is not built yet in this version: remove it", where, name)
		case !ok:
			return d.Errf("%sthere is no option %q: allowed are %s", where, name,
				strings.Join(slices.Sorted(maps.Keys(options)), ", "))
		case seen[name] && !o.repeat:
			return d.Errf("%s%s is set twice: remove one", where, name)
		}
		seen[name] = true
		switch err := o.parse(d, t); {
		case err == nil:
		case o.block && where != "":
			return fmt.Errorf("%s%s: %w", where, name, err)
		case o.block:
			return err
		default:
			return d.WrapErr(fmt.Errorf("%s%s: %w; write it as in: %s", where, name, err, o.usage))
		}
	}
	return nil
}
