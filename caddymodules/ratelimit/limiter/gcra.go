package limiter

import "time"

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

// advance moves the bucket on to now: repaid, rescaled to the policy, clamped to its capacity.
func (b Bucket) advance(p *Policy, now int64) Bucket {
	now = max(now, b.At)
	debt := b.Debt
	if debt > 0 {
		// Compared in time, so that elapsed × repay cannot overflow.
		if elapsed := now - b.At; elapsed >= ceilDiv(debt, b.Repay) {
			debt = 0
		} else {
			debt -= elapsed * b.Repay
		}
		if b.Token != p.token || b.Repay != p.repay {
			// Tokens used are kept, and clamped before they are scaled: that cannot overflow.
			debt = min(ceilDiv(debt, b.Token), p.Capacity()) * p.token
		}
		debt = min(debt, p.Capacity()*p.token)
	}
	return Bucket{At: now, Debt: debt, Token: p.token, Repay: p.repay}
}

// Refund gives back cost tokens of a charge that is [Claim.Refundable].
func (b Bucket) Refund(p *Policy, now, cost int64) Bucket {
	b = b.advance(p, now)
	b.Debt = max(0, b.Debt-cost*p.token)
	return b
}

// TimeToFull is the time in microseconds until nothing of the debt is left.
func (b Bucket) TimeToFull() int64 {
	if b.Debt == 0 {
		return 0
	}
	return ceilDiv(b.Debt, b.Repay)
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }
