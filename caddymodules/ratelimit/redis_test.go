package ratelimit_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

func init() { caddy.RegisterModule(redisStub{}) }

// links outlive a reload, as the real app's do.
var links = caddy.NewUsagePool()

// redisStub stands for the app redis, which this package knows only as a redislink.Provider.
type redisStub struct {
	Address string `json:"address"`
	link    *redislink.Link
}

type pooledLink struct{ *redislink.Link }

func (l pooledLink) Destruct() error { return l.Close() }

func (redisStub) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "redis", New: func() caddy.Module { return new(redisStub) }}
}

func (s *redisStub) Provision(caddy.Context) error {
	if s.Address == "" {
		return nil
	}
	link, _, err := links.LoadOrNew(s.Address, func() (caddy.Destructor, error) {
		opts := redislink.Options{Addresses: []string{s.Address}, NodeID: "test"}
		return pooledLink{redislink.Open(opts, "limits", redislink.Settings{OpTimeout: time.Second})}, nil
	})
	s.link = link.(pooledLink).Link
	return err
}

func (s *redisStub) Cleanup() error {
	if s.link == nil {
		return nil
	}
	_, err := links.Delete(s.Address)
	return err
}

func (*redisStub) Start() error                                             { return nil }
func (*redisStub) Stop() error                                              { return nil }
func (s *redisStub) Configured() bool                                       { return s.Address != "" }
func (*redisStub) Namespace() string                                        { return "tests" }
func (*redisStub) NodeID() string                                           { return "test" }
func (*redisStub) Census() *redislink.Census                                { return nil }
func (s *redisStub) Acquire(string, time.Duration) (*redislink.Link, error) { return s.link, nil }

// loadWithRedis is load with the app redis.
func (e *edge) loadWithRedis(address, sites string) {
	e.t.Helper()
	result, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(e.config("", sites)), nil)
	require.NoError(e.t, err)
	var config map[string]any
	require.NoError(e.t, json.Unmarshal(result, &config))
	config["apps"].(map[string]any)["redis"] = redisStub{Address: address}
	result, err = json.Marshal(config)
	require.NoError(e.t, err)
	require.NoError(e.t, caddy.Load(result, true))
}

// waitFor waits for the n-th entry of a message in the log.
func (e *edge) waitFor(n int, message string) {
	e.t.Helper()
	require.Eventually(e.t, func() bool { return len(e.entries(message)) >= n }, 30*time.Second, 10*time.Millisecond,
		"%q is not logged for the %d. time", message, n)
}

const (
	exactMessage    = "limits are exact over all nodes"
	degradedMessage = "redis is unavailable, limiting without it"
)

// The counts are Redis's, and stay so over a reload, a kill and a return.
func TestRedis_countsThereWhileItAnswers(t *testing.T) {
	redis := stack.RedisForTest(t, stack.RedisOptions{AppendOnly: true})
	site := `{addr} {
		rate_limit {
			zone api {
				events 5
				window 1h
			}
			op_timeout 1s
			distributed
		}
		respond ok
	}`
	e := prepareEdge(t)
	e.loadWithRedis(redis.Addr(), site)
	e.waitFor(1, exactMessage)
	require.Len(t, e.entries("counts are shared through redis"), 1)

	require.Equal(t, []int{200, 200}, e.statuses(2, "/"))
	keys, err := redis.CLI("KEYS", "gh:rl:*")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(keys, "gh:rl:"), keys)

	e.loadWithRedis(redis.Addr(), site)
	require.Equal(t, []int{200}, e.statuses(1, "/"))
	require.Len(t, e.entries(exactMessage), 1, "a reload that leaves the connection alone changes nothing")

	require.NoError(t, redis.Kill())
	statuses := e.statuses(6, "/")
	e.waitFor(1, degradedMessage)
	require.Subset(t, []int{http.StatusOK, http.StatusTooManyRequests}, statuses)
	require.Equal(t, 2, count(statuses, http.StatusOK), "the five go on being five: %v", statuses)

	require.NoError(t, redis.Restart(t.Context()))
	e.waitFor(2, exactMessage)
	require.Equal(t, []int{429}, e.statuses(1, "/"), "what was admitted alone is counted")
	require.Len(t, e.entries("handing over"), 1)
}

// Without an address there is no Redis: one process, its own counts.
func TestRedis_notConfigured(t *testing.T) {
	e := prepareEdge(t)
	e.loadWithRedis("", "{addr} {\nrate_limit {\nzone api {\nevents 1\nwindow 1h\n}\n}\nrespond ok\n}")
	require.Equal(t, []int{200, 429}, e.statuses(2, "/"))
	require.Empty(t, e.entries(exactMessage))
}

// An address that nobody answers at: it starts, limits, and is told once.
//
// The connection may have failed before the first handler listens to it: it did so now and then where nothing
// listens at the port, and nobody was told.
func TestRedis_awayFromTheStart(t *testing.T) {
	t.Run("not tried yet", func(t *testing.T) { awayFromTheStart(t) })
	t.Run("tried before", func(t *testing.T) {
		stub := redisStub{Address: nobody}
		require.NoError(t, stub.Provision(caddy.Context{}))
		defer func() { require.NoError(t, stub.Cleanup()) }()
		require.Eventually(t, func() bool { return stub.link.LastError() != nil }, 30*time.Second, time.Millisecond)
		awayFromTheStart(t)
	})
}

// nobody is an address that refuses connections.
const nobody = "127.0.0.1:1"

func awayFromTheStart(t *testing.T) {
	t.Helper()
	e := prepareEdge(t)
	e.loadWithRedis(nobody, `{addr} {
		rate_limit {
			zone api {
				match path /api
				events 1
				window 1h
			}
			zone vault {
				match path /vault
				events 1
				window 1h
				on_failure closed
			}
		}
		respond ok
	}`)
	require.Equal(t, []int{200, 429}, e.statuses(2, "/api"))
	require.Equal(t, []int{503, 503}, e.statuses(2, "/vault"))
	require.Equal(t, []int{200}, e.statuses(1, "/"))
	e.waitFor(1, degradedMessage)
}

func count(all []int, one int) (n int) {
	for _, other := range all {
		if other == one {
			n++
		}
	}
	return n
}
