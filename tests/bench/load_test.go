//go:build bench

package bench

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// The load that was asked for, and what the edge may add to its slowest hundredth.
const (
	loadRate        = 1000 // requests a second
	loadConnections = 64
	askedAddedP99   = 5 * time.Millisecond
)

var (
	loadTime   = duration("GATEHOUSE_BENCH_LOAD", time.Minute)
	loadRounds = number("GATEHOUSE_BENCH_LOAD_ROUNDS", 2)
)

// A thousand requests a second, for a minute, each at its own moment: how much later its answer is with the
// handlers than without. Bare and with them in turns, in both orders.
func TestLoad(t *testing.T) {
	_, up := upstream.Start(t, "app")
	all := startEdges(t, up, []edgeCase{bare, limitManyKeys, allInProcess, allInRedis})
	samples := make([][]Result, len(all))
	for _, c := range all { // connections, caches and heaps as they are under load
		pace(t, c, loadTime/10)
	}
	for round := range loadRounds {
		for k := range all {
			i := k
			if round%2 == 1 {
				i = len(all) - 1 - k
			}
			samples[i] = append(samples[i], pace(t, all[i], loadTime))
		}
	}

	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\tp50\tadded\tp99\tadded\tp99.9\tadded\tlongest\t")
	for i, c := range all {
		row := []string{c.name}
		for _, q := range []func(Result) time.Duration{
			func(r Result) time.Duration { return r.P50 },
			func(r Result) time.Duration { return r.P99 },
			func(r Result) time.Duration { return r.P999 },
		} {
			var value, added []time.Duration
			for k := range samples[i] {
				value = append(value, q(samples[i][k]))
				added = append(added, q(samples[i][k])-q(samples[0][k]))
			}
			row = append(row, middle(value).String(), fmt.Sprintf("%+.2f ms", middle(added).Seconds()*1e3))
		}
		longest := slices.MaxFunc(samples[i], func(a, b Result) int { return int(a.Max - b.Max) }).Max
		fmt.Fprintln(w, strings.Join(append(row, longest.Round(100*time.Microsecond).String()), "\t")+"\t")
	}
	_ = w.Flush()
	t.Logf("%d requests a second for %s, %d times, %d connections, %d processors; asked: p99 at most %s later\n%s",
		loadRate, loadTime, loadRounds, loadConnections, runtime.NumCPU(), askedAddedP99, b.String())
}

func pace(t *testing.T, c contender, d time.Duration) Result {
	t.Helper()
	r, err := Pace(context.Background(), c.addr, loadRate, loadConnections, d, c.request, c.jar)
	require.NoError(t, err)
	require.Equal(t, r.Requests, r.Statuses[200], "%s: statuses %v", c.name, r.Statuses)
	return r
}

// middle is the median, of two the mean.
func middle(d []time.Duration) time.Duration {
	slices.Sort(d)
	return ((d[(len(d)-1)/2] + d[len(d)/2]) / 2).Round(time.Microsecond)
}
