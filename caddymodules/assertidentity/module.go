package assertidentity

import (
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/identity"
	"github.com/gatehouse-proxy/gatehouse/identity/recent"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Defaults of a handler.
const (
	defaultIssuer   = "gatehouse"
	defaultTTL      = time.Minute
	defaultJWKSPath = "/.well-known/gatehouse-jwks.json"
)

// maxCached bounds the assertions that a handler keeps for reuse, in bytes: 20,000 users and more.
const maxCached = 32 << 20

// Handler tells the upstream who is asking, in a way that no client can forge. It deletes what a
// client sent under any name that begins with X-Auth or is one of Headers, however it is spelt:
// names are compared by their letters and digits alone, so that `X_AUTH_USER` and `x.auth.user`
// are deleted too, from the headers, the trailers and the Connection header. Then, if a handler
// before it has signed somebody in, it adds `X-Auth-Assertion`, a JWT that is signed for this
// Audience and good for TTL. Without a user there is no assertion. Every request also gets
// `X-Request-Id`, which is {http.request.uuid}; a client's own is replaced.
//
// It reads these placeholders, which `session` sets, and of which `basic_auth` and others set some:
//
// Placeholder | Member of the JWT
// ------------|------------------
// `{http.auth.user.id}` | `sub`; without it nobody is signed in
// `{http.auth.user.iss}` | `idp`, the identity provider's issuer
// `{http.auth.user.sub}` | `idp_sub`, the user's id there
// `{http.auth.user.session}` | `sid`, a hash that names the session
// `{http.auth.user.acr}`, `{http.auth.user.auth_time}` | `acr`, `auth_time`
// `{http.auth.user.groups}` | `groups`: a list, or a text with commas
// `{http.auth.user.<claim>}` | each of Claims
// `{http.session.source}` | `src`: `session`, `ticket`, `bearer`, or `other` where `session` did not sign the user in
//
// An email is passed on only when it is verified: `session` sets none that is not; of other handlers
// it is taken when {http.auth.user.email_verified} is true.
//
// It fails closed: an identity that cannot be signed, because it is too large or not UTF-8, is
// answered 500. It needs no Redis, and does the same when Redis is down: the keys never go there. A
// request for JWKSPath is answered with the public keys, with 405 when its method is not GET or HEAD.
//
// The assertion is a bearer token inside the trusted network for as long as TTL. TLS to the upstream
// keeps it from others there.
type Handler struct {
	// Audience names the upstream, which accepts only assertions for itself: with a name of its own,
	// no upstream can use at another one what it was sent. Required.
	Audience string `json:"audience,omitempty"`

	// Issuer names this edge. Default: gatehouse.
	Issuer string `json:"issuer,omitempty"`

	// Keys is a directory of *.pem files with an Ed25519 key (PKCS#8) each, the same on all nodes.
	// It is read again every minute. All keys are published; the newest that is older than 10
	// minutes signs, a lone one at once. A key that others on the machine can read is refused.
	// Default: a key is made once in Caddy's storage, for all nodes that share it.
	Keys string `json:"keys,omitempty"`

	// TTL is how long an assertion is good, in whole seconds from 10s to 10m. It is sent again for
	// the first half of that. Default: 1m.
	TTL caddy.Duration `json:"ttl,omitempty"`

	// Claims are the further claims to pass on, where the user has them. An empty list passes on
	// none. Default: email and name.
	Claims []string `json:"claims,omitempty"`

	// Headers are plain headers to set too, for upstreams that read no JWT and that nobody else can
	// reach. The last word of each says what it carries: User, Email, Groups or Name, as in
	// `X-Auth-User` or `Remote-Groups`. Default: none.
	Headers []string `json:"headers,omitempty"`

	// JWKSPath is where the public keys are served. Default: /.well-known/gatehouse-jwks.json.
	JWKSPath string `json:"jwks_path,omitempty"`

	names   *identity.Names
	signer  *identity.Signer
	keyring *keyring
	user    placeholders
	plain   []plainHeader
	cache   *recent.Map[*assertion]
	metrics *metrics
	counts  counts
	now     func() time.Time
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.assert_identity",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets the defaults and opens the keys. It leaves what it finds invalid to Validate, which
// Caddy calls next.
func (h *Handler) Provision(ctx caddy.Context) error {
	if err := h.setDefaults(); err != nil {
		return err
	}
	if h.Validate() != nil {
		return nil //nolint:nilerr // Caddy asks Validate next, and reports what it says
	}
	if h.now == nil {
		h.now = time.Now
	}
	h.user = newPlaceholders(h.Claims)
	owned := []string{identity.HeaderRequestID}
	for _, name := range h.Headers {
		h.plain = append(h.plain, newPlainHeader(name))
		owned = append(owned, name)
	}
	h.names = identity.NewNames(owned...)
	h.cache = recent.New[*assertion](maxCached)

	var err error
	if h.keyring, err = joinKeyring(ctx, h.Keys); err != nil {
		return err
	}
	h.signer = &identity.Signer{
		Keyring: h.keyring.Keyring, Issuer: h.Issuer, Audience: h.Audience, TTL: time.Duration(h.TTL), Now: h.now,
	}
	if h.metrics, err = joinMetrics(ctx); err != nil {
		return err
	}
	h.counts = h.metrics.of(h.Audience)
	return nil
}

// Cleanup releases what Provision has joined.
func (h *Handler) Cleanup() error {
	var errs []error
	if h.keyring != nil {
		errs = append(errs, h.keyring.release())
	}
	if h.metrics != nil {
		errs = append(errs, h.metrics.release())
	}
	return errors.Join(errs...)
}

// setDefaults also puts in what the environment and files hold: {env.NAME}, {file.PATH}.
func (h *Handler) setDefaults() error {
	if h.Issuer == "" {
		h.Issuer = defaultIssuer
	}
	if h.TTL == 0 {
		h.TTL = caddy.Duration(defaultTTL)
	}
	if h.Claims == nil {
		h.Claims = []string{"email", "name"}
	}
	if h.JWKSPath == "" {
		h.JWKSPath = defaultJWKSPath
	}
	repl := caddy.NewReplacer()
	for setting, value := range map[string]*string{"audience": &h.Audience, "issuer": &h.Issuer, "keys": &h.Keys} {
		replaced, err := repl.ReplaceOrErr(*value, true, true)
		if err != nil {
			return fmt.Errorf("%s: %w", setting, err)
		}
		*value = replaced
	}
	return nil
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
