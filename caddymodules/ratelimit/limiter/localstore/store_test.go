package localstore_test

import (
	"testing"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/limitertest"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

func open(_ *testing.T, clock *limitertest.Clock) limiter.Store {
	return localstore.New(localstore.Options{Now: clock.Now})
}

func TestStore(t *testing.T) { limitertest.TestStore(t, open) }

func TestStore_decidesAsTheModelDoes(t *testing.T) { limitertest.Differential(t, open) }
