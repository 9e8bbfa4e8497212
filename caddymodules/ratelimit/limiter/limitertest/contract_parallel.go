package limitertest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// callers is how many calls are made at the same moment.
const callers = 2000

// parallel makes the calls at once and returns how many passed, and whether any claim was left undecided.
func (f *fixture) parallel(claims func() []limiter.Claim) (passed int64, undecided bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	var wg sync.WaitGroup
	var count, skipped atomic.Int64
	start := make(chan struct{})
	for range callers {
		wg.Go(func() {
			cs := claims()
			<-start
			if err := f.store.Take(ctx, cs); err != nil {
				f.t.Errorf("take: %v", err)
				return
			}
			if limiter.Allowed(cs) {
				count.Add(1)
			}
			for i := range cs {
				if !cs[i].Decision.Decided {
					skipped.Add(1)
				}
			}
		})
	}
	close(start)
	wg.Wait()
	f.settle()
	return count.Load(), skipped.Load() > 0
}

func parallelExact(f *fixture) {
	for _, limit := range perMinute(700) {
		p := f.policy(1, limit)
		if passed, _ := f.parallel(func() []limiter.Claim { return []limiter.Claim{f.claim("key", p, 1)} }); passed != 700 {
			f.t.Errorf("%s: %d of %d parallel calls passed, want 700", limit, passed, callers)
		}
	}
}

// parallelSeveral: the smallest limit decides, and the others are charged for what passed, no more.
func parallelSeveral(f *fixture) {
	limits := perMinute(700)
	limits[1].Rate = 500
	limits[2].Rate = 600
	claims := func() []limiter.Claim {
		var cs []limiter.Claim
		for _, limit := range limits {
			cs = append(cs, f.claim("key", f.policy(1, limit), 1))
		}
		return cs
	}
	passed, oneByOne := f.parallel(claims)
	// A store that decides claims one by one may refuse for what is given back a moment later.
	if passed > 500 || (passed < 500 && !oneByOne) {
		f.t.Errorf("%d of %d parallel calls passed, want 500", passed, callers)
	}
	for i, d := range f.looks(claims()) {
		if want := limits[i].Rate - passed; d.Remaining != want {
			f.t.Errorf("%s: %d remaining, want %d", limits[i], d.Remaining, want)
		}
	}
}

// contextEnded: such a call may be decided or fail, but it returns, and one that failed for certain
// has charged nothing.
func contextEnded(f *fixture) {
	for _, limit := range perMinute(5) {
		p := f.policy(1, limit)
		ctx, cancel := context.WithDeadline(context.Background(), time.Unix(1, 0))
		cancel()
		claims := []limiter.Claim{f.claim("key", p, 2)}
		err := f.store.Take(ctx, claims)
		least, most := int64(3), int64(5)
		switch {
		case err == nil:
			if d := claims[0].Decision; !d.Allowed || d.Remaining != 3 {
				f.t.Errorf("%s with an ended context: got %s, want it allowed or an error", limit, describe(d))
			}
			most = 3
		case errors.Is(err, limiter.ErrUnavailable), errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, limiter.ErrUnanswered):
			least = 5
		case !errors.Is(err, limiter.ErrUnanswered):
			f.t.Errorf("%s with an ended context: %v, want an error of the contract", limit, err)
		}
		if d := f.one(p, 0); d.Remaining < least || d.Remaining > most {
			f.t.Errorf("%s after a call that returned %v: %d remaining, want %d to %d", limit, err, d.Remaining, least, most)
		}
	}
}
