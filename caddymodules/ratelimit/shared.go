package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/redisstore"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// linkUser is the name under which all limits share one connection and breaker.
const linkUser = "limits"

// decider decides by Redis, and without it when that fails.
type decider interface {
	limiter.Store
	// TakeDegraded decides without Redis, at once.
	TakeDegraded(ctx context.Context, claims []limiter.Claim) error
	// Mode is how Take decides now.
	Mode() degraded.Mode
}

// sharedKey is the pool's key of a namespace's counts in one Redis: a link is one for as long as its
// connection's settings stay the same.
type sharedKey struct {
	namespace string
	link      *redislink.Link
}

// shared are the counts of all nodes, on one link: the store that decides, and who is told when it
// begins or ceases to decide alone. It survives the reloads that the link survives.
type shared struct {
	*degraded.Store
	key         sharedKey
	census      degraded.Census
	unsubscribe func()
	told        transitions
}

// findRedis is the configuration's redis app; nil when there is none, or none that is configured.
func findRedis(ctx caddy.Context) (redislink.Provider, error) {
	app, err := ctx.AppIfConfigured("redis")
	if errors.Is(err, caddy.ErrNotConfigured) {
		return nil, nil //nolint:nilnil // Its absence is an answer.
	}
	if err != nil {
		return nil, fmt.Errorf("loading the redis app: %w", err)
	}
	provider, ok := app.(redislink.Provider)
	if !ok {
		return nil, fmt.Errorf("the app redis is %T, which is not Gatehouse's: remove the other module of that name", app)
	}
	if !provider.Configured() {
		return nil, nil //nolint:nilnil // The app has warned of it.
	}
	return provider, nil
}

// joinShared returns the counts in the provider's Redis, to be given back by release.
func joinShared(provider redislink.Provider, c *counts, h *Handler) (*shared, error) {
	link, err := provider.Acquire(linkUser, time.Duration(h.OpTimeout))
	if err != nil {
		return nil, fmt.Errorf("connecting to redis: %w", err)
	}
	key := sharedKey{namespace: c.namespace, link: link}
	value, _, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		return newShared(key, c, provider.Census()), nil
	})
	if err != nil {
		return nil, err
	}
	s := value.(*shared)
	s.told.join(h)
	return s, nil
}

func newShared(key sharedKey, c *counts, census degraded.Census) *shared {
	s := &shared{key: key, census: census}
	s.told.start(census)
	primary := redisstore.New(key.link, redisstore.Options{Micros: c.local.Micros})
	s.Store = degraded.New(primary, c.local, census, degraded.Options{OnMode: s.told.moved})
	s.unsubscribe = key.link.Subscribe(s.follow)
	// What had changed before the subscription, and what changes meanwhile.
	if key.link.State() == redislink.StateClosed {
		s.LinkUp(true)
	}
	if key.link.State() != redislink.StateClosed {
		s.alone(key.link.LastError()) // where nobody listens at the port, the first attempt may be over by now
	}
	return s
}

// follow tells the store how the link is.
func (s *shared) follow(change redislink.Change) {
	switch change.State {
	case redislink.StateClosed:
		s.LinkUp(change.Arrival.DataIntact)
	case redislink.StateOpen:
		s.alone(change.Reason)
	case redislink.StateHalfOpen:
	}
}

// alone tells the store of an outage, and the log as well: a store that has never been exact does not
// move, and yet somebody should know. Without a reason nothing has been tried yet. Who has been told is
// not told again.
func (s *shared) alone(reason error) {
	s.told.because(reason)
	s.LinkDown()
	if reason != nil {
		s.told.moved(degraded.Degraded)
	}
}

// release gives back what joinShared has taken.
func (s *shared) release(h *Handler) error {
	s.told.release(h)
	_, err := pool.Delete(s.key)
	return err
}

// Destruct ends the store when its last handler has left.
func (s *shared) Destruct() error {
	s.unsubscribe()
	s.Close()
	s.told.stop()
	return nil
}

var (
	_ decider          = (*shared)(nil)
	_ caddy.Destructor = (*shared)(nil)
)
