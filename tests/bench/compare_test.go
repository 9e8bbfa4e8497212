//go:build bench

package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/dev/upstream"
)

// How long and how often. The first round warms up and does not count.
var (
	rounds    = number("GATEHOUSE_BENCH_ROUNDS", 7)
	roundTime = duration("GATEHOUSE_BENCH_TIME", 2*time.Second)
)

// contender is a proxy that runs, in front of the one upstream.
type contender struct {
	name, addr string
	// keys is how many different ones the requests carry.
	keys uint64
	// cookies are sent with each request; jar takes those of the answers, and is nil for a client that takes none.
	cookies, jar *Jar
	// refused: the answers are expected to be 429.
	refused bool
	pid     func() int
}

// sample is one run of one contender.
type sample struct {
	Result
	// cpu is the proxy's time on a processor a request, memory what it holds after the run.
	cpu    time.Duration
	memory int64
}

// compare runs all, one right after the other, in both orders, and prints each against the first of them.
func compare(t *testing.T, title string, app *upstream.Upstream, all []contender, connections ...int) {
	t.Helper()
	for i := range all {
		if all[i].cookies == nil {
			all[i].cookies = all[0].cookies // see settle
		}
	}
	for _, n := range connections {
		pairs := make([][]pair, len(all))
		for round := range rounds + 1 {
			measured := make([]sample, len(all))
			for k := range all {
				i := k
				if round%2 == 1 {
					i = len(all) - 1 - k
				}
				measured[i] = served(t, app, all[i], n)
			}
			for i := range all {
				if round > 0 {
					pairs[i] = append(pairs[i], pair{measured[i], measured[0]})
				}
			}
		}
		for i := range all[1:] {
			pairs[i+1] = again(t, app, all[0], all[i+1], n, pairs[i+1])
		}
		report(t, title, n, all, pairs)
	}
}

// pair is a run of a contender and the run of the base beside it.
type pair struct{ sample, base sample }

// mostSpread is how far the ratios of a row may lie from their middle. A row beyond it is measured again, at most
// mostAgain times, and then marked.
const (
	mostSpread = 0.08
	mostAgain  = 2
)

// again measures a row whose spread is too large in pairs of its own, the base before it or after it in turns. It
// returns the pairs with the least spread.
func again(t *testing.T, app *upstream.Upstream, base, c contender, connections int, best []pair) []pair {
	t.Helper()
	for range mostAgain {
		if unevenness(best) <= mostSpread {
			break
		}
		var pairs []pair
		for round := range rounds {
			var p pair
			if round%2 == 0 {
				p.base = served(t, app, base, connections)
				p.sample = served(t, app, c, connections)
			} else {
				p.sample = served(t, app, c, connections)
				p.base = served(t, app, base, connections)
			}
			pairs = append(pairs, p)
		}
		if unevenness(pairs) < unevenness(best) {
			best = pairs
		}
	}
	return best
}

// unevenness is half of the spread of a row's ratios, of their middle.
func unevenness(pairs []pair) float64 {
	low, high := spread(pairs, ratio(rate))
	return (high - low) / (high + low)
}

// served measures a contender, and checks that the upstream has answered what was not refused.
func served(t *testing.T, app *upstream.Upstream, c contender, connections int) sample {
	t.Helper()
	before := app.Served()
	s := measure(t, c, connections)
	if !c.refused {
		require.EqualValues(t, s.Requests, app.Served()-before, "%s: not all came from the upstream", c.name)
	}
	return s
}

func measure(t *testing.T, c contender, connections int) sample {
	t.Helper()
	before := usage(t, c.pid()).cpu
	r, err := Run(context.Background(), c.addr, connections, roundTime, c.request, c.jar)
	require.NoError(t, err)
	want := 200
	if c.refused {
		want = 429
	}
	// What is refused has one request to begin with, or few, and a health check has gone before.
	require.GreaterOrEqual(t, r.Statuses[want], r.Requests-4, "%s: statuses %v", c.name, r.Statuses)
	after := usage(t, c.pid())
	return sample{Result: r, cpu: (after.cpu - before) / time.Duration(r.Requests), memory: after.memory}
}

func (c contender) request(n uint64) []byte {
	return fmt.Appendf(nil, "GET /plain HTTP/1.1\r\nHost: %s\r\nX-Key: k%d\r\nCookie: %s\r\n\r\n", c.addr, n%c.keys, c.cookies.Header())
}

// used is what a process and its children have used so far and hold now, by the kernel's account, which counts
// in ticks of 10 ms.
type used struct {
	cpu    time.Duration
	memory int64
}

