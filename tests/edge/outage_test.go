package edge

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// The outage stories send three times what the limit admits, evenly to both nodes.
const (
	outageLimit  = 80
	outageWindow = 2 * time.Second
	outageRate   = 120 // a second
)

var outageZones = fmt.Sprintf(`
zone calls {
	key    {http.request.header.X-Key}
	events %d
	window %s
}
`, outageLimit, outageWindow)

// slack is for the client's idea of when a request was admitted.
const slack = outageLimit / 10

// fault is a way for Redis to go, and to return.
type fault struct {
	name  string
	redis stack.RedisOptions
	// wire is the path to Redis that strike and recovers may cut.
	wire     bool
	strike   func(*edge) error
	recovers func(*edge) error
}

var faults = []fault{
	{
		name: "killed", redis: stack.RedisOptions{AppendOnly: true},
		strike:   func(e *edge) error { return e.redis.Kill() },
		recovers: func(e *edge) error { return e.redis.Restart(context.Background()) },
	},
	{
		name: "killed and back empty", redis: stack.RedisOptions{},
		strike:   func(e *edge) error { return e.redis.Kill() },
		recovers: func(e *edge) error { return e.redis.Restart(context.Background()) },
	},
	{
		name:     "hung",
		strike:   func(e *edge) error { return e.redis.Pause() },
		recovers: func(e *edge) error { return e.redis.Resume() },
	},
	{
		// Neither refused nor hung: nothing is acknowledged, and new connections are never made.
		name: "dropped packets", wire: true,
		strike:   func(e *edge) error { return e.wire.Drop() },
		recovers: func(e *edge) error { return e.wire.Restore() },
	},
	{
		name: "restarted", redis: stack.RedisOptions{AppendOnly: true},
		strike:   func(e *edge) error { return e.redis.Restart(context.Background()) },
		recovers: func(*edge) error { return nil },
	},
}

// Redis goes and returns under load: no 5xx, no slow request, the limit holds, and is exact again.
func TestOutage(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			e := start(t, settings{redis: f.redis, wire: f.wire, zones: outageZones})
			l := e.load(outageRate, "/", "X-Key", "k")
			time.Sleep(2 * outageWindow)

			struck := time.Now()
			require.NoError(t, f.strike(e))
			time.Sleep(3 * outageWindow)
			back := time.Now()
			require.NoError(t, f.recovers(e))
			e.waitMode(exact)
			exactAgain := time.Now()
			time.Sleep(2 * outageWindow)
			answers := l.end()

			s := sum(answers)
			during := between(answers, struck.Add(time.Second), back)
			t.Logf("all: %s", s)
			require.Zero(t, e.retries.Load(), "a connection broke")
			t.Logf("during: %s; exact again after %s", sum(during), exactAgain.Sub(back).Round(time.Millisecond))
			s.onlyLimited(t)
			// The target is op_timeout + 10 ms: 35 ms. A busy machine adds what it likes.
			require.Less(t, s.longest, 3*time.Second, "a request was slow")

			windows := map[string]int{
				"before":       most(between(answers, time.Time{}, struck), outageWindow),
				"failover":     most(between(answers, struck.Add(-outageWindow), struck.Add(outageWindow)), outageWindow),
				"during":       most(during, outageWindow),
				"return":       most(between(answers, back.Add(-outageWindow), exactAgain.Add(outageWindow)), outageWindow),
				"exact again":  most(between(answers, exactAgain, time.Now()), outageWindow),
				"whole outage": sum(during).statuses[http.StatusOK],
			}
			t.Logf("most admitted in any window of %s, limit %d: %v", outageWindow, outageLimit, windows)
			require.LessOrEqual(t, windows["before"], outageLimit+slack)
			require.LessOrEqual(t, windows["failover"], outageLimit*125/100+slack)
			require.LessOrEqual(t, windows["during"], outageLimit+slack)
			require.LessOrEqual(t, windows["return"], outageLimit+slack)
			require.LessOrEqual(t, windows["exact again"], outageLimit+slack)
			require.Greater(t, windows["during"], outageLimit/2, "the limit's shares are not used")
			require.Greater(t, windows["exact again"], outageLimit*8/10)
		})
	}
}

// Nobody asks for the key during the outage's end: what was admitted alone is handed over all the same,
// and to the request.
func TestOutage_nothingIsForgottenOnReturn(t *testing.T) {
	for _, keep := range []bool{true, false} {
		t.Run(map[bool]string{true: "kept", false: "empty"}[keep], func(t *testing.T) {
			e := start(t, settings{redis: stack.RedisOptions{AppendOnly: keep}, zones: algorithms})
			// 40 through Redis, then each node its share of the rest alone.
			require.Equal(t, 40, e.admitted(0, 20, "/log", "X-Key", "k")+e.admitted(1, 20, "/log", "X-Key", "k"))
			require.NoError(t, e.redis.Kill())
			e.waitMode(degraded)
			alone := e.admitted(0, 60, "/log", "X-Key", "k") + e.admitted(1, 60, "/log", "X-Key", "k")
			require.Equal(t, 60, alone, "30 are left to each")
			require.NoError(t, e.redis.Restart(context.Background()))
			e.waitMode(exact)
			require.Zero(t, e.admitted(0, 20, "/log", "X-Key", "k")+e.admitted(1, 20, "/log", "X-Key", "k"))
			require.Equal(t, 100, e.admitted(0, 60, "/log", "X-Key", "other")+e.admitted(1, 60, "/log", "X-Key", "other"), "exact again")
		})
	}
}

// Nodes that start while Redis is down serve at once, each at its share, and join when it comes.
func TestOutage_startedWithRedisDown(t *testing.T) {
	e := start(t, settings{redisDown: true, census: "2", zones: algorithms})
	for i := range e.nodes {
		require.Equal(t, 50, e.admitted(i, 80, "/log", "X-Key", "k"), "node %d", i+1)
	}
	require.NoError(t, e.redis.Restart(context.Background()))
	e.waitMode(exact)
	require.Zero(t, e.admitted(0, 10, "/log", "X-Key", "k")+e.admitted(1, 10, "/log", "X-Key", "k"),
		"what was admitted before Redis came is known to it")
	require.Equal(t, 100, e.admitted(0, 60, "/log", "X-Key", "other")+e.admitted(1, 60, "/log", "X-Key", "other"))
}

// A node that remembers how many there were keeps to its share after a restart in an outage.
func TestOutage_restartedNodeRemembersTheOthers(t *testing.T) {
	e := start(t, settings{zones: algorithms})
	require.NoError(t, e.redis.Kill())
	e.waitMode(degraded)
	require.NoError(t, e.nodes[0].Kill())
	require.NoError(t, e.nodes[0].Restart(context.Background()))
	require.Equal(t, 50, e.admitted(0, 120, "/log", "X-Key", "k"))
}
