package limiter

import (
	"math"
	"time"
)

// Bucket is the state of a GCRA limit: Debt units at the moment At. A debt of Capacity × token is an
// empty bucket, zero is a full one. The scale travels with the state, so that a changed limit keeps
// the tokens that were used. The zero Bucket is full.
type Bucket struct {
	// At is in microseconds of the store's clock, and never moves back.
	At int64
	// Debt is in units: a token costs Token of them, a microsecond repays Repay.
	Debt         int64
	Token, Repay int64
}

// Take decides cost at the moment now. It returns the bucket after it, charged only if allowed;
// the caller stores it only if every other claim was allowed too.
func (b Bucket) Take(p *Policy, now, cost int64) (Bucket, Decision) {
	d := Decision{Decided: true, At: now, Quota: p.Capacity(), Window: p.Window()}
	b = b.advance(p, now)
	// How far the clock has moved back behind the bucket: waits are told by the clock.
	ahead := b.At - now
	capacity := p.Capacity()
	// The debt before this request that would just admit it; cost × token stays below 2⁵³.
	most := (capacity - cost) * p.token
	switch {
	case cost > capacity:
		d.RetryAfter = Never
	case b.Debt > most:
		d.RetryAfter = micros(ahead + ceilDiv(b.Debt-most, p.repay))
	default:
		d.Allowed = true
		b.Debt += cost * p.token
	}
	d.Remaining = (capacity*p.token - b.Debt) / p.token
	if b.Debt > 0 {
		d.ResetAfter = micros(ahead + b.TimeToFull())
	}
	return b, d
}

// advance moves the bucket on to now, rescaled to the policy and clamped to its capacity. A policy
// that changed counts from the last charge on: what is refused writes nothing, so were the debt
// repaid at the old rate, a raised limit would be felt only after the old wait.
func (b Bucket) advance(p *Policy, now int64) Bucket {
	if b.Token != p.token || b.Repay != p.repay {
		if b.Debt > 0 {
			// Tokens used are kept, and clamped before they are scaled: that cannot overflow.
			b.Debt = min(ceilDiv(b.Debt, b.Token), p.Capacity()) * p.token
		}
		b.Token, b.Repay = p.token, p.repay
	}
	b.Debt = min(b.Debt, p.Capacity()*p.token)
	return b.repaid(now)
}

// repaid moves the bucket on to now, at which some of its debt is repaid. It never moves back.
func (b Bucket) repaid(now int64) Bucket {
	if now <= b.At {
		return b
	}
	if b.Debt > 0 {
		// Compared in time, so that elapsed × repay cannot overflow.
		if elapsed := now - b.At; elapsed >= ceilDiv(b.Debt, b.Repay) {
			b.Debt = 0
		} else {
			b.Debt -= elapsed * b.Repay
		}
	}
	b.At = now
	return b
}

// Refund gives back cost tokens of a charge that is [Claim.Refundable]. The bucket keeps its own
// scale and is not clamped: the limit may have changed since the charge.
func (b Bucket) Refund(now, cost int64) Bucket {
	b = b.repaid(now)
	// Compared in tokens, so that cost × token cannot overflow.
	if b.Debt == 0 || cost >= ceilDiv(b.Debt, b.Token) {
		b.Debt = 0
	} else {
		b.Debt -= cost * b.Token
	}
	return b
}

// TimeToFull is the time in microseconds until nothing of the debt is left.
func (b Bucket) TimeToFull() int64 {
	if b.Debt == 0 {
		return 0
	}
	return ceilDiv(b.Debt, b.Repay)
}

// micros is n microseconds, or the longest Duration there is: a share of a period of years, on hundreds
// of nodes, is longer than that.
func micros(n int64) time.Duration {
	return time.Duration(min(n, math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
}

// BucketFullIn is the bucket that will be full in so many microseconds: the state of a share is made
// so from that of the whole, since both take equally long to fill.
func BucketFullIn(p *Policy, now, in int64) Bucket {
	b := Bucket{At: now, Token: p.token, Repay: p.repay}
	switch {
	case in >= p.window:
		b.Debt = p.Capacity() * p.token
	case in > 0:
		b.Debt = min(in*p.repay, p.Capacity()*p.token)
	}
	return b
}

// Owed is the part of the debt that takes so many microseconds to repay, by tokens in the scale of p,
// rounded up: what a node admitted at its share, as the whole counts it.
func (b Bucket) Owed(p *Policy, last int64) int64 {
	units := min(last*b.Repay, b.Debt)
	return int64(ceilMulDiv(uint64(units), uint64(p.token), uint64(b.Token)))
}
