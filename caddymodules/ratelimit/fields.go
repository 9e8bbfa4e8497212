package ratelimit

import (
	"strconv"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// The response header fields of draft-ietf-httpapi-ratelimit-headers-10, as http.Header keys them.
// Both are Lists of Strings with parameters (RFC 9651). They are written here, and not by a
// structured-fields library, for the allowed request's sake: a test reads them back with one.
const (
	policyHeader = "Ratelimit-Policy"
	limitHeader  = "Ratelimit"

	retryAfterHeader    = "Retry-After"
	exposeHeader        = "Access-Control-Expose-Headers"
	allowOriginHeader   = "Access-Control-Allow-Origin"
	exposedWhenAllowed  = "RateLimit, RateLimit-Policy"
	exposedWhenRefused  = "RateLimit, RateLimit-Policy, Retry-After"
	fieldsSize          = 160 // of working memory: two or three limits
	largestSFStringByte = 0x7e
)

// limitField is a limit as the fields write it.
type limitField struct {
	// name is a structured-fields String, quotes included.
	name string
	// policy is its item of RateLimit-Policy, for this quota and window.
	policy string
	quota  int64
	window time.Duration
}

func newLimitField(p *limiter.Policy) limitField {
	f := limitField{name: sfString(p.Name), quota: p.Capacity(), window: p.Window()}
	f.policy = string(f.appendPolicy(nil, f.quota, f.window))
	return f
}

// appendPolicy appends `"name";q=quota;w=seconds`. A window below one second is left out: w counts
// whole ones.
func (f *limitField) appendPolicy(b []byte, quota int64, window time.Duration) []byte {
	if f.policy != "" && quota == f.quota && window == f.window {
		return append(b, f.policy...)
	}
	b = append(b, f.name...)
	b = append(b, ";q="...)
	b = strconv.AppendInt(b, quota, 10)
	if window >= time.Second {
		b = append(b, ";w="...)
		b = strconv.AppendInt(b, seconds(window), 10)
	}
	return b
}

// appendLimit appends `"name";r=remaining;t=seconds`. t is the time until this request can pass if
// it was refused, else until the whole quota is there again; it is left out when it is there
// already, or when no time would do.
func (f *limitField) appendLimit(b []byte, d *limiter.Decision) []byte {
	b = append(b, f.name...)
	b = append(b, ";r="...)
	b = strconv.AppendInt(b, d.Remaining, 10)
	t := d.ResetAfter
	if !d.Allowed {
		t = d.RetryAfter
	}
	if t != limiter.Never && (d.Remaining != d.Quota || !d.Allowed) {
		b = append(b, ";t="...)
		b = strconv.AppendInt(b, seconds(t), 10)
	}
	return b
}

// appendFields appends the value of RateLimit-Policy and then that of RateLimit for all limits that
// were decided, and says where the second begins.
func (c *call) appendFields(b []byte) (_ []byte, split int) {
	for i := range c.claims {
		if d := &c.claims[i].Decision; d.Decided {
			b = comma(b, 0)
			b = c.fields[i].appendPolicy(b, d.Quota, d.Window)
		}
	}
	split = len(b)
	for i := range c.claims {
		if d := &c.claims[i].Decision; d.Decided {
			b = comma(b, split)
			b = c.fields[i].appendLimit(b, d)
		}
	}
	return b, split
}

// comma separates items of a List that begins at start.
func comma(b []byte, start int) []byte {
	if len(b) > start {
		b = append(b, ", "...)
	}
	return b
}

// seconds are whole seconds, rounded up: a client that waits for them does not come too early.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// sfString quotes a name as an RFC 9651 String. That knows only printable ASCII, so other bytes are
// percent-encoded.
func sfString(name string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, len(name)+2)
	b = append(b, '"')
	for i := range len(name) {
		switch c := name[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ' || c > largestSFStringByte:
			b = append(b, '%', hex[c>>4], hex[c&0xf])
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '"'))
}
