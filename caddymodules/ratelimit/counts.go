package ratelimit

import (
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// pool keeps what must survive a reload: counts by namespace, links to Redis, and the metrics.
var pool = caddy.NewUsagePool()

// defaultNamespace is that of a configuration without Redis.
const defaultNamespace = "default"

// countsKey is the pool's key of a namespace's counts. What a reload may change is no part of it.
type countsKey struct{ namespace string }

// counts are what this process has counted in a namespace, shared by all handlers of it and by the
// configurations before and after a reload. They end with their last handler.
type counts struct {
	namespace string
	local     *localstore.Store
	places    registry

	mu     sync.Mutex // guards bounds
	bounds map[*Handler]bound
}

// bound is what one handler allows the store to hold.
type bound struct {
	keys   int
	memory int64
}

// joinCounts returns the namespace's counts, to be given back by release.
func joinCounts(namespace string, h *Handler) *counts {
	value, _ := pool.LoadOrStore(countsKey{namespace}, newCounts(namespace))
	c := value.(*counts)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bounds[h] = bound{keys: h.MaxKeys, memory: h.MaxMemory}
	c.resize()
	return c
}

func newCounts(namespace string) *counts {
	return &counts{
		namespace: namespace,
		local:     localstore.New(localstore.Options{}),
		bounds:    make(map[*Handler]bound),
	}
}

// release gives back what joinCounts has taken.
func (c *counts) release(h *Handler) error {
	c.places.remove(h)
	c.mu.Lock()
	delete(c.bounds, h)
	c.resize()
	c.mu.Unlock()
	_, err := pool.Delete(countsKey{c.namespace})
	return err
}

// resize gives the store its bound. A reload holds the old and the new handlers for a moment, so it
// shrinks only after that.
func (c *counts) resize() {
	if len(c.bounds) > 0 {
		b := c.bound()
		c.local.Resize(b.keys, b.memory)
	}
}

// bound is the most that any handler allows.
func (c *counts) bound() (most bound) {
	for _, b := range c.bounds {
		most.keys = max(most.keys, b.keys)
		most.memory = max(most.memory, b.memory)
	}
	return most
}

// held is the number of keys held in this process, over all namespaces.
func held() (keys int) {
	pool.Range(func(_, value any) bool {
		if c, ok := value.(*counts); ok {
			keys += c.local.Len()
		}
		return true
	})
	return keys
}

// currentMode is how limits are decided at the moment, for the gauge.
func currentMode() string {
	mode := modeWithoutRedis
	pool.Range(func(_, value any) bool {
		if s, ok := value.(*shared); ok {
			mode = s.Mode().String()
		}
		return true
	})
	return mode
}
