package ratelimit

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
)

// metrics are the collectors of all handlers. Caddy makes a registry for each configuration that it
// loads; the collectors are entered into every one of them, so that counts survive a reload.
type metrics struct {
	decisions *prometheus.CounterVec
	degraded  *prometheus.CounterVec
	emptyKeys *prometheus.CounterVec
	unknown   *prometheus.CounterVec
	duration  prometheus.Histogram
	mode      modeCollector
	keys      prometheus.GaugeFunc
}

// metricsKey is the pool's key of the metrics.
type metricsKey struct{}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "gatehouse", Subsystem: "rate_limit", Name: name, Help: help,
		}, labels)
	}
	return &metrics{
		decisions: counter("decisions_total", "Requests that a zone allowed, refused, or answered 503 because it is closed without Redis.", "zone", "result"),
		degraded:  counter("degraded_total", "Requests that this node decided alone for want of Redis.", "zone"),
		emptyKeys: counter("empty_keys_total", "Requests whose key was empty.", "zone"),
		unknown:   counter("unknown_users_total", "Requests that a zone counts by their user before anybody was known.", "zone"),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "gatehouse", Subsystem: "rate_limit", Name: "decision_duration_seconds",
			Help:    "Time that requests waited for a decision with Redis configured.",
			Buckets: []float64{.00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1},
		}),
		mode: modeCollector{prometheus.NewDesc("gatehouse_rate_limit_mode",
			"1 for the mode in which limits are decided: exact, degraded, hand_over, or local without Redis.", []string{"mode"}, nil)},
		keys: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "gatehouse", Subsystem: "rate_limit", Name: "keys", Help: "Keys that are held in this process.",
		}, func() float64 { return float64(held()) }),
	}
}

// joinMetrics enters the collectors into the configuration's registry.
func joinMetrics(ctx caddy.Context) (*metrics, error) {
	value, _ := pool.LoadOrStore(metricsKey{}, newMetrics())
	m := value.(*metrics)
	for _, c := range []prometheus.Collector{m.decisions, m.degraded, m.emptyKeys, m.unknown, m.duration, m.mode, m.keys} {
		var already prometheus.AlreadyRegisteredError
		if err := ctx.GetMetricsRegistry().Register(c); err != nil && !errors.As(err, &already) {
			return m, err
		}
	}
	return m, nil
}

// release gives back what joinMetrics has taken.
func (m *metrics) release() error {
	_, err := pool.Delete(metricsKey{})
	return err
}

// modeCollector tells the mode of the moment when it is asked.
type modeCollector struct{ desc *prometheus.Desc }

const modeWithoutRedis = "local"

// Describe implements prometheus.Collector.
func (c modeCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c modeCollector) Collect(ch chan<- prometheus.Metric) {
	current := currentMode()
	for _, mode := range []string{modeWithoutRedis, degraded.Exact.String(), degraded.Degraded.String(), degraded.HandOver.String()} {
		value := 0.0
		if mode == current {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, value, mode)
	}
}

// zoneMetrics are a zone's counters, looked up once. Nil counts nothing.
type zoneMetrics struct {
	allowed, refused, closed, degraded, emptyKeys, unknown prometheus.Counter
}

// zone looks the zone's counters up. m may be nil.
func (m *metrics) zone(name string) *zoneMetrics {
	if m == nil {
		return nil
	}
	return &zoneMetrics{
		allowed:   m.decisions.WithLabelValues(name, "allowed"),
		refused:   m.decisions.WithLabelValues(name, "refused"),
		closed:    m.decisions.WithLabelValues(name, "closed"),
		degraded:  m.degraded.WithLabelValues(name),
		emptyKeys: m.emptyKeys.WithLabelValues(name),
		unknown:   m.unknown.WithLabelValues(name),
	}
}

// countKey counts what the key of a request has shown.
func (z *zoneMetrics) countKey(f keyInfo) {
	if z == nil {
		return
	}
	if !f.known {
		z.emptyKeys.Inc()
	}
	if f.anonymous {
		z.unknown.Inc()
	}
}

// countDecision counts the zone's part in a call that was decided. A zone that would have let a
// request pass which another refused has counted nothing, and is not counted.
func (z *zoneMetrics) countDecision(claims []limiter.Claim, passed bool) {
	if z == nil {
		return
	}
	refuses, degraded := false, false
	for i := range claims {
		refuses = refuses || refused(&claims[i])
		degraded = degraded || claims[i].Decision.Degraded
	}
	switch {
	case refuses:
		z.refused.Inc()
	case passed:
		z.allowed.Inc()
	}
	if degraded {
		z.degraded.Inc()
	}
}

// countClosed counts a request that the zone answered 503.
func (z *zoneMetrics) countClosed() {
	if z != nil {
		z.closed.Inc()
	}
}

// observe records how long a decision with Redis has taken. m may be nil.
func (m *metrics) observe(d time.Duration) {
	if m != nil {
		m.duration.Observe(d.Seconds())
	}
}
