package session

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/oidc"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler signs people in by OpenID Connect and lets pass who is signed in. Below `prefix` it answers
// itself: `login`, `login/<provider>`, `callback/<provider>`, `logout` and `session`.
//
// A request without a session is answered by its kind: a page is sent to the login (302); everything
// else gets 401 with a problem (RFC 9457) that has the reason and the address of the login; a form that
// was posted gets a page which says that nothing was sent. What a rule does not allow gets 403, a
// cross-site request that could change something too.
//
// With the `redis` app configured, sessions are shared by all nodes and survive their restarts. While
// Redis cannot be asked people stay signed in, by what the node knows or by a sealed ticket that the
// browser carries, for up to `ride_through`; nobody can sign in. What cannot be known then is answered
// 503 with Retry-After, never 401. Without `redis`, sessions are kept in this process alone.
//
// Placeholder | Description
// ------------|---------------
// `{http.auth.user.id}` | Who is signed in, as the provider's `user_id` says. Not there when nobody is, like all of these but the last two.
// `{http.auth.user.sub}` | The provider's name for them.
// `{http.auth.user.iss}` | The provider's issuer.
// `{http.auth.user.provider}` | The provider's configured name.
// `{http.auth.user.email}` | Their address, if the provider has verified it.
// `{http.auth.user.name}` | Their name.
// `{http.auth.user.groups}` | Their groups, parted by commas.
// `{http.auth.user.acr}` | How they were authenticated.
// `{http.auth.user.auth_time}` | When, in seconds since 1970.
// `{http.auth.user.session}` | A digest that names the session, and opens nothing.
// `{http.auth.user.<claim>}` | A claim that the provider's `claims` names.
// `{http.session.source}` | Where the session was found: `cache`, `redis`, `copy`, `ticket`, or `none`.
// `{http.session.reason}` | Why there is none: `none`, `idle`, `absolute`, `revoked`, `reuse`, `unavailable`; else empty.
type Handler struct {
	// Prefix is the path below which the handler answers itself. Default: /_auth.
	Prefix string `json:"prefix,omitempty"`

	// Origins are scheme and host of the addresses at which people sign in, such as
	// `https://app.example`. At another address nobody can. Default: whichever the request came to.
	Origins []string `json:"origins,omitempty"`

	// KeyNamespace keeps these sessions apart from others in one Redis. Default: that of `redis`.
	KeyNamespace string `json:"namespace,omitempty"`

	// Secrets seal what browsers carry. The first seals, all open. Required with `redis`; default without
	// it: one of this process.
	Secrets []Secret `json:"secrets,omitempty"`

	// Cookie is the session cookie's name. Default: __Host-sid.
	Cookie string `json:"cookie,omitempty"`

	// Persist lets the cookies outlive the browser, up to the session's absolute end. Default: false.
	Persist bool `json:"persist,omitempty"`

	// Providers are those at which people can sign in. At least one is required.
	Providers []*Provider `json:"providers,omitempty"`

	// Idle ends a session without activity. Default: 15m.
	Idle caddy.Duration `json:"idle,omitempty"`

	// Absolute ends a session always. Default: 24h.
	Absolute caddy.Duration `json:"absolute,omitempty"`

	// Rotation is how often the cookie's secret changes; 0 is never. Default: 1h.
	Rotation *caddy.Duration `json:"rotation,omitempty"`

	// RideThrough is how long after Redis's last word a session holds while Redis is away, at most 60m;
	// 0 is not at all. Default: 10m.
	RideThrough *caddy.Duration `json:"ride_through,omitempty"`

	// OnOutage is what is allowed while Redis is away: `ride`; `safe-only`, which refuses all but GET,
	// HEAD and OPTIONS; or `strict`, nothing. Default: ride.
	OnOutage string `json:"on_outage,omitempty"`

	// Reuse is what a secret does that was replaced long ago: `deny` refuses the request, `revoke` ends
	// the session. Default: deny.
	Reuse string `json:"reuse,omitempty"`

	// MaxSessions bounds the sessions of a person; 0 does not. Default: 0.
	MaxSessions int `json:"max_sessions,omitempty"`

	// WhenFull ends the `oldest` session of who has MaxSessions, or `deny`s the login. Default: oldest.
	WhenFull string `json:"when_full,omitempty"`

	// PublicRaw are requests that pass without a session. If they have one, it is read.
	PublicRaw caddyhttp.RawMatcherSets `json:"public,omitempty" caddy:"namespace=http.matchers"`

	// PassiveRaw are requests that do not count as activity, such as polling.
	PassiveRaw caddyhttp.RawMatcherSets `json:"passive,omitempty" caddy:"namespace=http.matchers"`

	// Rules ask more of some requests. All that match apply; of what they set the strictest holds.
	Rules []*Rule `json:"rules,omitempty"`

	// TrustedOrigins may send requests that change something, and open WebSockets, from their pages.
	TrustedOrigins []string `json:"trusted_origins,omitempty"`

	// CORS are the origins, such as `https://console.example`, whose pages may read responses and send
	// requests with cookies. They are trusted like TrustedOrigins. Their preflights are answered here,
	// 204, and responses get CORS headers unless the app has set Access-Control-Allow-Origin. Browsers
	// send our cookies, which are SameSite=Lax, from origins of the same site alone. Default: none.
	CORS []string `json:"cors,omitempty"`

	// AfterLogin is where a login leads that began nowhere. Default: /.
	AfterLogin string `json:"after_login,omitempty"`

	// AfterLogout is where a logout leads. Default: /.
	AfterLogout string `json:"after_logout,omitempty"`

	// Logout is `local`, or `rp` to sign out at the provider too. Default: local.
	Logout string `json:"logout,omitempty"`

	// ClearSiteData has browsers forget at a logout what they keep of the site: `cache`,
	// `cache,storage`, or `off`. Default: cache.
	ClearSiteData string `json:"clear_site_data,omitempty"`

	// Errors says who writes the answers to requests that do not pass: `write`, this handler, or
	// `handle`, the site's handle_errors. Redirects and pages below the prefix are always ours. Default: write.
	Errors string `json:"errors,omitempty"`

	// OpTimeout is how long a request waits for Redis. Default: 150ms.
	OpTimeout caddy.Duration `json:"op_timeout,omitempty"`

	// MaxCopies bounds the sessions of which this node holds a copy. All handlers of a namespace share
	// them; the first one's setting holds until none is left. Default: 50000.
	MaxCopies int `json:"max_copies,omitempty"`

	keys []sessions.Key
	// emptySecret is the id of a secret that is not there.
	emptySecret string
	cookies     cookieNames
	origins     map[string]bool
	providers   []*provider
	byName      map[string]*provider
	public      matchers
	passive     matchers
	rules       []*rule
	csrf        *http.CrossOriginProtection
	trusted     map[string]bool
	cors        map[string]bool
	manager     *sessions.Manager
	sharedState *sharedState
	metrics     *metrics
	pages       *pages
	ctx         caddy.Context
	logger      *zap.Logger
	audit       *zap.Logger
	now         func() time.Time
}

