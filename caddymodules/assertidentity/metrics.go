package assertidentity

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the collectors of all handlers. Caddy makes a registry for each configuration that it
// loads; the collectors are entered into every one of them, so that counts survive a reload.
type metrics struct {
	requests *prometheus.CounterVec
	stripped *prometheus.CounterVec
}

// metricsKey is the pool's key of the metrics.
type metricsKey struct{}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "gatehouse", Subsystem: "identity", Name: name, Help: help,
		}, labels)
	}
	return &metrics{
		requests: counter("requests_total",
			"Requests sent on with an assertion that was signed or reused (cached), without one (anonymous), or refused because none could be made (failed).",
			"audience", "result"),
		stripped: counter("stripped_total",
			"Requests in which a client had sent headers that are the edge's own, and that were deleted.", "audience"),
	}
}

// joinMetrics enters the collectors into the configuration's registry.
func joinMetrics(ctx caddy.Context) (*metrics, error) {
	value, _ := pool.LoadOrStore(metricsKey{}, newMetrics())
	m := value.(*metrics)
	for _, c := range []prometheus.Collector{m.requests, m.stripped} {
		var already prometheus.AlreadyRegisteredError
		if err := ctx.GetMetricsRegistry().Register(c); err != nil && !errors.As(err, &already) {
			return m, err
		}
	}
	return m, nil
}

// release gives up one use of the metrics.
func (m *metrics) release() error {
	_, err := pool.Delete(metricsKey{})
	return err
}

// counts are one audience's counters, looked up once.
type counts struct {
	signed, cached, anonymous, failed, stripped prometheus.Counter
}

func (m *metrics) of(audience string) counts {
	return counts{
		signed:    m.requests.WithLabelValues(audience, "signed"),
		cached:    m.requests.WithLabelValues(audience, "cached"),
		anonymous: m.requests.WithLabelValues(audience, "anonymous"),
		failed:    m.requests.WithLabelValues(audience, "failed"),
		stripped:  m.stripped.WithLabelValues(audience),
	}
}
