package ratelimit

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Values of a zone's settings.
const (
	emptyKeyClient = "client"
	emptyKeySkip   = "skip"
	emptyKeyReject = "reject"
	emptyKeyShare  = "share"

	modeExact = "exact"
	modeLocal = "local"

	failureShare  = "share"
	failureLocal  = "local"
	failureOpen   = "open"
	failureClosed = "closed"

	defaultIPv4Prefix = 32
	defaultIPv6Prefix = 64
)

// Zone is a class of requests, what they are counted by, and the limits that hold for each key.
type Zone struct {
	// MatcherSetsRaw choose the requests of the zone; without any, all requests are in it.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// Key is what requests are counted by: a text with placeholders. Without placeholders, or
	// without a key, all requests of the zone are counted together. A key that is an IP address
	// is counted by its network, see ipv4_prefix and ipv6_prefix.
	Key string `json:"key,omitempty"`

	// Keys are the parts of a key of several parts; use them instead of `key`. They are joined so
	// that no two lists of parts make the same key, and each part that is an IP address is
	// counted by its network.
	Keys []string `json:"keys,omitempty"`

	// OnEmptyKey says what happens when all placeholders of the key are empty: `client` counts
	// by the client's network instead, `skip` passes by this zone, `reject` answers 400, and
	// `share` counts all such requests together. Default: client.
	OnEmptyKey string `json:"on_empty_key,omitempty"`

	// Limits each admit a rate with a burst.
	Limits []Limit `json:"limits,omitempty"`

	// MaxEvents admits at most so many requests in any window. 0 refuses all.
	MaxEvents *int64 `json:"max_events,omitempty"`

	// Window is the window of max_events.
	Window caddy.Duration `json:"window,omitempty"`

	// Algorithm says how max_events are counted: `log` exactly, up to 1000 events; `slices`
	// exactly never too many, though capacity returns up to a 60th of the window late; `gcra` as
	// a limit of max_events per window, which also evens them out. Default: log up to 100 events,
	// slices above.
	Algorithm string `json:"algorithm,omitempty"`

	// Mode says where the zone is counted: `exact` by all nodes together in Redis if that is
	// configured, `local` by each node alone. Default: exact.
	Mode string `json:"mode,omitempty"`

	// OnFailure says what happens while Redis cannot be asked: `share` enforces each node's share
	// of the limit, `local` the whole limit on each node, `open` lets everything pass, `closed`
	// answers 503. Default: share.
	OnFailure string `json:"on_failure,omitempty"`

	// IPv4Prefix is the length of the network by which IPv4 addresses are counted. 0 leaves
	// addresses as they are. Default: 32.
	IPv4Prefix *int `json:"ipv4_prefix,omitempty"`

	// IPv6Prefix is the length of the network by which IPv6 addresses are counted. 0 leaves
	// addresses as they are, so that a client with a network of its own is never limited.
	// Default: 64.
	IPv6Prefix *int `json:"ipv6_prefix,omitempty"`
}

// Limit admits Rate requests per Period, evenly, and Burst of them at once.
type Limit struct {
	// Rate is how many requests a period admits.
	Rate int64 `json:"rate,omitempty"`
	// Period is the time in which Rate requests are admitted.
	Period caddy.Duration `json:"period,omitempty"`
	// Burst is how many requests are admitted at once after a pause. Default: the rate.
	Burst int64 `json:"burst,omitempty"`
}

func (z *Zone) setDefaults() {
	if z.OnEmptyKey == "" {
		z.OnEmptyKey = emptyKeyClient
	}
	if z.Mode == "" {
		z.Mode = modeExact
	}
	if z.OnFailure == "" {
		z.OnFailure = failureShare
	}
	if z.IPv4Prefix == nil {
		z.IPv4Prefix = new(defaultIPv4Prefix)
	}
	if z.IPv6Prefix == nil {
		z.IPv6Prefix = new(defaultIPv6Prefix)
	}
}

// limits are the zone's limits in the order in which they are named and counted: those of `limits`,
// then that of `max_events`.
func (z *Zone) limits() ([]limiter.Limit, error) {
	limits := make([]limiter.Limit, 0, len(z.Limits)+1)
	for _, l := range z.Limits {
		limits = append(limits, limiter.Limit{
			Algorithm: limiter.GCRA, Rate: l.Rate, Period: time.Duration(l.Period), Burst: l.Burst,
		})
	}
	if z.MaxEvents == nil {
		return limits, nil
	}
	events := limiter.Limit{Algorithm: limiter.Slices, Rate: *z.MaxEvents, Period: time.Duration(z.Window)}
	switch {
	case z.Algorithm != "":
		algorithm, err := limiter.ParseAlgorithm(z.Algorithm)
		if err != nil {
			return nil, err
		}
		events.Algorithm = algorithm
	case events.Rate <= limiter.DefaultLog:
		events.Algorithm = limiter.Log
	}
	return append(limits, events), nil
}

// policies compiles the limits.
func (z *Zone) policies(name string) ([]*limiter.Policy, error) {
	limits, err := z.limits()
	if err != nil {
		return nil, err
	}
	policies := make([]*limiter.Policy, 0, len(limits))
	for i, l := range limits {
		p, err := limiter.NewPolicy(name, i+1, l)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", z.settingOf(i), err)
		}
		p.Local = z.Mode == modeLocal
		p.OnFailure = map[string]limiter.OnFailure{
			failureShare: limiter.Share, failureLocal: limiter.PerNode,
			failureOpen: limiter.FailOpen, failureClosed: limiter.FailClosed,
		}[z.OnFailure]
		policies = append(policies, p)
	}
	return policies, nil
}

// settingOf names the setting that made the limit of this index.
func (z *Zone) settingOf(i int) string {
	switch {
	case i == len(z.Limits):
		return "events and window"
	case len(z.Limits) == 1:
		return "limit"
	default:
		return fmt.Sprintf("limit %d", i+1)
	}
}

// keyParts are the parts of the key as configured.
func (z *Zone) keyParts() []string {
	if z.Key != "" {
		return []string{z.Key}
	}
	return z.Keys
}

// zone is a Zone compiled for deciding. It never changes, but for what has been logged once.
type zone struct {
	name     string
	matchers caddyhttp.MatcherSets
	key      key
	policies []*limiter.Policy
	// fields are the names and policies of its limits as the RateLimit headers write them.
	fields  []limitField
	metrics *zoneMetrics

	toldEmpty, toldStranger atomic.Bool
}

func (z *Zone) compile(ctx caddy.Context, name string, h *Handler) (*zone, error) {
	policies, err := z.policies(name)
	if err != nil {
		return nil, err
	}
	c := &zone{name: name, policies: policies}
	if len(z.MatcherSetsRaw) > 0 {
		sets, err := ctx.LoadModule(z, "MatcherSetsRaw")
		if err != nil {
			return nil, fmt.Errorf("match: %w", err)
		}
		if err := c.matchers.FromInterface(sets); err != nil {
			return nil, fmt.Errorf("match: %w", err)
		}
	}
	c.key = z.compileKey(h.counts.namespace, name)
	for _, p := range policies {
		c.fields = append(c.fields, newLimitField(p))
	}
	c.metrics = h.metrics.zone(name)
	return c, nil
}