func usage(t *testing.T, pid int) (u used) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(t, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] { // utime, stime
		ticks, err := strconv.ParseInt(f, 10, 64)
		require.NoError(t, err)
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	pages, err := strconv.ParseInt(fields[21], 10, 64)
	require.NoError(t, err)
	u.memory = pages * int64(os.Getpagesize())
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	require.NoError(t, err)
	for child := range strings.FieldsSeq(string(children)) {
		n, err := strconv.Atoi(child)
		require.NoError(t, err)
		c := usage(t, n)
		u.cpu, u.memory = u.cpu+c.cpu, u.memory+c.memory
	}
	return u
}

// report prints medians of the pairs. A row marked with * was uneven however often it was measured.
func report(t *testing.T, title string, connections int, all []contender, pairs [][]pair) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\treq/s\tratio\t(spread)\tCPU a request\tratio\t(spread)\tp50\tadded\tp99\tadded\tmemory\t")
	for i, c := range all {
		value := func(f func(sample) float64) float64 {
			return median(pairs[i], func(p pair) float64 { return f(p.sample) })
		}
		added := func(f func(sample) float64) float64 {
			return median(pairs[i], func(p pair) float64 { return f(p.sample) - f(p.base) })
		}
		low, high := spread(pairs[i], ratio(rate))
		lowCPU, highCPU := spread(pairs[i], ratio(cpu))
		mark := ""
		if unevenness(pairs[i]) > mostSpread {
			mark = " *"
		}
		fmt.Fprintf(w, "%s%s\t%.0f\t%.2f\t%.2f–%.2f\t%.0f µs\t%.2f\t%.2f–%.2f\t%.0f µs\t%+.0f µs\t%.0f µs\t%+.0f µs\t%.0f MiB\t\n", c.name, mark,
			value(rate), median(pairs[i], ratio(rate)), low, high,
			value(cpu), median(pairs[i], ratio(cpu)), lowCPU, highCPU, value(p50), added(p50), value(p99), added(p99), value(mebibytes))
	}
	_ = w.Flush()
	t.Logf("%s: %d connections, %d rounds of %s, %d processors\n%s", title, connections, len(pairs[0]), roundTime, runtime.NumCPU(), b.String())
}

func rate(s sample) float64      { return s.Rate() }
func cpu(s sample) float64       { return float64(s.cpu) / 1e3 }
func p50(s sample) float64       { return float64(s.P50) / 1e3 }
func p99(s sample) float64       { return float64(s.P99) / 1e3 }
func mebibytes(s sample) float64 { return float64(s.memory) / (1 << 20) }

// ratio compares a figure of a contender with the base's in the same pair.
func ratio(f func(sample) float64) func(pair) float64 {
	return func(p pair) float64 { return f(p.sample) / f(p.base) }
}

func median(pairs []pair, f func(pair) float64) float64 {
	v := values(pairs, f)
	return v[len(v)/2]
}

func spread(pairs []pair, f func(pair) float64) (low, high float64) {
	v := values(pairs, f)
	return v[0], v[len(v)-1]
}

func values(pairs []pair, f func(pair) float64) []float64 {
	v := make([]float64, len(pairs))
	for i, p := range pairs {
		v[i] = f(p)
	}
	slices.Sort(v)
	return v
}

// buildStock builds Caddy without our modules, by the same compiler and flags.
func buildStock(t *testing.T) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "stock")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-tags=nobadger,nomysql,nopgx", "-o", out, "./stock")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return out
}

// start runs a program that is no edge of ours until the test ends, and waits until it answers at addr.
func start(t *testing.T, name, path, addr string, args ...string) func() int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := stack.Start(ctx, stack.Spec{
		Name: name, Path: path, Args: args, Log: filepath.Join(t.TempDir(), "log"),
		Ready: func(ctx context.Context) error { return stack.Answers(ctx, "http://"+addr+"/health") },
	})
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.Stop(2 * time.Second) })
	return p.Pid
}

// number and duration are settings of the environment, for a quick look or a long one.
func number(name string, otherwise int) int {
	if s := os.Getenv(name); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			panic(fmt.Sprintf("%s=%q is no number of 1 or more", name, s))
		}
		return n
	}
	return otherwise
}

func duration(name string, otherwise time.Duration) time.Duration {
	if s := os.Getenv(name); s != "" {
		d, err := time.ParseDuration(s)
		if err != nil || d <= 0 {
			panic(fmt.Sprintf("%s=%q is no duration, such as 10s", name, s))
		}
		return d
	}
	return otherwise
}
