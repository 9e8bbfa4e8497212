package ratelimit

import (
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/require"
)

func TestCounts_surviveUntilTheLastHandlerLeaves(t *testing.T) {
	before, unloadBefore := load(t)
	after, unloadAfter := load(t) // a reload: the new configuration joins before the old one leaves
	require.Same(t, before.counts, after.counts)
	require.Same(t, before.metrics, after.metrics)
	unloadBefore()
	references, _ := pool.References(countsKey{defaultNamespace})
	require.Equal(t, 1, references)
	unloadAfter()
	_, keyInfo := pool.References(countsKey{defaultNamespace})
	require.False(t, keyInfo)
	_, keyInfo = pool.References(metricsKey{})
	require.False(t, keyInfo)
}

func TestCounts_largestBoundHolds(t *testing.T) {
	counted := newCounts("bounds")
	small, large := &Handler{MaxKeys: 10, MaxMemory: 1 << 20}, &Handler{MaxKeys: 20, MaxMemory: 1 << 10}
	counted.bounds[small] = bound{keys: small.MaxKeys, memory: small.MaxMemory}
	require.Equal(t, bound{10, 1 << 20}, counted.bound())
	counted.bounds[large] = bound{keys: large.MaxKeys, memory: large.MaxMemory}
	require.Equal(t, bound{20, 1 << 20}, counted.bound())
	delete(counted.bounds, small)
	require.Equal(t, bound{20, 1 << 10}, counted.bound())
}

// Caddy makes a registry for each configuration; the counts go on in the new one.
func TestMetrics_surviveAReload(t *testing.T) {
	before := open(t, "rate_limit {\n zone z {\n events 100\n window 1m\n}\n}")
	before.statuses(3, "192.0.2.1")
	after := provision(t, "rate_limit {\n zone z {\n events 100\n window 1m\n}\n}")
	after.statuses(2, "192.0.2.1")

	require.NotSame(t, before.ctx.GetMetricsRegistry(), after.ctx.GetMetricsRegistry())
	families, err := after.ctx.GetMetricsRegistry().Gather()
	require.NoError(t, err)
	values := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"gatehouse_rate_limit_decisions_total allowed z": 5,
		"gatehouse_rate_limit_decisions_total refused z": 0,
		"gatehouse_rate_limit_decisions_total closed z":  0,
		"gatehouse_rate_limit_degraded_total z":          0,
		"gatehouse_rate_limit_empty_keys_total z":        0,
		"gatehouse_rate_limit_unknown_users_total z":     0,
		"gatehouse_rate_limit_decision_duration_seconds": 0,
		"gatehouse_rate_limit_mode local":                1,
		"gatehouse_rate_limit_mode exact":                0,
		"gatehouse_rate_limit_mode degraded":             0,
		"gatehouse_rate_limit_mode hand_over":            0,
		"gatehouse_rate_limit_keys":                      1,
	} {
		got, keyInfo := values[name]
		require.True(t, keyInfo, name)
		require.InDelta(t, want, got, 0, name)
	}
}

// A handler that Validate refuses holds on to nothing.
func TestHandler_invalidOnesJoinNothing(t *testing.T) {
	ctx := configuration(t)
	_, err := ctx.LoadModuleByID("http.handlers.rate_limit", []byte(`{"rate_limits": {"z": {"window": "1m"}}}`))
	require.ErrorContains(t, err, `zone "z": window is set without events`)
	_, keyInfo := pool.References(countsKey{defaultNamespace})
	require.False(t, keyInfo)
	_, keyInfo = pool.References(metricsKey{})
	require.False(t, keyInfo)
}

func TestHandler_configErrors(t *testing.T) {
	for give, want := range map[string]string{
		`{"rate_limits": {"z": null}}`:                                                   `zone "z" is null: give it a limit, or remove it`,
		`{"rate_limits": {"": {}}}`:                                                      `a zone has an empty name`,
		`{"rate_limits": {"z": {"key": "a", "keys": ["b"], "max_events": 1}}}`:           `zone "z": key and keys are both set: move key to the front of keys`,
		`{"rate_limits": {"z": {"keys": ["b", ""], "max_events": 1}}}`:                   `zone "z": keys: part 2 is empty: remove it`,
		`{"rate_limits": {"z": {"max_events": -1, "window": "1m"}}}`:                     `zone "z": events and window: the rate and the burst must not be negative`,
		`{"rate_limits": {"z": {"limits": [{"rate": 1}]}}}`:                              `zone "z": limit: the period must be positive, got 0s`,
		`{"rate_limits": {"z": {"limits": [{"rate": 1, "period": "1m"}, {"rate": 1}]}}}`: `zone "z": limit 2: the period must be positive, got 0s`,
		`{"rate_limits": {"z": {"max_events": 1, "window": "1m", "ipv6_prefix": 129}}}`:  `zone "z": ipv6_prefix must be from 0 (off) to 128, got 129`,
		`{"rate_limits": {"z": {"max_events": 1, "window": "1m", "quota": 5}}}`:          `unknown field "quota"`,
		`{"max_memory": -1}`: `max_memory must be positive, got -1 bytes`,
		`{"op_timeout": -1}`: `op_timeout must be above 0`,
	} {
		_, err := configuration(t).LoadModuleByID("http.handlers.rate_limit", []byte(give))
		require.ErrorContains(t, err, want, give)
	}
}

// caddy-ratelimit's own JSON, with every field that it has.
func TestHandler_takesCaddyRateLimitsJSON(t *testing.T) {
	module, err := configuration(t).LoadModuleByID("http.handlers.rate_limit", []byte(`{
		"rate_limits": {
			"z": {
				"match": [{"method": ["GET"]}],
				"key": "{http.request.remote.host}",
				"window": "1m",
				"max_events": 100,
				"ipv4_prefix": 24,
				"ipv6_prefix": 0
			}
		},
		"jitter": 0.1,
		"sweep_interval": "1m",
		"log_key": true,
		"disable_metrics": true,
		"storage": {"module": "file_system", "root": "/srv"},
		"distributed": {"write_interval": "5s", "read_interval": "5s", "purge_age": "1h"}
	}`))
	require.NoError(t, err)
	h := module.(*Handler)
	require.Equal(t, "z", h.zones[0].name)
	require.Equal(t, networks{v4: 24, v6: 0}, h.zones[0].key.networks)
}

func TestHandler_warnsOfWhatIsNotMeant(t *testing.T) {
	f := open(t, "rate_limit {\n distributed\n sweep_interval 1m\n}")
	f.warn()
	var got []string
	for _, entry := range f.logs.All() {
		got = append(got, entry.Message)
	}
	require.Equal(t, []string{
		"rate_limit without a zone limits nothing",
		"each node counts alone, distributed and storage are not used: configure the global option redis to share counts",
		"sweep_interval is accepted for caddy-ratelimit's sake and not used: expired counts make room by themselves",
	}, got)

	f.logs.TakeAll()
	f.redis = new(redisDouble)
	f.warn()
	require.Len(t, f.logs.FilterMessageSnippet("counts are shared through redis").All(), 1)
}

// load provisions a handler in a configuration of its own, which unload ends.
func load(t *testing.T) (h *Handler, unload func()) {
	t.Helper()
	ctx, unload := caddy.NewContext(configuration(t))
	module, err := ctx.LoadModuleByID("http.handlers.rate_limit", []byte(`{"rate_limits": {"z": {"max_events": 1, "window": "1s"}}}`))
	require.NoError(t, err)
	return module.(*Handler), unload
}
