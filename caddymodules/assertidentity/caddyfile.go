package assertidentity

import (
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("assert_identity", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("assert_identity", httpcaddyfile.Before, "encode")
}

func parseCaddyfile(helper httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	h := new(Handler)
	return h, h.UnmarshalCaddyfile(helper.Dispenser)
}

// option reads the arguments of a setting, of which there is at least one. It returns "" or what is
// wrong with them.
type option func(h *Handler, args []string) string

var options = map[string]option{
	"audience":  one(func(h *Handler) *string { return &h.Audience }),
	"issuer":    one(func(h *Handler) *string { return &h.Issuer }),
	"keys":      one(func(h *Handler) *string { return &h.Keys }),
	"jwks_path": one(func(h *Handler) *string { return &h.JWKSPath }),
	"ttl": func(h *Handler, args []string) string {
		var text string
		if wrong := one(func(*Handler) *string { return &text })(h, args); wrong != "" {
			return wrong
		}
		ttl, err := caddy.ParseDuration(text)
		if err != nil {
			return "is not a duration: write it as in ttl 1m"
		}
		h.TTL = caddy.Duration(ttl)
		return ""
	},
	"claims":  func(h *Handler, args []string) string { h.Claims = args; return "" },
	"headers": func(h *Handler, args []string) string { h.Headers = args; return "" },
}

// UnmarshalCaddyfile reads the directive.
//
//	assert_identity [<matcher>] {
//	    audience  <name>
//	    issuer    <name>
//	    keys      <directory>
//	    ttl       <duration>
//	    claims    <claims...>
//	    headers   <names...>
//	    jwks_path <path>
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // directive name
	if d.NextArg() {
		return d.Errf("assert_identity takes a block and no arguments, got %q: write audience %s in the block", d.Val(), d.Val())
	}
	seen := make(map[string]bool)
	for d.NextBlock(0) {
		name := d.Val()
		parse, ok := options[name]
		if !ok {
			return d.Errf("assert_identity has no option %q: allowed are %s", name, strings.Join(slices.Sorted(maps.Keys(options)), ", "))
		}
		if seen[name] {
			return d.Errf("assert_identity: %s is set twice: remove one", name)
		}
		seen[name] = true
		args := d.RemainingArgs()
		if len(args) == 0 {
			return d.Errf("assert_identity: %s has no value: give it one, or remove it", name)
		}
		if wrong := parse(h, args); wrong != "" {
			return d.Errf("assert_identity: %s %s %s", name, strings.Join(args, " "), wrong)
		}
		if d.NextBlock(1) {
			return d.Errf("assert_identity: %s takes no block", name)
		}
	}
	return nil
}

func one(field func(*Handler) *string) option {
	return func(h *Handler, args []string) string {
		if len(args) > 1 {
			return "has more than one value: keep one"
		}
		*field(h) = args[0]
		return ""
	}
}

var _ caddyfile.Unmarshaler = (*Handler)(nil)
