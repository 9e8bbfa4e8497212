package redisapp

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	_ "github.com/caddyserver/caddy/v2/modules/filestorage"
	_ "github.com/caddyserver/caddy/v2/modules/logging"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// patience is how long a test waits for what must come in the end. It bounds failures, it measures nothing.
const patience = 30 * time.Second

func init() { caddy.RegisterModule(new(userApp)) }

// userApp is a module that wants a link, as rate_limit does.
type userApp struct {
	OpTimeout caddy.Duration `json:"op_timeout,omitempty"`

	provider redislink.Provider
	link     *redislink.Link
	registry *prometheus.Registry
}

// newest is the one of the configuration that runs.
var newest *userApp

func (*userApp) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "redis_user", New: func() caddy.Module { return new(userApp) }}
}

func (u *userApp) Provision(ctx caddy.Context) error {
	app, err := ctx.AppIfConfigured("redis")
	if err != nil {
		return err
	}
	u.provider, u.registry = app.(redislink.Provider), ctx.GetMetricsRegistry()
	if !u.provider.Configured() {
		return nil
	}
	u.link, err = u.provider.Acquire("limits", time.Duration(u.OpTimeout))
	return err
}

func (u *userApp) Start() error { newest = u; return nil }
func (*userApp) Stop() error    { return nil }

// bench is a Caddy in this process, with a data directory and a log of its own.
type bench struct {
	dir string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir()}
	t.Setenv("XDG_DATA_HOME", filepath.Join(b.dir, "data"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(b.dir, "config"))
	t.Cleanup(func() { require.NoError(t, caddy.Stop()) })
	return b
}

func (b *bench) config(t *testing.T, app *App, opTimeout time.Duration) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"admin":   map[string]any{"disabled": true, "config": map[string]any{"persist": false}},
		"storage": map[string]any{"module": "file_system", "root": filepath.Join(b.dir, "storage")},
		"logging": map[string]any{"logs": map[string]any{"default": map[string]any{
			"level":   "INFO",
			"writer":  map[string]any{"output": "file", "filename": filepath.Join(b.dir, "log")},
			"encoder": map[string]any{"format": "json"},
		}}},
		"apps": map[string]any{"redis": app, "redis_user": &userApp{OpTimeout: caddy.Duration(opTimeout)}},
	})
	require.NoError(t, err)
	return text
}

// load runs the configuration in place of the one before.
func (b *bench) load(t *testing.T, app *App, opTimeout time.Duration) *userApp {
	t.Helper()
	require.NoError(t, caddy.Load(b.config(t, app, opTimeout), true))
	return newest
}

func (b *bench) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "log"))
	require.NoError(t, err)
	return string(text)
}

func (b *bench) awaitLog(t *testing.T, what string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(b.log(t), what) }, patience, 10*time.Millisecond, "%s", what)
}

func awaitState(t *testing.T, l *redislink.Link, s redislink.State) {
	t.Helper()
	require.Eventually(t, func() bool { return l.State() == s }, patience, time.Millisecond)
}

func awaitNodes(t *testing.T, p redislink.Provider, nodes, rank int) {
	t.Helper()
	require.Eventually(t, func() bool {
		n, r := p.Census().Share()
		return n == nodes && r == rank
	}, patience, 10*time.Millisecond)
}

