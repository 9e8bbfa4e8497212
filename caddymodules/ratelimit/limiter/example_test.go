package limiter_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// Two limits are decided together: what one of them refuses is not charged to the other.
func ExampleStore() {
	store := localstore.New(localstore.Options{})
	burst, err := limiter.NewPolicy("api", 1, limiter.Limit{Algorithm: limiter.GCRA, Rate: 100, Period: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	hard, err := limiter.NewPolicy("api", 2, limiter.Limit{Algorithm: limiter.Log, Rate: 2, Period: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	sum := sha256.Sum256([]byte("production api 203.0.113.7"))
	key := limiter.Key(sum[:])
	for range 3 {
		claims := []limiter.Claim{{Key: key, Policy: burst, Cost: 1}, {Key: key, Policy: hard, Cost: 1}}
		if err := store.Take(context.Background(), claims); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(limiter.Allowed(claims), claims[0].Decision.Remaining, claims[1].Decision.Remaining)
	}
	// Output:
	// true 99 1
	// true 98 0
	// false 98 0
}
