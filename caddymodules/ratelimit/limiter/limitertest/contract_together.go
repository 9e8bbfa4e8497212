package limitertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// allOrNothing is trap 5: what one limit refuses is not charged to the others, whichever refuses.
func allOrNothing(f *fixture) {
	limits := perMinute(10)
	for refuser := range limits {
		var claims []limiter.Claim
		for i, limit := range limits {
			if i == refuser {
				limit.Rate = 1
			}
			claims = append(claims, f.claim(fmt.Sprintf("refuser %d", refuser), f.policy(1, limit), 1))
		}
		if f.take(claims...); !limiter.Allowed(claims) {
			f.t.Fatalf("first take: refused, want it allowed")
		}
		before := f.looks(claims)
		for range 3 {
			f.take(claims...)
			for i, c := range claims {
				d := c.Decision
				if i == refuser {
					if !d.Decided || d.Allowed || d.RetryAfter <= 0 {
						f.t.Errorf("%s: got %s, want it refused with a wait", c.Policy, describe(d))
					}
				} else if d.Decided && (!d.Allowed || d.RetryAfter != 0 || d.Remaining != before[i].Remaining) {
					f.t.Errorf("%s beside a refusal: got %s, want it allowed and not charged: %s", c.Policy, describe(d), describe(before[i]))
				}
			}
		}
		if after := f.looks(claims); !slices.Equal(before, after) {
			f.t.Errorf("refused by %s:\nbefore %v\n after %v", claims[refuser].Policy, before, after)
		}
	}
}

// looks is what each claim's state says by itself.
func (f *fixture) looks(claims []limiter.Claim) []limiter.Decision {
	f.t.Helper()
	ds := make([]limiter.Decision, len(claims))
	for i, c := range claims {
		c.Cost = 0
		ds[i] = f.take(c)[0].Decision
	}
	return ds
}

// orderDoesNotMatter is trap 6: the outcome is that of the set of claims.
func orderDoesNotMatter(f *fixture) {
	limits := perMinute(3)
	orders := [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}
	for n, order := range orders {
		admitted := 0
		for range 6 {
			var claims []limiter.Claim
			for _, i := range order {
				limit := limits[i]
				limit.Rate = int64(3 + i)
				claims = append(claims, f.claim(fmt.Sprintf("order %d", n), f.policy(1, limit), 1))
			}
			if f.take(claims...); limiter.Allowed(claims) {
				admitted++
			}
		}
		if admitted != 3 {
			f.t.Errorf("order %v: %d admitted, want 3", order, admitted)
		}
		for i, limit := range limits {
			limit.Rate = int64(3 + i)
			d := f.take(f.claim(fmt.Sprintf("order %d", n), f.policy(1, limit), 0))[0].Decision
			if d.Remaining != int64(i) {
				f.t.Errorf("order %v: %d remaining of %s, want %d", order, d.Remaining, limit, i)
			}
		}
	}
}

func manyClaims(f *fixture) {
	limits := perMinute(2)
	var claims []limiter.Claim
	for i := range 30 {
		claims = append(claims, f.claim(fmt.Sprintf("key %d", i/6), f.policy(i%6+1, limits[i%3]), 1))
	}
	for _, want := range []bool{true, true, false} {
		if f.take(claims...); limiter.Allowed(claims) != want {
			f.t.Fatalf("thirty claims: allowed %t, want %t", !want, want)
		}
	}
	f.clock.Advance(62 * time.Second)
	// All but the last are free again: that one was taken by itself meanwhile.
	last := claims[len(claims)-1]
	last.Cost = 2
	f.take(last)
	f.take(claims...)
	for i, d := range f.looks(claims) {
		if want := int64(2); i < len(claims)-1 && d.Remaining != want {
			f.t.Errorf("claim %d: %d remaining beside a refusal, want %d", i, d.Remaining, want)
		}
	}
}

// refundGivesBack is what reserving before and giving back after needs.
func refundGivesBack(f *fixture) {
	limits := perMinute(5)
	var claims []limiter.Claim
	for i, limit := range limits {
		claims = append(claims, f.claim("key", f.policy(1, limit), int64(i+1)))
	}
	before := f.looks(claims)
	f.take(claims...)
	f.clock.Advance(time.Second)
	f.refund(claims...)
	f.clock.Advance(-time.Second)
	for i, d := range f.looks(claims) {
		if d.Remaining != before[i].Remaining {
			f.t.Errorf("%s: %d remaining after the refund, want %d", claims[i].Policy, d.Remaining, before[i].Remaining)
		}
	}
	// Of what is given back a part has come back by itself.
	f.clock.Advance(time.Hour)
	f.take(claims...)
	f.clock.Advance(5 * time.Second)
	f.refund(claims...)
	for i, d := range f.looks(claims) {
		if d.Remaining != before[i].Remaining {
			f.t.Errorf("%s: %d remaining after a later refund, want %d", claims[i].Policy, d.Remaining, before[i].Remaining)
		}
	}
	// A second refund finds nothing to give, and what a look took is nothing.
	f.refund(claims...)
	f.refund(f.take(f.claim("key", claims[0].Policy, 0))...)
	for i, d := range f.looks(claims) {
		if d.Remaining != before[i].Remaining {
			f.t.Errorf("%s: %d remaining after a second refund, want %d", claims[i].Policy, d.Remaining, before[i].Remaining)
		}
	}
	f.refund()
}

// refundTwice is a mistake of a caller. It must not leave more than the capacity.
func refundTwice(f *fixture) {
	for _, limit := range perMinute(5) {
		p := f.policy(1, limit)
		reserved := f.take(f.claim("key", p, 3))
		f.allowed(p, 1, 1)
		f.refund(reserved...)
		f.refund(reserved...)
		f.allowed(p, 5, 0)
		f.refused(p, 1, f.one(p, 1).RetryAfter)
	}
}

// refundExpired: the tokens of an old charge have come back by themselves. To give them back once
// more would give away those of somebody else.
func refundExpired(f *fixture) {
	for _, limit := range perMinute(5) {
		p := f.policy(1, limit)
		old := f.take(f.claim("key", p, 2))
		f.clock.Advance(62 * time.Second)
		f.allowed(p, 5, 0)
		f.refund(old...)
		f.allowed(p, 0, 0)
		f.refused(p, 1, f.one(p, 1).RetryAfter)
	}
}

// refundOwnEvents: a refund takes back the events of its own moment, not newer ones that stay longer.
func refundOwnEvents(f *fixture) {
	for _, limit := range perMinute(4)[1:] {
		p := f.policy(1, limit)
		reserved := f.take(f.claim("key", p, 2))
		f.clock.Advance(30 * time.Second)
		f.allowed(p, 2, 0)
		f.refund(reserved...)
		f.allowed(p, 0, 2)
		// The newer two are there still when the older two would have gone.
		f.clock.Advance(32 * time.Second)
		f.allowed(p, 0, 2)
		f.clock.Advance(30 * time.Second)
		f.allowed(p, 0, 4)
	}
}

// refundAfterChange: a reload between the charge and its refund leaves the other tokens where they are.
func refundAfterChange(f *fixture) {
	for _, limit := range perMinute(5) {
		before := f.policy(1, limit)
		limit.Rate = 100
		after := f.policy(1, limit)
		reserved := f.take(f.claim("key", before, 2))
		f.allowed(after, 58, 40)
		f.refund(reserved...)
		f.allowed(after, 0, 42)
	}
}