// value is that of a metric with the labels.
func value(t *testing.T, r *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metric:
		for _, m := range f.GetMetric() {
			for _, want := range labels {
				found := false
				for _, l := range m.GetLabel() {
					found = found || l.GetValue() == want
				}
				if !found {
					continue metric
				}
			}
			return m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	require.Fail(t, "no such metric", "%s %v", name, labels)
	return 0
}

// count is that of a metric that counts.
func count(t *testing.T, r *prometheus.Registry, name string, labels ...string) int {
	t.Helper()
	return int(value(t, r, name, labels...))
}

func TestApp_reloadKeepsTheLinkAndTheNode(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	b := newBench(t)
	at := func() *App { return &App{Address: []string{r.URL()}} }
	first := b.load(t, at(), time.Second)
	awaitState(t, first.link, redislink.StateClosed)
	awaitNodes(t, first.provider, 1, 0)
	id := first.provider.NodeID()
	require.Regexp(t, plainName, id)
	clients := func() string {
		list, err := r.CLI("CLIENT", "LIST", "TYPE", "normal")
		require.NoError(t, err)
		var ids []string
		for line := range strings.SplitSeq(list, "\n") {
			if fields := strings.Fields(line); strings.Contains(line, "name=gatehouse/") {
				ids = append(ids, fields[0])
			}
		}
		return strings.Join(ids, " ")
	}
	before := clients()
	require.Len(t, strings.Fields(before), 2, "one for limits, one for the census")

	for i := range 3 {
		again := b.load(t, &App{Address: []string{r.Addr()}, Nodes: i + 5}, time.Duration(i+1)*time.Second)
		assert.Same(t, first.link, again.link)
		assert.Same(t, first.provider.Census(), again.provider.Census())
		assert.Equal(t, id, again.provider.NodeID())
		awaitNodes(t, again.provider, i+5, 0)
	}
	assert.Equal(t, before, clients(), "the same connections, and no others")
	members, err := r.CLI("ZRANGE", "gh:{default}:nodes", "0", "-1")
	require.NoError(t, err)
	assert.Equal(t, id, members)
	leaves, err := r.CLI("GET", "gh:{default}:leaves")
	require.NoError(t, err)
	assert.Empty(t, leaves, "a reload is no leave")

	// Another way to the same Redis: a link of its own, and still no leave.
	_, err = r.CLI("ACL", "SETUSER", "other", "on", ">s3cret", "~*", "+@all")
	require.NoError(t, err)
	other := b.load(t, &App{Address: []string{r.URL()}, Username: "other", Password: "s3cret"}, time.Second)
	assert.NotSame(t, first.link, other.link)
	awaitState(t, other.link, redislink.StateClosed)
	awaitNodes(t, other.provider, 1, 0)
	require.Eventually(t, func() bool { return len(strings.Fields(clients())) == 2 }, patience, 10*time.Millisecond, "the old ones are gone")
	assert.NotContains(t, b.log(t), "s3cret")
	leaves, err = r.CLI("GET", "gh:{default}:leaves")
	require.NoError(t, err)
	assert.Empty(t, leaves)

	// The end: the node leaves, and the connections close.
	require.NoError(t, caddy.Stop())
	members, err = r.CLI("ZRANGE", "gh:{default}:nodes", "0", "-1")
	require.NoError(t, err)
	assert.Empty(t, members)
	assert.Empty(t, clients())

	// The node is the same after a restart.
	restarted := b.load(t, at(), time.Second)
	assert.Equal(t, id, restarted.provider.NodeID())
}

func TestApp_configurationThatCannotStartLeavesTheOldOneAlone(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	b := newBench(t)
	first := b.load(t, &App{Address: []string{r.URL()}}, time.Second)
	awaitState(t, first.link, redislink.StateClosed)
	require.ErrorContains(t, caddy.Load(b.config(t, &App{Address: []string{r.URL()}, KeyNamespace: "no good"}, time.Second), true), "namespace")
	require.ErrorContains(t, caddy.Load(b.config(t, &App{Address: []string{"redis://:s3cret@a:x"}}, time.Second), true), "address: port")
	assert.Equal(t, redislink.StateClosed, first.link.State())
	again := b.load(t, &App{Address: []string{r.URL()}}, 2*time.Second)
	assert.Same(t, first.link, again.link)
}

func TestApp_tellsAnOutageOnce(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{Password: "s3cret"})
	b := newBench(t)
	u := b.load(t, &App{Address: []string{r.URL()}}, time.Second)
	awaitState(t, u.link, redislink.StateClosed)
	b.awaitLog(t, `"msg":"redis available"`)
	assert.Equal(t, 1, count(t, u.registry, "gatehouse_redis_state", "limits", "closed"))
	awaitNodes(t, u.provider, 1, 0)
	assert.Equal(t, 1, count(t, u.registry, "gatehouse_redis_nodes"))
	assert.Equal(t, 0, count(t, u.registry, "gatehouse_redis_node_rank"))
	ok, text := u.provider.(*App).Health()
	assert.True(t, ok, text)
	assert.Contains(t, text, "limits: closed since ")
	assert.Contains(t, text, "nodes: 1, rank 0, this is "+u.provider.NodeID())

	require.NoError(t, r.Kill())
	awaitState(t, u.link, redislink.StateOpen)
	b.awaitLog(t, `"msg":"redis unavailable"`)
	_, err := u.link.Eval(t.Context(), redislink.Call{Script: redislink.NewScript("return 1")})
	require.ErrorIs(t, err, redislink.ErrUnavailable)
	ok, text = u.provider.(*App).Health()
	assert.False(t, ok)
	assert.Contains(t, text, "limits: open since ")

	// A reload in the outage waits for nothing, and goes on with what it knows.
	u = b.load(t, &App{Address: []string{r.URL()}}, 2*time.Second)
	assert.Equal(t, 1, count(t, u.registry, "gatehouse_redis_state", "limits", "open"))
	assert.Equal(t, 1, count(t, u.registry, "gatehouse_redis_calls_total", "limits", "held"), "counts survive a reload")

	require.NoError(t, r.Restart(t.Context()))
	awaitState(t, u.link, redislink.StateClosed)
	b.awaitLog(t, `"msg":"redis available again"`)
	assert.Positive(t, value(t, u.registry, "gatehouse_redis_last_outage_seconds", "limits"))
	assert.Equal(t, 1, count(t, u.registry, "gatehouse_redis_transitions_total", "limits", "open"))
	_, err = u.link.Eval(t.Context(), redislink.Call{Script: redislink.NewScript("return 1"), Keys: []string{"k"}})
	require.NoError(t, err)
	assert.Equal(t, 1, count(t, u.registry, "gatehouse_redis_call_duration_seconds", "limits"))

	time.Sleep(500 * time.Millisecond) // for lines that should not come
	log := b.log(t)
	for _, message := range []string{"redis available", "redis unavailable", "redis available again"} {
		assert.Equal(t, 1, strings.Count(log, fmt.Sprintf(`"msg":%q,"user":"limits"`, message)), message)
	}
	assert.NotContains(t, log, "s3cret")
}

