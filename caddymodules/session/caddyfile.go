package session

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
)

func init() {
	httpcaddyfile.RegisterDirective("session", parseCaddyfile)
	httpcaddyfile.RegisterDirectiveOrder("session", httpcaddyfile.After, "forward_auth")
}

// parseCaddyfile reads the directive. Of alternatives the first is the default.
//
//	session {
//	    prefix       <path>
//	    origin       <scheme://host>...
//	    namespace    <name>
//	    secret       <id> <value|file:path>
//	    cookie       <name> [persist]
//	    provider <name> {
//	        issuer        <url>
//	        client_id     <id>
//	        client_secret <value|file:path>
//	        scopes        <scope>...
//	        claims        <claim>...
//	        user_id       provider:sub|sub|<claim>
//	        allow         <claim> <value>...
//	        auth_params   <key> <value>
//	        userinfo      off|on
//	        leeway        <duration>
//	        ca            <file>
//	    }
//	    idle         <duration>
//	    absolute     <duration>
//	    rotation     <duration>
//	    ride_through <duration>
//	    on_outage    ride|safe-only|strict
//	    reuse        deny|revoke
//	    max_sessions <n> [oldest|deny]
//	    public       <matcher>...
//	    passive      <matcher>...
//	    rule <matcher> {
//	        require   <claim> <value>...
//	        idle      <duration>
//	        absolute  <duration>
//	        on_outage ride|safe-only|strict|strict-always
//	        navigate  auto|on|off
//	        csrf      on|off
//	    }
//	    trusted_origins <scheme://host>...
//	    cors            <scheme://host>...
//	    after_login     <path>
//	    after_logout    <path>
//	    logout          local|rp
//	    clear_site_data cache|cache,storage|off
//	    errors          write|handle
//	    op_timeout      <duration>
//	    max_copies      <n>
//	}
//
// origin, secret, provider, allow, auth_params, public, passive, rule, require, trusted_origins and cors
// may be repeated.
func parseCaddyfile(d httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	d.Next() // directive name
	if d.NextArg() {
		if arg := d.Val(); arg == "*" || strings.HasPrefix(arg, "/") || strings.HasPrefix(arg, "@") {
			return nil, d.Errf("session takes no matcher, got %q: it must see every request, or its endpoints and cookies would not be its own; name what needs no session in its block, as in: public %s", arg, arg)
		}
		return nil, d.Errf("session takes a block and no arguments, got %q: name a provider in the block", d.Val())
	}
	h := new(Handler)
	if err := parseBlock(d, "", handlerOptions(), h); err != nil {
		return nil, err
	}
	return d.NewRoute(nil, h), nil
}

// option is a setting of a block whose result is a T.
type option[T any] struct {
	// usage is what an error shows. A block makes its own errors, place included.
	usage  string
	block  bool
	repeat bool
	parse  func(d httpcaddyfile.Helper, t *T) error
}

// unbuilt are the settings that are specified, but not built yet.
var unbuilt = []string{"audience", "recheck", "streams", "tokens", "wait_replicas"}

func handlerOptions() map[string]option[Handler] {
	return map[string]option[Handler]{
		"prefix":          {usage: "prefix /_auth", parse: text(func(h *Handler) *string { return &h.Prefix })},
		"origin":          {usage: "origin https://app.example.com", repeat: true, parse: list(func(h *Handler) *[]string { return &h.Origins })},
		"namespace":       {usage: "namespace app", parse: text(func(h *Handler) *string { return &h.KeyNamespace })},
		"secret":          {usage: "secret k1 {env.GATEHOUSE_SECRET}", repeat: true, parse: parseSecret},
		"cookie":          {usage: "cookie __Host-sid persist", parse: parseCookie},
		"provider":        {block: true, repeat: true, parse: parseProvider},
		"idle":            {usage: "idle 15m", parse: duration(func(h *Handler) *caddy.Duration { return &h.Idle })},
		"absolute":        {usage: "absolute 24h", parse: duration(func(h *Handler) *caddy.Duration { return &h.Absolute })},
		"rotation":        {usage: "rotation 1h", parse: optional(func(h *Handler) **caddy.Duration { return &h.Rotation })},
		"ride_through":    {usage: "ride_through 10m", parse: optional(func(h *Handler) **caddy.Duration { return &h.RideThrough })},
		"on_outage":       {usage: "on_outage safe-only", parse: text(func(h *Handler) *string { return &h.OnOutage })},
		"reuse":           {usage: "reuse revoke", parse: text(func(h *Handler) *string { return &h.Reuse })},
		"max_sessions":    {usage: "max_sessions 5 deny", parse: parseMaxSessions},
		"public":          {usage: "public @static /health", repeat: true, parse: parsePublic},
		"passive":         {usage: "passive @poll", repeat: true, parse: parsePassive},
		"rule":            {block: true, repeat: true, parse: parseRule},
		"trusted_origins": {usage: "trusted_origins https://admin.example.com", repeat: true, parse: list(func(h *Handler) *[]string { return &h.TrustedOrigins })},
		"cors":            {usage: "cors https://console.example.com", repeat: true, parse: list(func(h *Handler) *[]string { return &h.CORS })},
		"after_login":     {usage: "after_login /", parse: text(func(h *Handler) *string { return &h.AfterLogin })},
		"after_logout":    {usage: "after_logout /bye", parse: text(func(h *Handler) *string { return &h.AfterLogout })},
		"logout":          {usage: "logout rp", parse: text(func(h *Handler) *string { return &h.Logout })},
		"clear_site_data": {usage: "clear_site_data cache,storage", parse: text(func(h *Handler) *string { return &h.ClearSiteData })},
		"errors":          {usage: "errors handle", parse: text(func(h *Handler) *string { return &h.Errors })},
		"op_timeout":      {usage: "op_timeout 150ms", parse: duration(func(h *Handler) *caddy.Duration { return &h.OpTimeout })},
		"max_copies":      {usage: "max_copies 50000", parse: whole(func(h *Handler) *int { return &h.MaxCopies })},
	}
}

