package redisapp

import (
	"errors"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// metrics are the collectors of all links. Caddy makes a registry for each configuration that it loads; the
// collectors are entered into every one of them, so that counts survive a reload.
type metrics struct {
	states      *prometheus.GaugeVec
	transitions *prometheus.CounterVec
	calls       *prometheus.CounterVec
	duration    *prometheus.HistogramVec
	lastOutage  *prometheus.GaugeVec
	nodes, rank prometheus.Gauge
}

// metricsKey is the pool's key of the metrics.
type metricsKey struct{}

// Destruct implements caddy.Destructor.
func (*metrics) Destruct() error { return nil }

func newMetrics() *metrics {
	opts := func(name, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "gatehouse", Subsystem: "redis", Name: name, Help: help}
	}
	gauge := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts(opts(name, help)), labels)
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	return &metrics{
		states:      gauge("state", "1 for the state of the user's link: closed (healthy), half-open or open (calls are held back).", "user", "state"),
		transitions: counter("transitions_total", "Moves of the user's link into a state.", "user", "state"),
		calls: counter("calls_total", "Calls by how they ended: answered; answered with an error; refused by the server; timeout; lost with the connection; "+
			"held (not sent: Redis is unavailable); full (not sent: too many in flight); abandoned by a caller that went away.", "user", "result"),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "gatehouse", Subsystem: "redis", Name: "call_duration_seconds", Help: "How long calls took that were sent, answered or not.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1},
		}, []string{"user"}),
		lastOutage: gauge("last_outage_seconds", "How long the user's last outage took that has ended.", "user"),
		nodes:      prometheus.NewGauge(prometheus.GaugeOpts(opts("nodes", "Nodes that share the namespace: the most that were live at once within the last minute of contact."))),
		rank:       prometheus.NewGauge(prometheus.GaugeOpts(opts("node_rank", "Place of this node among the live ones, from 0; -1 when it is not known."))),
	}
}

// joinMetrics enters the collectors into the configuration's registry.
func (a *App) joinMetrics(ctx caddy.Context) (*metrics, error) {
	value, err := a.join(metricsKey{}, func() (caddy.Destructor, error) { return newMetrics(), nil })
	if err != nil {
		return nil, err
	}
	m := value.(*metrics)
	for _, c := range []prometheus.Collector{m.states, m.transitions, m.calls, m.duration, m.lastOutage, m.nodes, m.rank} {
		var already prometheus.AlreadyRegisteredError
		if err := ctx.GetMetricsRegistry().Register(c); err != nil && !errors.As(err, &already) {
			return nil, err
		}
	}
	return m, nil
}

// counted is told by the census.
func (m *metrics) counted(nodes, rank int) {
	m.nodes.Set(float64(nodes))
	m.rank.Set(float64(rank))
}

// userMetrics are those of one user, looked up once.
type userMetrics struct {
	states, transitions map[redislink.State]func()
	calls               []prometheus.Counter
	duration            prometheus.Observer
	lastOutage          prometheus.Gauge
}

var allStates = []redislink.State{redislink.StateClosed, redislink.StateHalfOpen, redislink.StateOpen}

func (m *metrics) user(user string) *userMetrics {
	u := &userMetrics{
		states:      make(map[redislink.State]func()),
		transitions: make(map[redislink.State]func()),
		duration:    m.duration.WithLabelValues(user),
		lastOutage:  m.lastOutage.WithLabelValues(user),
	}
	for _, s := range allStates {
		u.transitions[s] = m.transitions.WithLabelValues(user, s.String()).Inc
		u.states[s] = func() {
			for _, other := range allStates {
				value := 0.0
				if other == s {
					value = 1
				}
				m.states.WithLabelValues(user, other.String()).Set(value)
			}
		}
	}
	for _, r := range redislink.Results() {
		u.calls = append(u.calls, m.calls.WithLabelValues(user, r.String()))
	}
	return u
}

func (u *userMetrics) state(s redislink.State) { u.states[s]() }
func (u *userMetrics) moved(s redislink.State) { u.transitions[s]() }
func (u *userMetrics) outage(d time.Duration)  { u.lastOutage.Set(d.Seconds()) }

// called is on the path of every call.
func (u *userMetrics) called(r redislink.Result, took time.Duration) {
	u.calls[r].Inc()
	if r != redislink.Rejected && r != redislink.Full {
		u.duration.Observe(took.Seconds())
	}
}