func TestApp_startsAndValidatesWithRedisDown(t *testing.T) {
	b := newBench(t)
	addr := stack.PortForTest(t).Addr()
	config := b.config(t, &App{Address: []string{addr}}, time.Second)
	began := time.Now()
	var c caddy.Config
	require.NoError(t, json.Unmarshal(config, &c))
	require.NoError(t, caddy.Validate(&c))
	u := b.load(t, &App{Address: []string{addr}}, time.Second)
	assert.Less(t, time.Since(began), 5*time.Second, "nobody waits for Redis")
	awaitState(t, u.link, redislink.StateOpen)
	nodes, rank := u.provider.Census().Share()
	assert.Equal(t, [2]int{1, -1}, [2]int{nodes, rank})
	b.awaitLog(t, `"msg":"redis unavailable"`)
}

func TestApp_emptyAddressIsAWarning(t *testing.T) {
	b := newBench(t)
	u := b.load(t, &App{Address: []string{"{env.GATEHOUSE_NO_SUCH_VARIABLE}"}}, time.Second)
	assert.False(t, u.provider.Configured())
	b.awaitLog(t, "redis is not configured: its address is empty")
}

func TestApp_validationDoesNotCountAsANode(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	b := newBench(t)
	var c caddy.Config
	require.NoError(t, json.Unmarshal(b.config(t, &App{Address: []string{r.URL()}}, time.Second), &c))
	require.NoError(t, caddy.Validate(&c))
	members, err := r.CLI("EXISTS", "gh:{default}:nodes", "gh:{default}:leaves")
	require.NoError(t, err)
	assert.Equal(t, "0", members)
}

func TestApp_remembersTheNumberOfNodes(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{})
	b := newBench(t)
	// Two more nodes, elsewhere.
	for _, id := range []string{"a", "b"} {
		opts := redislink.Options{Addresses: []string{r.Addr()}, NodeID: id}
		link := redislink.Open(opts, "census", redislink.Settings{OpTimeout: time.Second})
		census := redislink.NewCensus(opts, redislink.CensusSettings{})
		census.Start(link)
		t.Cleanup(func() { census.Stop(); _ = link.Close() })
	}
	u := b.load(t, &App{Address: []string{r.URL()}, Node: "c"}, time.Second)
	awaitNodes(t, u.provider, 3, 2)
	kept := filepath.Join(b.dir, "storage", "gatehouse", "census", "default.json")
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(kept)
		return err == nil && strings.Contains(string(text), `"nodes":3`)
	}, patience, 10*time.Millisecond)
	require.NoError(t, caddy.Stop())

	require.NoError(t, r.Kill())
	u = b.load(t, &App{Address: []string{r.URL()}, Node: "c"}, time.Second)
	awaitNodes(t, u.provider, 3, -1)
	require.NoError(t, caddy.Stop())

	old, err := json.Marshal(redislink.Remembered{Nodes: 3, At: time.Now().Add(-25 * time.Hour)})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(kept, old, 0o600))
	u = b.load(t, &App{Address: []string{r.URL()}, Node: "c"}, time.Second)
	b.awaitLog(t, "remembered number of nodes is older than a day")
	awaitNodes(t, u.provider, 1, -1)
}

func TestApp_warnsOfWhatIsWrongWithTheServer(t *testing.T) {
	r := stack.RedisForTest(t, stack.RedisOptions{Config: []string{"maxmemory 64mb", "maxmemory-policy allkeys-lru"}})
	b := newBench(t)
	b.load(t, &App{Address: []string{r.URL()}}, time.Second)
	b.awaitLog(t, "set maxmemory-policy noeviction")
	require.Eventually(t, func() bool { // a beat to lose
		n, err := r.CLI("EXISTS", "gh:{default}:beat:census:"+newest.provider.NodeID())
		return err == nil && n == "1"
	}, patience, 10*time.Millisecond)
	require.NoError(t, r.Flush())
	b.awaitLog(t, "redis lost keys while connected")
	assert.Equal(t, 1, strings.Count(b.log(t), "set maxmemory-policy noeviction"), "once, and not for each link")
}
