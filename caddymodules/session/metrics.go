package session

import (
	"errors"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// metrics are the collectors of all handlers. Caddy makes a registry for each configuration that it
// loads; the collectors are entered into every one of them, so that counts survive a reload.
type metrics struct {
	validations *prometheus.CounterVec
	rotations   *prometheus.CounterVec
	reuse       prometheus.Counter
	degraded    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	logins      *prometheus.CounterVec
	logouts     *prometheus.CounterVec
	copies      prometheus.GaugeFunc
	away        prometheus.GaugeFunc
	providers   providerCollector

	// counted are the validations by source and result, looked up once.
	counted [sessions.SourceTicket + 1][sessions.ReasonUnavailable + 2]prometheus.Counter
}

// metricsKey is the pool's key of the metrics.
type metricsKey struct{}

func newMetrics() *metrics {
	opts := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Namespace: "gatehouse", Subsystem: "session", Name: name, Help: help}
	}
	gauge := func(name, help string, value func() float64) prometheus.GaugeFunc {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "gatehouse", Subsystem: "session", Name: name, Help: help}, value)
	}
	m := &metrics{
		validations: prometheus.NewCounterVec(opts("validations_total", "Requests by where their session was found and what became of it: signed_in, or the reason why not."), []string{"source", "result"}),
		rotations:   prometheus.NewCounterVec(opts("rotations_total", "Rotations of verifiers: won, lost to another request, failed, or reissued because a response was lost."), []string{"result"}),
		reuse:       prometheus.NewCounter(opts("reuse_total", "Requests with a verifier that was replaced long ago.")),
		degraded:    prometheus.NewCounterVec(opts("degraded_admissions_total", "Requests that this node let in without Redis, by its copy or a ticket."), []string{"source"}),
		refused:     prometheus.NewCounterVec(opts("refused_total", "Requests that were refused for another reason than their session: csrf, requirement, cookies."), []string{"reason"}),
		logins:      prometheus.NewCounterVec(opts("logins_total", "Logins that came back from a provider, by what became of them."), []string{"provider", "result"}),
		logouts:     prometheus.NewCounterVec(opts("logouts_total", "Logouts: done, none without a session, or postponed until Redis is back."), []string{"result"}),
		copies:      gauge("copies", "Sessions of which this node holds a copy or activity.", func() float64 { return float64(held()) }),
		away:        gauge("degraded", "1 while this node cannot ask Redis for sessions.", away),
		providers: providerCollector{prometheus.NewDesc("gatehouse_session_provider_ready",
			"1 when people can sign in at the provider.", []string{"provider"}, nil)},
	}
	for source := range m.counted {
		for result := range m.counted[source] {
			m.counted[source][result] = m.validations.WithLabelValues(sessions.Source(source).String(), resultName(result))
		}
	}
	return m
}

// resultName is the word for a verdict: its reason, or one for who is signed in.
func resultName(result int) string {
	if result == int(sessions.ReasonUnavailable)+1 {
		return "signed_in"
	}
	return sessions.Reason(result).String()
}

// joinMetrics enters the collectors into the configuration's registry.
func joinMetrics(ctx caddy.Context) (*metrics, error) {
	value, _ := pool.LoadOrStore(metricsKey{}, newMetrics())
	m := value.(*metrics)
	for _, c := range []prometheus.Collector{
		m.validations, m.rotations, m.reuse, m.degraded, m.refused, m.logins, m.logouts, m.copies, m.away, m.providers,
	} {
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

// count counts a verdict.
func (m *metrics) count(v *sessions.Verdict) {
	result := int(v.Reason)
	if v.Status == sessions.SignedIn {
		result = int(sessions.ReasonUnavailable) + 1
		if v.Source.Degraded() {
			m.degraded.WithLabelValues(v.Source.String()).Inc()
		}
		if v.Reissued() {
			m.rotations.WithLabelValues("reissued").Inc()
		}
	}
	if v.Reason == sessions.ReasonReuse {
		m.reuse.Inc()
	}
	m.counted[v.Source][result].Inc()
}

// countRotation counts what became of a rotation, if there was one.
func (m *metrics) countRotation(result sessions.RotationResult) {
	switch result {
	case sessions.RotationWon:
		m.rotations.WithLabelValues("won").Inc()
	case sessions.RotationLost:
		m.rotations.WithLabelValues("lost").Inc()
	case sessions.RotationFailed:
		m.rotations.WithLabelValues("failed").Inc()
	case sessions.NotTried:
	}
}

// held is the number of sessions held in this process, over all namespaces.
func held() (n int) {
	pool.Range(func(_, value any) bool {
		if k, ok := value.(*sharedState); ok {
			n += k.node.Held()
		}
		return true
	})
	return n
}

// away is 1 when some store cannot be asked.
func away() (n float64) {
	pool.Range(func(_, value any) bool {
		if k, ok := value.(*sharedState); ok && k.node.Away() {
			n = 1
		}
		return true
	})
	return n
}

// providerCollector asks the providers when it is asked.
type providerCollector struct{ desc *prometheus.Desc }

// Describe implements prometheus.Collector.
func (c providerCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector. Of providers of one name all must be ready.
func (c providerCollector) Collect(ch chan<- prometheus.Metric) {
	ready := make(map[string]float64)
	pool.Range(func(_, value any) bool {
		if e, ok := value.(*providerEntry); ok {
			name, s := e.Name(), e.Status()
			if _, seen := ready[name]; !seen {
				ready[name] = 1
			}
			if !s.Ready {
				ready[name] = 0
			}
		}
		return true
	})
	for name, value := range ready {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, value, name)
	}
}
