package ratelimit

import (
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
)

// eventDegraded is emitted when this node begins and when it ceases to limit without Redis.
const eventDegraded = "rate_limit_degraded"

// transitions tell the log and the subscribers of events how the mode moves, from a goroutine of
// their own: handlers of events may take their time, a decision must not.
type transitions struct {
	census degraded.Census
	wake   chan struct{}
	done   chan struct{}
	ended  sync.WaitGroup

	mu       sync.Mutex
	moves    []degraded.Mode
	reason   error
	handlers []*Handler
}

func (t *transitions) start(census degraded.Census) {
	t.census = census
	t.wake, t.done = make(chan struct{}, 1), make(chan struct{})
	t.ended.Go(t.run)
}

func (t *transitions) stop() {
	close(t.done)
	t.ended.Wait()
}

// join lets the handler's logger and events be used; the newest handler's are.
func (t *transitions) join(h *Handler) {
	t.mu.Lock()
	t.handlers = append(t.handlers, h)
	t.mu.Unlock()
	t.hurry()
}

func (t *transitions) release(h *Handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handlers = slices.DeleteFunc(t.handlers, func(other *Handler) bool { return other == h })
}

// because keeps the reason for what is told next.
func (t *transitions) because(reason error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reason = reason
}

// moved queues a move. It does not block.
func (t *transitions) moved(m degraded.Mode) {
	t.mu.Lock()
	t.moves = append(t.moves, m)
	t.mu.Unlock()
	t.hurry()
}

func (t *transitions) hurry() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *transitions) run() {
	last, alone := degraded.Mode(255), false
	for {
		select {
		case <-t.wake:
		case <-t.done:
			return
		}
		t.mu.Lock()
		moves, reason := t.moves, t.reason
		if len(t.handlers) == 0 {
			t.mu.Unlock()
			continue // the first handler is about to join
		}
		t.moves = nil
		teller := t.handlers[len(t.handlers)-1]
		t.mu.Unlock()
		for _, m := range moves {
			if m != last {
				alone = t.tell(teller, m, alone, reason)
			}
			last = m
		}
	}
}

// tell logs a move and emits the event of a beginning or an end. alone says whether a beginning has
// been told without its end, before and after.
func (t *transitions) tell(h *Handler, m degraded.Mode, alone bool, reason error) bool {
	nodes, _ := t.census.Share()
	switch m {
	case degraded.Degraded:
		h.logger.Warn("redis is unavailable, limiting without it", zap.Int("nodes", nodes), zap.Error(reason))
	case degraded.HandOver:
		h.logger.Info("redis is back, handing over what was admitted without it", zap.Int("nodes", nodes))
		return alone
	case degraded.Exact:
		h.logger.Info("limits are exact over all nodes", zap.Int("nodes", nodes))
	}
	now := m == degraded.Degraded
	if now != alone {
		h.events.Emit(h.ctx, eventDegraded, map[string]any{"degraded": now, "nodes": nodes})
	}
	return now
}
