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

// keptKey is the pool's key of a namespace's sessions in one Redis: a link is one for as long as its
// connection's settings stay the same. Without Redis the link is nil.
type keptKey struct {
	namespace string
	link      *redislink.Link
}

// kept is what this process knows of a namespace's sessions, and the goroutine that tells the store of
// activity. It survives the reloads that the link survives.
type kept struct {
	keptKey
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

// joinKept returns the namespace's sessions, to be left again by leave.
func joinKept(redis redislink.Provider, h *Handler) (*kept, error) {
	key := keptKey{namespace: h.KeyNamespace}
	if redis != nil {
		link, err := redis.Acquire(linkUser, time.Duration(h.OpTimeout))
		if err != nil {
			return nil, fmt.Errorf("connecting to redis: %w", err)
		}
		key.link = link
		setDefault(&key.namespace, redis.Namespace())
	}
	setDefault(&key.namespace, defaultNamespace)
	value, loaded, err := pool.LoadOrNew(key, func() (caddy.Destructor, error) { return newKept(key, h) })
	if err != nil {
		return nil, err
	}
	k := value.(*kept)
	if loaded {
		k.mu.Lock()
		k.handlers = append(k.handlers, h)
		k.mu.Unlock()
	}
	return k, nil
}

// newKept is for its first handler, by which it tells from the start how the link is.
func newKept(key keptKey, h *Handler) (*kept, error) {
	k := &kept{keptKey: key, unsubscribe: func() {}, handlers: []*Handler{h}}
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

// follow tells the node how the link is, from now on.
func (k *kept) follow(ctx context.Context) {
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
		reason := k.link.Trouble()
		k.node.LinkDown(reason)
		if reason != nil {
			k.moved(true, reason)
		}
	}
	if k.link.State() == redislink.StateClosed {
		k.up(ctx)
	}
}

// up has the node take the link for new, without holding up who tells it: what is dirty is flushed.
func (k *kept) up(ctx context.Context) {
	k.ended.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, flushTime)
		defer cancel()
		// A failure is told by the link, and tried again by Run.
		_ = k.node.LinkUp(ctx)
	})
}

// leave releases what joinKept has taken. Activity that Redis has not been told of is told now: with
// this configuration the link may go.
func (k *kept) leave(h *Handler) error {
	k.flush()
	k.mu.Lock()
	k.handlers = slices.DeleteFunc(k.handlers, func(other *Handler) bool { return other == h })
	k.mu.Unlock()
	_, err := pool.Delete(k.keptKey)
	return err
}

func (k *kept) flush() {
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
func (k *kept) Destruct() error {
	k.unsubscribe()
	k.cancel()
	k.ended.Wait()
	return nil
}

// newest is the handler of the newest configuration.
func (k *kept) newest() *Handler {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.handlers) == 0 {
		return nil
	}
	return k.handlers[len(k.handlers)-1]
}

// moved logs that Redis went away or is back. It runs on a request's goroutine, or the link's. While the
// first connection is being made nobody is told: that is no outage yet, and without a reason.
func (k *kept) moved(away bool, reason error) {
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

var _ caddy.Destructor = (*kept)(nil)
