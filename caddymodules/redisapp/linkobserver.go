package redisapp

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// censusUser is the user of the link that the census is taken over. What concerns the server, and not a link, is
// told by this one only.
const censusUser = "census"

// linkObserver writes down what becomes of a link: one log line for each transition, the metrics, and what health
// asks for.
type linkObserver struct {
	user    string
	address string
	outlets outlets
	metrics *userMetrics

	mu     sync.Mutex
	state  redislink.State
	since  time.Time
	reason error
	down   time.Time // when the present outage began; zero when there is none
}

func newLinkObserver(o redislink.Options, user string, m *userMetrics) *linkObserver {
	w := &linkObserver{user: user, address: strings.Join(o.Addresses, ","), metrics: m, state: redislink.StateOpen}
	m.state(w.state)
	return w
}

// changed is called in order, from one goroutine.
func (w *linkObserver) changed(c redislink.Change) {
	w.mu.Lock()
	first, before := w.since.IsZero(), w.state
	moved := c.State != before
	began := w.down
	w.state, w.reason, w.since = c.State, c.Reason, c.At
	switch {
	case c.State == redislink.StateClosed:
		w.down = time.Time{}
	case w.down.IsZero():
		w.down = c.At
	}
	w.mu.Unlock()

	w.metrics.state(c.State)
	if moved {
		w.metrics.moved(c.State)
	}
	log := w.outlets.logger().With(zap.String("user", w.user), zap.String("address", w.address))
	switch {
	case c.State == redislink.StateOpen && began.IsZero():
		log.Warn("redis unavailable", zap.Error(c.Reason))
	case c.State == redislink.StateOpen && !moved:
		log.Warn("redis still unavailable, for another reason", zap.Error(c.Reason))
	case c.State == redislink.StateClosed && first:
		log.Info("redis available")
	case c.State == redislink.StateClosed:
		w.metrics.outage(c.At.Sub(began))
		log.Info("redis available again", zap.Duration("duration", c.At.Sub(began)),
			zap.Bool("same_run", c.Arrival.SameRun), zap.Bool("kept", c.Arrival.DataIntact))
	default:
		log.Debug("redis link changed", zap.Stringer("state", c.State), zap.Error(c.Reason))
	}
}

// warned tells what concerns the server once, though several links see it.
func (w *linkObserver) warned(warning redislink.Warning) {
	if warning.Kind == redislink.CallErred {
		w.outlets.logger().Warn("redis answered a call with an error, and others may fail like it; gatehouse_redis_calls_total counts them as error",
			zap.String("user", w.user), zap.String("address", w.address), zap.Error(warning.Err))
		return
	}
	if w.user != censusUser {
		return
	}
	log := w.outlets.logger().With(zap.String("address", w.address))
	switch warning.Kind {
	case redislink.NoInfo:
		log.Warn("redis does not let its user read INFO, so restarts and evictions go unnoticed; grant it +info", zap.Error(warning.Err))
	case redislink.Evicting:
		log.Warn("redis drops keys when its memory is full, and with them limits; set maxmemory-policy noeviction", zap.String("policy", warning.Detail))
	case redislink.DataLost:
		log.Warn("redis lost keys while connected, as by FLUSHALL or eviction; what was counted in them is forgotten")
	case redislink.SharedNodeID:
		log.Warn("another process has this node id, and both count as one node; give each a data directory of its own, or set node", zap.String("node", warning.Detail))
	}
}

func (w *linkObserver) called(r redislink.Result, took time.Duration) { w.metrics.called(r, took) }

// health is a line for people, and whether the link is closed.
func (w *linkObserver) health() (ok bool, line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	line = w.user + ": " + w.state.String()
	if w.since.IsZero() {
		return false, line + ", connecting"
	}
	line += " since " + w.since.UTC().Format(time.RFC3339)
	if w.reason != nil {
		line += fmt.Sprintf(": %v", w.reason)
	}
	return w.state == redislink.StateClosed, line
}
