package main

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

const (
	// pingInterval is how often the database is asked whether it is there; pingTimeout, how long it may take to answer.
	pingInterval = 5 * time.Second
	pingTimeout  = 5 * time.Second
	// trailInterval is how often the audit trail's months are looked at. Whoever must prepare some is told trailNotice before
	// they run out.
	trailInterval = time.Hour
	trailNotice   = 31 * 24 * time.Hour
)

// watch tells the log and Prometheus what no request would: that the database has gone, and is there again, and that
// somebody must prepare the audit trail's next months. Each change is told once.
type watch struct {
	ping          func(context.Context) error
	trailPrepared func(context.Context) (time.Time, error)
	logger        *zap.Logger
	metrics       *metrics
	now           func() time.Time

	gone, short bool
	looked      time.Time // when the months were
}

func newWatch(s *store.Store, logger *zap.Logger, m *metrics) *watch {
	return &watch{ping: s.Ping, trailPrepared: s.TrailPrepared, logger: logger, metrics: m, now: time.Now}
}

// run looks until ctx ends.
func (w *watch) run(ctx context.Context) {
	ticker := time.NewTicker(pingInterval)
	defer ticker.Stop()
	for {
		w.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func (w *watch) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := w.ping(ctx)
	switch {
	case errors.Is(ctx.Err(), context.Canceled): // the process stops, and that is nothing of the database's
		return
	case err != nil:
		w.metrics.databaseUp.Set(0)
		if !w.gone {
			w.logger.Warn("database unavailable, answering 503 until it is there", zap.Error(err))
		}
		w.gone = true
		return
	}
	w.metrics.databaseUp.Set(1)
	if w.gone {
		w.logger.Info("database available again")
	}
	w.gone = false
	if w.looked.IsZero() || w.now().Sub(w.looked) >= trailInterval {
		w.months(ctx)
	}
}

// months looks how far ahead the audit trail is prepared. When that cannot be found out, the next look tries again.
func (w *watch) months(ctx context.Context) {
	until, err := w.trailPrepared(ctx)
	if err != nil {
		return
	}
	w.looked = w.now()
	w.metrics.trailPrepared.Set(float64(until.Unix()))
	short := until.Sub(w.looked) < trailNotice
	if short && !w.short {
		w.logger.Warn("the audit trail's next month has no partition: run `backend migrate up`", zap.Time("prepared_until", until))
	}
	w.short = short
}
