package ratelimit

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Defaults of a handler.
const (
	defaultOpTimeout = 25 * time.Millisecond
	defaultMaxKeys   = 200_000
	defaultMaxMemory = 64 << 20
)

// Values of the setting headers.
const (
	headersDraft = "draft"
	headersOff   = "off"
)

// Handler limits requests by zones. All zones that match a request are decided together: it passes
// if every limit of every one of them lets it, and otherwise none of them counts it.
//
// With the `redis` app configured the counts are shared by all nodes. While Redis cannot be asked
// each zone does as its `on_failure` says: by default each node enforces its share of the limit,
// so a request is never answered 5xx for want of Redis.
//
// A refused request gets status 429, which `handle_errors` may render: `Retry-After` (unless no wait
// would help), `RateLimit` and `RateLimit-Policy` are set by then. A zone with `on_failure closed`
// answers 503 while Redis cannot be asked, one with `on_empty_key reject` answers 400 to a request
// that has nothing to be counted by. Refused requests have these placeholders:
//
// Placeholder | Description
// ------------|---------------
// `{http.rate_limit.exceeded.name}` | The zone that refused; of several the one with the longest wait. Only with 429.
// `{http.rate_limit.policy}` | The limit of that zone: its name, with `/2` for its second limit and so on.
// `{http.rate_limit.limit}` | How much that limit admits.
// `{http.rate_limit.remaining}` | How much of it is left, often 0.
// `{http.rate_limit.retry_after}` | The seconds in Retry-After; empty when no wait would help.
// `{http.rate_limit.degraded}` | `true` when this node decided for want of Redis, else `false`.
// `{http.rate_limit.problem}` | The problem type (RFC 9457): `https://iana.org/assignments/http-problem-types#quota-exceeded` with 429, `…#temporary-reduced-capacity` with 503.
// `{http.rate_limit.violated_policies}` | A JSON array with the names of all limits that refused.
type Handler struct {
	// RateLimits are the zones by name. Handlers whose zones have the same name share its counts.
	RateLimits map[string]*Zone `json:"rate_limits,omitempty"`

	// OpTimeout is how long a request may wait for Redis. All rate_limit handlers of a request
	// together wait at most 10ms longer. Default: 25ms.
	OpTimeout caddy.Duration `json:"op_timeout,omitempty"`

	// Headers says which rate limit headers responses get: `draft` (RateLimit and
	// RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers) or `off`. Default: draft.
	Headers string `json:"headers,omitempty"`

	// MaxKeys bounds the keys counted in this process. All rate_limit handlers share the store;
	// the largest setting counts. Default: 200000.
	MaxKeys int `json:"max_keys,omitempty"`

	// MaxMemory bounds the bytes taken by the counts in this process. All rate_limit handlers
	// share the store; the largest setting counts. Default: 67108864 (64 MiB).
	MaxMemory int64 `json:"max_memory,omitempty"`

	// LogKey adds the key to the log entry of a refused request. Keys can be personal data.
	// Default: false.
	LogKey bool `json:"log_key,omitempty"`

	// Jitter adds up to this part of the wait to Retry-After, at random, so that clients do not
	// come back all at once; 0.2 adds up to 20 %. Default: 0.
	Jitter float64 `json:"jitter,omitempty"`

	// DisableMetrics keeps this handler's requests out of the metrics. Default: false.
	DisableMetrics bool `json:"disable_metrics,omitempty"`

	// SweepInterval is accepted for configurations of caddy-ratelimit. It changes nothing: expired
	// counts make room by themselves.
	SweepInterval caddy.Duration `json:"sweep_interval,omitempty"`

	// Distributed is accepted for configurations of caddy-ratelimit. Counts are shared through the
	// `redis` app, with or without it.
	Distributed *Distributed `json:"distributed,omitempty"`

	// StorageRaw is accepted for configurations of caddy-ratelimit, and not used: counts are
	// shared through the `redis` app.
	StorageRaw json.RawMessage `json:"storage,omitempty" caddy:"namespace=caddy.storage inline_key=module"`

	zones   []*zone
	counts  *counts
	shared  *shared // nil without Redis
	redis   decider // is shared, nil without Redis
	metrics *metrics
	events  *caddyevents.App
	ctx     caddy.Context
	logger  *zap.Logger
	// refusals is logger at a bounded pace.
	refusals *zap.Logger
}

// Distributed is accepted for configurations of caddy-ratelimit, whose instances exchange their
// counts through files. Nothing of it is used.
type Distributed struct {
	// WriteInterval is not used.
	WriteInterval caddy.Duration `json:"write_interval,omitempty"`
	// ReadInterval is not used.
	ReadInterval caddy.Duration `json:"read_interval,omitempty"`
	// PurgeAge is not used.
	PurgeAge caddy.Duration `json:"purge_age,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.rate_limit",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets the defaults, loads the matchers, compiles the zones and joins the store. It leaves
// what it finds invalid to Validate, which Caddy calls next.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.ctx = ctx
	h.logTo(ctx.Logger())
	h.setDefaults()
	if h.Validate() != nil {
		return nil //nolint:nilerr // Validate says it, next.
	}
	app, err := ctx.App("events")
	if err != nil {
		return fmt.Errorf("loading the events app: %w", err)
	}
	h.events = app.(*caddyevents.App)

	if err := h.join(ctx); err != nil {
		return err
	}
	for _, name := range sortedNames(h.RateLimits) {
		z, err := h.RateLimits[name].compile(ctx, name, h)
		if err != nil {
			return fmt.Errorf("zone %q: %w", name, err)
		}
		h.zones = append(h.zones, z)
	}
	h.warn()
	return nil
}

// Cleanup leaves what Provision has joined.
func (h *Handler) Cleanup() error {
	var errs []error
	if h.shared != nil {
		errs = append(errs, h.shared.release(h))
	}
	if h.counts != nil {
		errs = append(errs, h.counts.release(h))
	}
	if h.metrics != nil {
		errs = append(errs, h.metrics.release())
	}
	return errors.Join(errs...)
}

// join takes hold of the counts and metrics, which outlive this configuration.
func (h *Handler) join(ctx caddy.Context) error {
	redis, err := findRedis(ctx)
	if err != nil {
		return err
	}
	namespace := defaultNamespace
	if redis != nil {
		namespace = redis.Namespace()
	}
	h.counts = joinCounts(namespace, h)
	h.counts.places.add(ctx, h)
	if redis != nil {
		if h.shared, err = joinShared(redis, h.counts, h); err != nil {
			return err
		}
		h.redis = h.shared
	}
	if h.DisableMetrics {
		return nil
	}
	h.metrics, err = joinMetrics(ctx)
	return err
}

func (h *Handler) setDefaults() {
	if h.OpTimeout == 0 {
		h.OpTimeout = caddy.Duration(defaultOpTimeout)
	}
	if h.Headers == "" {
		h.Headers = headersDraft
	}
	if h.MaxKeys == 0 {
		h.MaxKeys = defaultMaxKeys
	}
	if h.MaxMemory == 0 {
		h.MaxMemory = defaultMaxMemory
	}
	for _, z := range h.RateLimits {
		if z != nil {
			z.setDefaults()
		}
	}
}

var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
