package ratelimit

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// Problem types of draft-ietf-httpapi-ratelimit-headers-10, sections 5 and 6.
const (
	quotaExceeded            = "https://iana.org/assignments/http-problem-types#quota-exceeded"
	temporaryReducedCapacity = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity"
)

// eventExceeded is emitted for each refused request, with the data of caddy-ratelimit.
const eventExceeded = "rate_limit_exceeded"

// refused says whether the claim was decided, and against the request. In a Cluster the store comes to no
// more claims after one that it refuses.
func refused(claim *limiter.Claim) bool { return claim.Decision.Decided && !claim.Decision.Allowed }

// worst is the claim that keeps the request waiting longest; of several the one of the zone that
// comes first by name.
func (c *call) worst() *limiter.Claim {
	var worst *limiter.Claim
	longest := time.Duration(-1)
	for i := range c.claims {
		if !refused(&c.claims[i]) {
			continue
		}
		wait := c.claims[i].Decision.RetryAfter
		if wait == limiter.Never {
			wait = math.MaxInt64
		}
		if wait > longest {
			worst, longest = &c.claims[i], wait
		}
	}
	return worst
}

// refuse answers 429: it sets the header fields and placeholders, logs and emits the event.
func (h *Handler) refuse(w http.ResponseWriter, c *call) error {
	worst := c.worst()
	zone, d := worst.Policy.Zone, &worst.Decision

	var (
		retryAfter string
		wait       time.Duration
		err        error
	)
	if d.RetryAfter == limiter.Never {
		err = fmt.Errorf("zone %q admits %d: this request can never pass", zone, d.Quota)
	} else {
		wait = d.RetryAfter + h.jitter(d.RetryAfter)
		retryAfter = strconv.FormatInt(max(1, seconds(wait)), 10)
		w.Header().Set(retryAfterHeader, retryAfter)
		err = fmt.Errorf("zone %q is exceeded: retry after %s s", zone, retryAfter)
	}
	if h.Headers == headersDraft {
		values := c.values()
		addFields(w.Header(), values[:], exposedWhenRefused)
	}
	repl := replacer(c.r)
	repl.Set("http.rate_limit.exceeded.name", zone)
	repl.Set("http.rate_limit.remaining", strconv.FormatInt(d.Remaining, 10))
	c.describe(worst, retryAfter, quotaExceeded, refused)

	remote := c.r.RemoteAddr
	if host, _, err := net.SplitHostPort(remote); err == nil {
		remote = host
	}
	h.logExceeded(c, zone, wait, remote)
	if h.events.ShouldEmit(eventExceeded) {
		h.events.Emit(h.ctx, eventExceeded, map[string]any{"zone": zone, "wait": wait, "remote_ip": remote})
	}
	return caddyhttp.Error(http.StatusTooManyRequests, err)
}

// refuseClosed answers 503 for zones that are closed while Redis cannot be asked.
func (h *Handler) refuseClosed(w http.ResponseWriter, c *call) error {
	closed := func(claim *limiter.Claim) bool {
		return claim.Policy.OnFailure == limiter.FailClosed && !claim.Policy.Local
	}
	first := -1
	for i := range c.matched {
		if m := &c.matched[i]; closed(&c.claims[m.first]) {
			m.zone.metrics.countClosed()
			if first < 0 {
				first = m.first
			}
		}
	}
	claim := &c.claims[max(0, first)]
	claim.Decision = limiter.Decision{Degraded: true, Quota: claim.Policy.Capacity()}
	const retryAfter = "1" // the link is probed several times a second
	w.Header().Set(retryAfterHeader, retryAfter)
	c.describe(claim, retryAfter, temporaryReducedCapacity, closed)
	return caddyhttp.Error(http.StatusServiceUnavailable, fmt.Errorf("zone %q is closed while redis is unavailable", claim.Policy.Zone))
}

// describe sets the placeholders of a refusal, for error pages and logs.
func (c *call) describe(claim *limiter.Claim, retryAfter, problem string, violated func(*limiter.Claim) bool) {
	repl := replacer(c.r)
	repl.Set("http.rate_limit.policy", claim.Policy.Name)
	repl.Set("http.rate_limit.limit", strconv.FormatInt(claim.Decision.Quota, 10))
	repl.Set("http.rate_limit.retry_after", retryAfter)
	repl.Set("http.rate_limit.degraded", strconv.FormatBool(claim.Decision.Degraded))
	repl.Set("http.rate_limit.problem", problem)

	var names strings.Builder
	names.WriteByte('[')
	for i := range c.claims {
		if violated(&c.claims[i]) {
			if names.Len() > 1 {
				names.WriteByte(',')
			}
			// Printable ASCII within quotes is the same String in JSON.
			names.WriteString(c.fields[i].name)
		}
	}
	names.WriteByte(']')
	repl.Set("http.rate_limit.violated_policies", names.String())
}

// jitter is the random part of a wait.
func (h *Handler) jitter(wait time.Duration) time.Duration {
	if h.Jitter == 0 {
		return 0
	}
	return time.Duration(rand.Float64() * h.Jitter * float64(wait)) //nolint:gosec // It spreads clients; nothing is to be guessed.
}

// Of the refusals of one second the first logged are logged, and one in thinned of the others: who floods
// the edge is not to have a line of its log for each request. The access log has them all.
const (
	logged  = 20
	thinned = 1000
)

func (h *Handler) logTo(logger *zap.Logger) {
	h.logger = logger
	h.refusals = logger.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(core, time.Second, logged, thinned)
	}))
}

// logExceeded writes caddy-ratelimit's log entry.
func (h *Handler) logExceeded(c *call, zone string, wait time.Duration, remote string) {
	entry := h.refusals.Check(zap.InfoLevel, "rate limit exceeded")
	if entry == nil {
		return
	}
	fields := []zap.Field{zap.String("zone", zone), zap.Duration("wait", wait), zap.String("remote_ip", remote)}
	if h.LogKey {
		fields = append(fields, zap.String("key", c.keyText(zone)))
	}
	entry.Write(fields...)
}

// keyText is the key of the request in the zone of that name.
func (c *call) keyText(name string) string {
	for i := range c.matched {
		if z := c.matched[i].zone; z.name == name {
			return z.key.text(c.r)
		}
	}
	return ""
}
