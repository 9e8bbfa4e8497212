package ratelimit

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// statusClientGone is what Caddy logs for a client that did not wait for its answer.
const statusClientGone = 499

// ServeHTTP decides the request in all zones that it is in, and passes it on or refuses it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	c := newCall(r)
	if err := h.gather(c); err != nil {
		c.release()
		return err
	}
	if len(c.claims) == 0 {
		c.release()
		return next.ServeHTTP(w, r)
	}
	if err := h.take(c); err != nil {
		defer c.release()
		return h.undecided(w, c, err)
	}
	passed := limiter.Allowed(c.claims)
	for i := range c.matched {
		m := &c.matched[i]
		m.zone.metrics.countDecision(c.claims[m.first:m.end], passed)
	}
	if !passed {
		defer c.release()
		return h.refuse(w, c)
	}
	if h.Headers == headersOff {
		c.release()
		return next.ServeHTTP(w, r)
	}
	rw := c.respond(w)
	c.release() // next may take long
	err := next.ServeHTTP(rw, r)
	// Whoever wrote nothing leaves the response, or the error page, to those outside.
	rw.begin(http.StatusOK)
	return err
}

// call is the working memory of one request in one handler.
type call struct {
	r       *http.Request
	claims  []limiter.Claim
	fields  []*limitField // of each claim
	matched []matched
	buf     []byte
}

// matched is a zone that the request is in, and its claims.
type matched struct {
	zone       *zone
	first, end int
}

var calls = sync.Pool{New: func() any {
	return &call{
		claims:  make([]limiter.Claim, 0, 8),
		fields:  make([]*limitField, 0, 8),
		matched: make([]matched, 0, 8),
		buf:     make([]byte, 0, fieldsSize),
	}
}}

func newCall(r *http.Request) *call {
	c := calls.Get().(*call)
	c.r = r
	return c
}

// release gives the call back. It keeps nothing of the request or of a configuration alive.
func (c *call) release() {
	c.r = nil
	clear(c.claims)
	clear(c.fields)
	clear(c.matched)
	c.claims, c.fields, c.matched = c.claims[:0], c.fields[:0], c.matched[:0]
	calls.Put(c)
}

// gather finds the zones that the request is in, and by what it is counted there.
func (h *Handler) gather(c *call) error {
	for _, z := range h.zones {
		if len(z.matchers) > 0 {
			in, err := z.matchers.AnyMatchWithError(c.r)
			if err != nil {
				return err
			}
			if !in {
				continue
			}
		}
		k, counted, err := h.keyOf(c, z)
		if err != nil {
			return err
		}
		if !counted {
			continue
		}
		first := len(c.claims)
		for i, p := range z.policies {
			c.claims = append(c.claims, limiter.Claim{Key: k, Policy: p, Cost: 1})
			c.fields = append(c.fields, &z.fields[i])
		}
		c.matched = append(c.matched, matched{zone: z, first: first, end: len(c.claims)})
	}
	return nil
}

// keyOf is what the request is counted by in the zone, if it is counted at all.
func (h *Handler) keyOf(c *call, z *zone) (k limiter.Key, counted bool, err error) {
	var f keyInfo
	k, f, c.buf = z.key.of(c.r, c.buf)
	if f.known && !f.anonymous {
		return k, true, nil
	}
	z.metrics.countKey(f)
	if f.anonymous && z.toldStranger.CompareAndSwap(false, true) {
		h.logger.Warn("a zone counts by the user, but nobody is known yet: put rate_limit behind the authentication, in a route block",
			zap.String("zone", z.name))
	}
	if f.known {
		return k, true, nil
	}
	if z.toldEmpty.CompareAndSwap(false, true) {
		h.logger.Warn("the key of a request is empty, doing as on_empty_key says",
			zap.String("zone", z.name), zap.String("on_empty_key", z.key.onEmpty))
	}
	switch z.key.onEmpty {
	case emptyKeySkip:
		return k, false, nil
	case emptyKeyReject:
		return k, false, caddyhttp.Error(http.StatusBadRequest, fmt.Errorf("zone %q: the request has nothing to be counted by", z.name))
	case emptyKeyShare:
		return k, true, nil
	default:
		k, c.buf = z.key.ofClient(c.r, c.buf)
		return k, true, nil
	}
}

// respond makes the writer that adds the rate limit fields to the response.
func (c *call) respond(w http.ResponseWriter) *response {
	rw := &response{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	rw.values = c.values()
	return rw
}

// values are those of RateLimit-Policy and RateLimit.
func (c *call) values() [2]string {
	b, split := c.appendFields(c.buf[:0])
	c.buf = b
	both := string(b)
	return [2]string{both[:split], both[split:]}
}

// undecided answers a request for which the store gave no decision.
func (h *Handler) undecided(w http.ResponseWriter, c *call, err error) error {
	if errors.Is(err, limiter.ErrClosed) {
		return h.refuseClosed(w, c)
	}
	if gone := c.r.Context().Err(); gone != nil {
		return caddyhttp.Error(statusClientGone, gone)
	}
	// No store returns any other error: this is a defect, and letting the request pass would hide it.
	return caddyhttp.Error(http.StatusInternalServerError, fmt.Errorf("deciding limits: %w", err))
}
