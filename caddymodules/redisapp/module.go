package redisapp

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App says where Redis is and who we are to it. Modules that share state over nodes (`rate_limit`) take their
// links from it; each kind of user has a connection and a circuit breaker of its own, and nodes that share a
// Redis and a namespace count one another.
//
// Redis need not be there: configurations are validated, loaded and reloaded without waiting for it, and links
// connect in the background for as long as it takes. What a module does meanwhile is told in its own docs.
//
// All texts may hold placeholders that are known when the configuration is loaded: `{env.NAME}` and
// `{file.PATH}`. Placeholders keep secrets out of the configuration that the admin API shows.
//
// A reload keeps the connections, unless it changes where they lead or as whom they sign in.
type App struct {
	// Address lists where Redis is. Each is `host:port`, the path of a Unix socket, or a URL:
	// `redis://[user[:password]@]host[:port][/db]`, `rediss://` for TLS, `unix:///path?db=0`; several hosts
	// of a URL are separated by commas, and `?sentinel=name` and `?cluster` stand for the settings below.
	// Several addresses without `sentinel` are nodes of a Cluster. The default port is 6379, of a sentinel
	// 26379. When all are empty after their placeholders are replaced, Redis is not configured: a warning
	// says so, and each node works for itself.
	Address []string `json:"address,omitempty"`

	// Sentinel is the name of the primary that the addresses, which are sentinels, watch. Default: no
	// Sentinel.
	Sentinel string `json:"sentinel,omitempty"`

	// Cluster says that the addresses are nodes of a Redis Cluster. Default: false.
	Cluster bool `json:"cluster,omitempty"`

	// Username is that of an ACL user. `~gh:* -@all +@read +@write +@scripting +@connection +time -@dangerous +info`
	// is enough for it, in a Cluster with `+cluster|slots +cluster|shards`; without INFO restarts of Redis
	// and evictions go unnoticed. Default: the default user.
	Username string `json:"username,omitempty"`

	// Password signs in. `file:PATH` takes it from a file, which is read again for every new connection, so
	// that it can be rotated without a reload. Default: none.
	Password string `json:"password,omitempty"`

	// DB is the number of the database; a Cluster has only 0. Default: 0.
	DB int `json:"db,omitempty"`

	// TLS encrypts the connections; `rediss://` does so too, with the defaults. Default: no TLS.
	TLS *TLS `json:"tls,omitempty"`

	// KeyNamespace separates installations that share a Redis: letters, digits, `.`, `_` and `-`. Default: default.
	KeyNamespace string `json:"namespace,omitempty"`

	// Node is this node's name, of the same letters. No two nodes may have the same. Default: the host's
	// name and a random number, made once and kept in `gatehouse/node_id` of Caddy's data directory.
	Node string `json:"node,omitempty"`

	// Nodes is the number of nodes, by which each limits at its share while Redis is away. Default: 0, count
	// those that were seen in the last minute.
	Nodes int `json:"nodes,omitempty"`

	target   target
	identity *identity
	metrics  *metrics
	census   *censusEntry
	logSink  *logSink
	logger   *zap.Logger

	mu      sync.Mutex
	held    []any // keys of the pool, released by Cleanup
	links   map[string]*held
	started bool
}

// held is a link that this configuration uses.
type held struct {
	*linkEntry
	opTimeout time.Duration
}

// pool keeps what survives a reload: links by where they lead, and what belongs to them.
var pool = caddy.NewUsagePool()

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "redis", New: func() caddy.Module { return new(App) }}
}

// Provision replaces placeholders and finds out where Redis is. It does not wait for it.
func (a *App) Provision(ctx caddy.Context) error {
	a.logger = ctx.Logger()
	a.links = make(map[string]*held)
	if err := a.resolve(caddy.NewReplacer()); err != nil {
		return err
	}
	if !a.Configured() {
		a.logger.Warn("redis is not configured: its address is empty, so this node works for itself alone; set the address, or remove the option")
		return nil
	}
	var err error
	if a.metrics, err = a.joinMetrics(ctx); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	if a.identity, err = a.joinIdentity(); err != nil {
		return err
	}
	a.target.options.NodeID = a.identity.id
	a.logSink = &logSink{logger: a.logger, storage: ctx.Storage()}
	a.census, err = a.joinCensus()
	return err
}

// Start begins to count the nodes.
func (a *App) Start() error {
	if !a.Configured() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.started = true
	for _, h := range a.links {
		h.link.SetOpTimeout(h.opTimeout)
		h.linkObserver.outlets.add(a.logSink)
	}
	a.census.start(a.logSink, a.target.options, a.metrics, a.Nodes)
	return nil
}

// Stop does nothing: other apps may still be ending requests. Cleanup releases the links.
func (*App) Stop() error { return nil }

// Cleanup releases the links. Those that no other configuration uses are closed, and with the last of them this
// node leaves the census.
func (a *App) Cleanup() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, h := range a.links {
		h.linkObserver.outlets.remove(a.logSink)
	}
	if a.census != nil {
		a.census.outlets.remove(a.logSink)
	}
	var errs []error
	for _, key := range slices.Backward(a.held) {
		_, err := pool.Delete(key)
		errs = append(errs, err)
	}
	a.held = nil
	return errors.Join(errs...)
}

// Configured implements redislink.Provider.
func (a *App) Configured() bool { return len(a.target.options.Addresses) > 0 }

// Namespace implements redislink.Provider.
func (a *App) Namespace() string { return a.target.options.Namespace }

// NodeID implements redislink.Provider.
func (a *App) NodeID() string { return a.target.options.NodeID }

// Census implements redislink.Provider.
func (a *App) Census() *redislink.Census {
	if a.census == nil {
		return nil
	}
	return a.census.census
}

// Acquire implements redislink.Provider.
func (a *App) Acquire(user string, opTimeout time.Duration) (*redislink.Link, error) {
	if !a.Configured() {
		return nil, errors.New("redis is not configured")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h := a.links[user]
	if h == nil {
		entry, err := a.joinLink(user, opTimeout)
		if err != nil {
			return nil, err
		}
		h = &held{linkEntry: entry}
		a.links[user] = h
	}
	h.opTimeout = max(h.opTimeout, opTimeout)
	if a.started {
		h.link.SetOpTimeout(h.opTimeout)
	}
	return h.link, nil
}

// Guards.
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.Validator    = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
	_ redislink.Provider = (*App)(nil)
)
