package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/localstore"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/redisstore"
)

// pool keeps what must survive a reload: sessions by namespace and link, providers, and the metrics.
var pool = caddy.NewUsagePool()

const (
	// linkUser is the name under which all sessions share one connection and breaker.
	linkUser = "sessions"
	// defaultNamespace is that of a configuration without Redis.
	defaultNamespace = "default"
	// flushTime bounds how long the end of the node may take to tell Redis of the last activity.
	flushTime = 2 * time.Second
)

// sharedStateKey is the pool's key of a namespace's sessions in one Redis: a link is one for as long as its
// connection's settings stay the same. Without Redis the link is nil.
type sharedStateKey struct {
	namespace string
	link      *redislink.Link
}

// sharedState holds what this process knows of the sessions of a namespace, and the goroutine that tells the store of
// activity. It survives the reloads that the link survives.
type sharedState struct {
	sharedStateKey
	node   *sessions.Node
	tokens tokenStore
	// key seals when there is no secret, which only a store of this process allows.
	key sessions.Key

	cancel      context.CancelFunc
	ended       sync.WaitGroup
	unsubscribe func()

	mu       sync.Mutex
	handlers []*Handler
	told     bool // that Redis is away
	since    time.Time
}

// findRedis returns the redis app of the configuration, nil if it is absent or has no address.
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

// joinSharedState returns the namespace's sessions, to be given back by release.
func joinSharedState(redis redislink.Provider, h *Handler) (*sharedState, error) {
	key := sharedStateKey{namespace: h.KeyNamespace}
	if redis != nil {
		link, err := redis.Acquire(linkUser, time.Duration(h.OpTimeout))
		if err != nil {
			return nil, fmt.Errorf("connecting to redis: %w", err)
		}
		key.link = link
		setDefault(&key.namespace, redis.Namespace())
	}
	setDefault(&key.namespace, defaultNamespace)
	value, loaded, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return newSharedState(key, h) })
	if err != nil {
		return nil, err
	}
	k := value.(*sharedState)
	if loaded {
		k.mu.Lock()
		k.handlers = append(k.handlers, h)
		k.mu.Unlock()
	}
	return k, nil
}

// newSharedState creates the state for its first handler. That handler logs the first transition of the link.
func newSharedState(key sharedStateKey, h *Handler) (*sharedState, error) {
	k := &sharedState{sharedStateKey: key, unsubscribe: func() {}, handlers: []*Handler{h}}
	var store sessions.Store
	if key.link == nil {
		store, k.tokens = localstore.New(localstore.Config{}), new(localTokens)
		k.key.ID = "process"
		_, _ = rand.Read(k.key.Secret[:]) // never fails: it ends the process instead
	} else {
		redis, err := redisstore.New(redisstore.Config{
			Link: key.link, Namespace: key.namespace, Timeout: time.Duration(h.OpTimeout),
		})
		if err != nil {
			return nil, err
		}
		key.link.Preload(redisstore.Scripts()...)
		key.link.Preload(keepScript)
		store, k.tokens = redis, redisTokens{link: key.link, namespace: key.namespace}
	}
	k.node = sessions.NewNode(sessions.NodeConfig{Store: store, MaxCopies: h.MaxCopies, OnLink: k.moved})
	ctx, cancel := context.WithCancel(context.Background())
	k.cancel = cancel
	if key.link != nil {
		k.follow(ctx)
	}
	k.ended.Go(func() { k.node.Run(ctx) })
	return k, nil
}

// follow reports the transitions of the link to the node.
func (k *sharedState) follow(ctx context.Context) {
	closing := k.link.BeforeClose(k.flush)
	unsubscribe := k.link.Subscribe(func(c redislink.Change) {
		switch c.State {
		case redislink.StateClosed:
			k.up(ctx)
		case redislink.StateOpen:
			k.node.LinkDown(c.Reason)
			k.moved(true, c.Reason) // the node may have known without a reason
		case redislink.StateHalfOpen:
		}
	})
	k.unsubscribe = func() {
		unsubscribe()
		closing()
	}
	// What had changed before the subscription. A link that is still connecting, for the first time and
	// without an error so far, is no outage yet to speak of, and yet nobody should be asked before it is there.
	if k.link.State() != redislink.StateClosed {
		reason := k.link.LastError()
		k.node.LinkDown(reason)
		if reason != nil {
			k.moved(true, reason)
		}
	}
	if k.link.State() == redislink.StateClosed {
		k.up(ctx)
	}
}

// up tells the node, in a goroutine of its own, that the link is up. The node then flushes activity.
func (k *sharedState) up(ctx context.Context) {
	k.ended.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, flushTime)
		defer cancel()
		// A failure is told by the link, and tried again by Run.
		_ = k.node.LinkUp(ctx)
	})
}

// release gives back what joinSharedState took. It flushes activity first, because the link may close with this
// configuration.
func (k *sharedState) release(h *Handler) error {
	k.flush()
	k.mu.Lock()
	k.handlers = slices.DeleteFunc(k.handlers, func(other *Handler) bool { return other == h })
	k.mu.Unlock()
	_, err := pool.Delete(k.sharedStateKey)
	return err
}

func (k *sharedState) flush() {
	if k.node.Away() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := k.node.Flush(ctx); err != nil {
		if h := k.newest(); h != nil {
			h.logger.Warn("the last activity did not reach redis, some sessions may end up to a minute early", zap.Error(err))
		}
	}
}

// Destruct ends the node when its last handler has left.
func (k *sharedState) Destruct() error {
	k.unsubscribe()
	k.cancel()
	k.ended.Wait()
	return nil
}

// newest returns the handler of the newest configuration.
func (k *sharedState) newest() *Handler {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.handlers) == 0 {
		return nil
	}
	return k.handlers[len(k.handlers)-1]
}

// moved logs that Redis became unavailable or available. It runs on the goroutine of a request or of the link. Until the
// first connection attempt has failed, the link is connecting, not down, and moved logs nothing.
func (k *sharedState) moved(away bool, reason error) {
	h := k.newest()
	if h == nil {
		return
	}
	k.mu.Lock()
	told, since := k.told, k.since
	switch {
	case away && reason == nil, away && told:
		k.mu.Unlock()
		return
	case away:
		k.told, k.since = true, time.Now()
	default:
		k.told = false
	}
	k.mu.Unlock()
	switch {
	case away:
		h.logger.Warn("redis is unavailable, people stay signed in by what this node knows and by their tickets",
			zap.Duration("ride_through", time.Duration(*h.RideThrough)), zap.Error(reason))
	case told:
		h.logger.Info("redis is back, sessions are its own again", zap.Duration("after", time.Since(since)))
	default:
		h.logger.Info("sessions are shared through redis", zap.String("namespace", k.namespace))
	}
}

var _ caddy.Destructor = (*sharedState)(nil)
