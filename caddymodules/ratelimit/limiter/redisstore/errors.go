package redisstore

import (
	"errors"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// failure is an error of the contract with its cause. It is made under load, so it is not formatted
// before somebody reads it.
type failure struct{ contract, cause error }

func (f *failure) Error() string   { return f.contract.Error() + ": " + f.cause.Error() }
func (f *failure) Unwrap() []error { return []error{f.contract, f.cause} }

// cause is the link's error in one of the contract.
func cause(err error) error {
	if f := (*failure)(nil); errors.As(err, &f) {
		return f.cause
	}
	return err
}

// contract tells what the link's error means for the claims.
func contract(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, redislink.ErrConnectionLost):
		return &failure{limiter.ErrConnectionLost, err}
	case errors.Is(err, redislink.ErrUnanswered):
		return &failure{limiter.ErrUnanswered, err}
	default:
		// Also what a script raises: the scripts read everything before they write anything.
		return &failure{limiter.ErrUnavailable, err}
	}
}
