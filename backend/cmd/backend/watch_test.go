package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
)

// watched is a watch whose database and clock are the test's.
type watched struct {
	*watch
	err   error
	until time.Time
	asked int
	clock time.Time
	logs  *observer.ObservedLogs
}

func newWatched() *watched {
	core, logs := observer.New(zap.InfoLevel)
	w := &watched{clock: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), until: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), logs: logs}
	w.watch = &watch{
		ping: func(context.Context) error { return w.err },
		trailPrepared: func(context.Context) (time.Time, error) {
			w.asked++
			return w.until, w.err
		},
		logger: zap.New(core), metrics: newMetrics(), now: func() time.Time { return w.clock },
	}
	return w
}

// told are the messages since the last call.
func (w *watched) told() (messages []string) {
	for _, e := range w.logs.TakeAll() {
		messages = append(messages, e.Message)
	}
	return messages
}

func requireValue(t *testing.T, want int64, of prometheus.Gauge) {
	t.Helper()
	var got dto.Metric
	require.NoError(t, of.Write(&got))
	require.InDelta(t, want, got.GetGauge().GetValue(), 0)
}

func TestWatch_tellsOnceThatTheDatabaseHasGone(t *testing.T) {
	w := newWatched()
	w.look(t.Context())
	require.Empty(t, w.told())
	requireValue(t, 1, w.metrics.databaseUp)
	w.err = errors.New("refused")
	for range 3 {
		w.look(t.Context())
	}
	require.Equal(t, []string{"database unavailable, answering 503 until it is there"}, w.told())
	requireValue(t, 0, w.metrics.databaseUp)
	w.err = nil
	for range 3 {
		w.look(t.Context())
	}
	require.Equal(t, []string{"database available again"}, w.told())
	requireValue(t, 1, w.metrics.databaseUp)
}

func TestWatch_saysNothingOfTheDatabaseWhenTheProcessStops(t *testing.T) {
	w := newWatched()
	ctx, cancel := context.WithCancel(t.Context())
	w.look(ctx)
	cancel()
	w.err = ctx.Err()
	w.look(ctx)
	require.Empty(t, w.told())
	requireValue(t, 1, w.metrics.databaseUp)
}

func TestWatch_tellsInTimeThatTheTrailMustBePrepared(t *testing.T) {
	w := newWatched()
	w.look(t.Context())
	w.look(t.Context())
	require.Equal(t, 1, w.asked, "once an hour")
	require.Empty(t, w.told())
	requireValue(t, w.until.Unix(), w.metrics.trailPrepared)

	w.clock = w.until.Add(-trailNotice + time.Second)
	for range 3 {
		w.look(t.Context())
		w.clock = w.clock.Add(trailInterval)
	}
	require.Equal(t, []string{"the audit trail's next month has no partition: run `backend migrate up`"}, w.told())

	w.until = w.until.AddDate(0, 3, 0) // somebody did
	w.look(t.Context())
	require.Empty(t, w.told())
	w.clock = w.until
	w.look(t.Context())
	require.Len(t, w.told(), 1, "and the next time it is told again")
}

func TestWatch_looksAgainWhereItCouldNot(t *testing.T) {
	w := newWatched()
	w.trailPrepared = func(context.Context) (time.Time, error) {
		w.asked++
		return time.Time{}, errors.New("busy")
	}
	w.look(t.Context())
	w.look(t.Context())
	require.Equal(t, 2, w.asked)
	require.Empty(t, w.told())
}

func TestQuiet(t *testing.T) {
	for s, want := range map[caller.Served]bool{
		{Route: "GET /health", Status: 200}: true, {Route: "GET /api/health", Status: 200}: true, {Route: "GET /ready", Status: 200}: true,
		{Route: "GET /ready", Status: 503}:  true, // for as long as the database is away, by each who asks
		{Route: "GET /health", Status: 500}: false, {Route: "GET /ready", Status: 500}: false, {Route: "", Status: 200}: false,
		{Route: "GET /api/clients/{id}", Status: 503}: false,
	} {
		require.Equal(t, want, quiet(s), "%+v", s)
	}
}