func providerOptions() map[string]option[Provider] {
	return map[string]option[Provider]{
		"issuer":        {usage: "issuer https://login.example.com", parse: text(func(p *Provider) *string { return &p.Issuer })},
		"client_id":     {usage: "client_id app", parse: text(func(p *Provider) *string { return &p.ClientID })},
		"client_secret": {usage: "client_secret {env.CLIENT_SECRET}", parse: text(func(p *Provider) *string { return &p.ClientSecret })},
		"scopes":        {usage: "scopes openid profile email", parse: list(func(p *Provider) *[]string { return &p.Scopes })},
		"claims":        {usage: "claims email name groups", parse: list(func(p *Provider) *[]string { return &p.Claims })},
		"user_id":       {usage: "user_id sub", parse: text(func(p *Provider) *string { return &p.UserID })},
		"allow":         {usage: "allow groups staff", repeat: true, parse: requirement(func(p *Provider) *[]Requirement { return &p.Allow })},
		"auth_params":   {usage: "auth_params prompt select_account", repeat: true, parse: parseAuthParam},
		"userinfo":      {usage: "userinfo on", parse: parseUserInfo},
		"leeway":        {usage: "leeway 30s", parse: duration(func(p *Provider) *caddy.Duration { return &p.Leeway })},
		"ca":            {usage: "ca /etc/ssl/idp.pem", parse: text(func(p *Provider) *string { return &p.CA })},
	}
}

func ruleOptions() map[string]option[Rule] {
	return map[string]option[Rule]{
		"require":   {usage: "require groups admins", repeat: true, parse: requirement(func(r *Rule) *[]Requirement { return &r.Require })},
		"idle":      {usage: "idle 5m", parse: duration(func(r *Rule) *caddy.Duration { return &r.Idle })},
		"absolute":  {usage: "absolute 1h", parse: duration(func(r *Rule) *caddy.Duration { return &r.Absolute })},
		"on_outage": {usage: "on_outage strict", parse: text(func(r *Rule) *string { return &r.OnOutage })},
		"navigate":  {usage: "navigate off", parse: text(func(r *Rule) *string { return &r.Navigate })},
		"csrf":      {usage: "csrf off", parse: text(func(r *Rule) *string { return &r.CSRF })},
	}
}

// parseBlock reads a block of options. where begins its errors: the provider or rule, if any.
func parseBlock[T any](d httpcaddyfile.Helper, where string, options map[string]option[T], t *T) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		o, ok := options[name]
		switch {
		case !ok && slices.Contains(unbuilt, name):
			return d.Errf("session: %s%s is not built yet in this version: remove it", where, name)
		case !ok:
			return d.Errf("session: %sthere is no option %q: allowed are %s", where, name,
				strings.Join(slices.Sorted(maps.Keys(options)), ", "))
		case seen[name] && !o.repeat:
			return d.Errf("session: %s%s is set twice: remove one", where, name)
		}
		seen[name] = true
		switch err := o.parse(d, t); {
		case err == nil:
		case o.block:
			return err
		default:
			return d.WrapErr(fmt.Errorf("session: %s%s: %w; write it as in: %s", where, name, err, o.usage))
		}
	}
	return nil
}
