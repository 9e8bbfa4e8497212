package ratelimit

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/degraded"
)

// threeNodes is a census.
type threeNodes struct{}

func (threeNodes) Share() (nodes, rank int) { return 3, 1 }

// degradedEvents collects the events of a goroutine.
type degradedEvents struct {
	mu   sync.Mutex
	data []map[string]any
}

func (e *degradedEvents) Handle(_ context.Context, event caddy.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.data = append(e.data, event.Data)
	return nil
}

func (e *degradedEvents) all() []map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]map[string]any(nil), e.data...)
}

func TestTransitions_tellEachOnce(t *testing.T) {
	const (
		alone = "redis is unavailable, limiting without it"
		back  = "redis is back, handing over what was admitted without it"
		exact = "limits are exact over all nodes"
	)
	begin, end := map[string]any{"degraded": true, "nodes": 3}, map[string]any{"degraded": false, "nodes": 3}
	for _, tt := range []struct {
		name   string
		moves  []degraded.Mode
		logs   []string
		events []map[string]any
	}{
		{"redis is there from the start", []degraded.Mode{degraded.Exact}, []string{exact}, nil},
		{"an outage", []degraded.Mode{degraded.Exact, degraded.Degraded, degraded.HandOver, degraded.Exact},
			[]string{exact, alone, back, exact}, []map[string]any{begin, end}},
		{"told twice", []degraded.Mode{degraded.Exact, degraded.Degraded, degraded.Degraded, degraded.Exact},
			[]string{exact, alone, exact}, []map[string]any{begin, end}},
		{"away from the start", []degraded.Mode{degraded.Degraded, degraded.Degraded, degraded.Exact},
			[]string{alone, exact}, []map[string]any{begin, end}},
		{"away again during the hand-over", []degraded.Mode{degraded.Degraded, degraded.HandOver, degraded.Degraded, degraded.HandOver, degraded.Exact},
			[]string{alone, back, alone, back, exact}, []map[string]any{begin, end}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := open(t, "rate_limit {\n zone z {\n events 1\n window 1m\n}\n}")
			var events degradedEvents
			require.NoError(t, f.events.On(eventDegraded, &events))
			var told transitions
			told.start(threeNodes{})
			told.because(errors.New("connection refused"))
			// Moves before the first handler joins are not lost.
			told.moved(tt.moves[0])
			told.join(f.Handler)
			for _, m := range tt.moves[1:] {
				told.moved(m)
			}
			require.Eventually(t, func() bool { return f.logs.Len() == len(tt.logs) }, 10*time.Second, time.Millisecond)
			told.release(f.Handler)
			told.stop()

			var logs []string
			for _, entry := range f.logs.All() {
				logs = append(logs, entry.Message)
				require.EqualValues(t, 3, entry.ContextMap()["nodes"])
				if entry.Message == alone {
					require.Equal(t, "connection refused", entry.ContextMap()["error"])
				}
			}
			require.Equal(t, tt.logs, logs)
			require.Equal(t, tt.events, events.all())
		})
	}
}