// Secret is a key that seals, and its name.
type Secret struct {
	// ID names the key: 1 to 16 letters, digits, - and _.
	ID string `json:"id,omitempty"`
	// Value is 32 bytes in base64, or `file:` and the path of a file that has them. Placeholders such
	// as {env.NAME} and {file.PATH} are replaced.
	Value string `json:"value,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.session",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets the defaults, reads the secrets, loads the matchers, begins to look for the providers
// and joins the store. It leaves what it finds invalid to Validate, which Caddy calls next, and waits
// for nobody.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.ctx = ctx
	h.logger = ctx.Logger()
	h.audit = h.logger.Named("audit")
	h.now = time.Now
	h.setDefaults()
	if h.Validate() != nil {
		return nil //nolint:nilerr // Validate says it, next.
	}
	h.cookies = newCookieNames(h.Cookie)
	h.pages = newPages()
	if err := h.readOrigins(); err != nil {
		return err
	}
	if err := h.loadMatchers(ctx); err != nil {
		return err
	}
	if err := h.readSecrets(); err != nil {
		return err
	}
	if err := h.join(ctx); err != nil {
		return err
	}
	h.warn()
	return nil
}

// Cleanup leaves what Provision has joined.
func (h *Handler) Cleanup() error {
	var errs []error
	for _, p := range h.providers {
		errs = append(errs, p.release(h))
	}
	if h.sharedState != nil {
		errs = append(errs, h.sharedState.release(h))
	}
	if h.metrics != nil {
		errs = append(errs, h.metrics.release())
	}
	return errors.Join(errs...)
}

// join takes hold of what outlives this configuration: sessions, providers, metrics.
func (h *Handler) join(ctx caddy.Context) error {
	redis, err := findRedis(ctx)
	if err != nil {
		return err
	}
	if redis != nil && h.emptySecret != "" {
		return fmt.Errorf("secret %s is empty after its placeholders are replaced: set the variable that it names", h.emptySecret)
	}
	if redis != nil && len(h.keys) == 0 {
		return errors.New("secret is required with redis, and must be the same on all nodes: make one with " +
			"`openssl rand -base64 32`, and set it as in: secret k1 {env.GATEHOUSE_SECRET}")
	}
	if h.metrics, err = joinMetrics(ctx); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if h.sharedState, err = joinSharedState(redis, h); err != nil {
		return err
	}
	if len(h.keys) == 0 {
		h.keys = []sessions.Key{h.sharedState.key}
	}
	issuers := make(map[string]string, len(h.Providers))
	h.byName = make(map[string]*provider, len(h.Providers))
	for _, c := range h.Providers {
		p, err := c.join(h)
		if err != nil {
			return err
		}
		h.providers = append(h.providers, p)
		h.byName[c.Name] = p
		issuers[c.Name] = p.Issuer()
	}
	h.manager, err = h.newManager(issuers)
	return err
}

func (h *Handler) newManager(issuers map[string]string) (*sessions.Manager, error) {
	keys, err := sessions.NewKeys(h.keys...)
	if err != nil {
		return nil, err
	}
	shortest := time.Duration(h.Idle)
	for _, r := range h.Rules {
		if r.Idle > 0 {
			shortest = min(shortest, time.Duration(r.Idle))
		}
	}
	full := sessions.EndOldest
	if h.WhenFull == fullDeny {
		full = sessions.Deny
	}
	return sessions.New(sessions.Config{
		Namespace: h.sharedState.namespace, Node: h.sharedState.node, Keys: keys, Issuers: issuers,
		Idle: time.Duration(h.Idle), Lifetime: time.Duration(h.Absolute), ShortestIdle: shortest,
		Rotation: time.Duration(*h.Rotation), RideThrough: time.Duration(*h.RideThrough),
		RevokeReuse: h.Reuse == reuseRevoke, MaxSessions: h.MaxSessions, OnMaxSessions: full,
	})
}

// flowSealer seals logins under way for one host.
func (h *Handler) flowSealer(host string) (*oidc.FlowSealer, error) {
	keys := make([]oidc.SealKey, len(h.keys))
	for i := range h.keys {
		keys[i] = oidc.SealKey{ID: h.keys[i].ID, Secret: h.keys[i].Secret[:]}
	}
	return oidc.NewFlowSealer(keys, h.sharedState.namespace+"\x00"+host, h.now)
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
