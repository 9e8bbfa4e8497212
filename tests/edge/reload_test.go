package edge

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Reloads under load lose no request, no count and no connection.
func TestReload_underLoad(t *testing.T) {
	e := start(t, settings{race: true, zones: algorithms})
	connections := func() int {
		list, err := e.redis.CLI("CLIENT", "LIST")
		require.NoError(t, err)
		return strings.Count(list, "addr=")
	}
	before := connections()
	require.Equal(t, 300, e.admitted(0, 300, "/gcra", "X-Key", "k"))
	l := e.load(100, "/slices", "X-Key", "busy")
	for i := range 6 {
		node := i % len(e.nodes)
		require.NoError(t, e.nodes[node].Reload(context.Background(), e.files[node]))
		time.Sleep(200 * time.Millisecond)
	}
	s := sum(l.end())
	t.Logf("%s, %d sent again", s, e.retries.Load())
	s.onlyLimited(t)
	require.Empty(t, s.errors)
	require.Equal(t, 200, e.admitted(1, 300, "/gcra", "X-Key", "k"), "the counts survived")
	require.Eventually(t, func() bool { return connections() == before }, settle, 50*time.Millisecond, "connections leak")
}

// A changed limit keeps what was used. (Of one algorithm: above 100 events the default is another.)
func TestReload_changedLimit(t *testing.T) {
	e := start(t, settings{zones: algorithms})
	require.Equal(t, 100, e.admitted(0, 120, "/log", "X-Key", "k"))
	raised := strings.Replace(e.files[0], "events 100", "events 130\n\t\t\talgorithm log", 1)
	require.NoError(t, e.nodes[0].Reload(context.Background(), raised))
	require.Equal(t, 30, e.admitted(0, 60, "/log", "X-Key", "k"), "raised by 30")
	lowered := strings.Replace(e.files[0], "events 100", "events 50", 1)
	require.NoError(t, e.nodes[0].Reload(context.Background(), lowered))
	require.Zero(t, e.admitted(0, 10, "/log", "X-Key", "k"))
}

// Counts that are held here alone, in an outage, survive a reload too.
func TestReload_inAnOutage(t *testing.T) {
	e := start(t, settings{zones: algorithms})
	require.NoError(t, e.redis.Kill())
	e.waitMode(degraded)
	require.Equal(t, 30, e.admitted(0, 30, "/log", "X-Key", "k"))
	require.NoError(t, e.nodes[0].Reload(context.Background(), e.files[0]))
	require.Equal(t, 20, e.admitted(0, 60, "/log", "X-Key", "k"))
	require.NoError(t, e.redis.Restart(context.Background()))
	e.waitMode(exact)
	require.Equal(t, 50, e.admitted(1, 80, "/log", "X-Key", "k"), "and were handed over")
}
