package main

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

const namespace = "gatehouse_backend"

// metrics are what Prometheus reads. No label holds anything that a client chooses.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	retried  *prometheus.CounterVec
	// databaseUp and trailPrepared are set by a [watch].
	databaseUp, trailPrepared prometheus.Gauge
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "requests_total", Help: "Requests that were answered, by route and status; 499: the client had gone.",
		}, []string{"method", "route", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "request_duration_seconds", Help: "How long answers took, by route.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route"}),
		retried: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "transactions_retried_total", Help: "Transactions that PostgreSQL ended and that ran again: 40P01 deadlocks, 40001 serialisation failures.",
		}, []string{"sqlstate"}),
		databaseUp: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "database_up", Help: "1 while the database answers; 0 before it has been checked, too.",
		}),
		trailPrepared: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "audit_prepared_until_timestamp_seconds", Help: "The end of the months for which the audit trail has partitions; 0: not known yet.",
		}),
	}
	m.registry.MustRegister(m.requests, m.duration, m.retried, m.databaseUp, m.trailPrepared, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the label says which build this is.",
		ConstLabels: prometheus.Labels{"version": build()},
	})
	build.Set(1)
	m.registry.MustRegister(build)
	return m
}

// observe counts a request.
func (m *metrics) observe(s caller.Served) {
	route := s.Route
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(s.Method, route, strconv.Itoa(s.Status)).Inc()
	m.duration.WithLabelValues(s.Method, route).Observe(s.Duration.Seconds())
}

func (m *metrics) retry(state string) { m.retried.WithLabelValues(state).Inc() }

// watch reads the pool of the store whenever Prometheus asks.
func (m *metrics) watch(s *store.Store) {
	for _, gauge := range []struct {
		name, help string
		value      func() float64
	}{
		{"database_connections_in_use", "Connections on which a transaction runs.", func() float64 { return float64(s.Stats().InUse) }},
		{"database_connections_idle", "Connections that wait for a transaction.", func() float64 { return float64(s.Stats().Idle) }},
		{"database_connections_max", "How many connections there may be.", func() float64 { return float64(s.Stats().MaxOpenConnections) }},
	} {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: gauge.name, Help: gauge.help}, gauge.value))
	}
	for _, counter := range []struct {
		name, help string
		value      func() float64
	}{
		{"database_waits_total", "Transactions that had to wait for a connection.", func() float64 { return float64(s.Stats().WaitCount) }},
		{"database_wait_seconds_total", "How long they waited, together.", func() float64 { return s.Stats().WaitDuration.Seconds() }},
	} {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: counter.name, Help: counter.help}, counter.value))
	}
}

// handler serves /metrics, and nothing else.
func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}
