package limitertest

import (
	"testing"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

func openModel(_ *testing.T, clock *Clock) limiter.Store { return NewModel(clock.Now) }

func TestModel(t *testing.T) { TestStore(t, openModel) }

func TestModel_agreesWithItself(t *testing.T) { Differential(t, openModel) }
