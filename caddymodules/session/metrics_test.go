package session

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/idp"
)

func counted(t *testing.T, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	require.NoError(t, c.Write(&m))
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func TestMetrics_countWhatHappened(t *testing.T) {
	f := open(t, "rotation 1m\nrule @admin {\nrequire groups admins\n}")
	b := f.browser()
	require.NoError(t, f.op.SetFaults(idp.Fault{Name: "wrong_nonce"}))
	b.navigate(b.atProvider(b.begin("/_auth/login"), "mia"))
	require.NoError(t, f.op.SetFaults())
	b.signIn("mia")
	b.call(http.MethodGet, "/")
	b.call(http.MethodGet, "/admin/x")
	b.send(request(http.MethodPost, "/", "Sec-Fetch-Site", "cross-site"))
	f.browser().call(http.MethodGet, "/")
	f.clock.advance(2 * time.Minute)
	b.call(http.MethodGet, "/")
	f.store.set(true)
	b.call(http.MethodGet, "/")
	assert.InDelta(t, 1, away(), 0)
	b.call(http.MethodPost, "/_auth/logout")

	m := f.metrics
	for name, tc := range map[string]struct {
		got  prometheus.Metric
		want float64
	}{
		"login":       {m.logins.WithLabelValues("dev", "ok"), 1},
		"rejected":    {m.logins.WithLabelValues("dev", "rejected"), 1},
		"no session":  {m.validations.WithLabelValues("none", "none"), 1},
		"requirement": {m.refused.WithLabelValues("requirement"), 1},
		"rotation":    {m.rotations.WithLabelValues("won"), 1},
		"postponed":   {m.logouts.WithLabelValues("postponed"), 1},
	} {
		assert.InDelta(t, tc.want, counted(t, tc.got), 0, name)
	}
	assert.InDelta(t, 1, counted(t, m.degraded.WithLabelValues("copy"))+counted(t, m.degraded.WithLabelValues("ticket")), 0)
	assert.Positive(t, counted(t, m.refused.WithLabelValues("csrf")))
	assert.Positive(t, counted(t, m.copies))
}
