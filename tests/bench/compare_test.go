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
	// keys is how many different ones the requests carry; cookie, of who is signed in.
	keys   uint64
	cookie string
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
	for _, n := range connections {
		samples := make([][]sample, len(all))
		for round := range rounds + 1 {
			for k := range all {
				i := k
				if round%2 == 1 {
					i = len(all) - 1 - k
				}
				served := app.Served()
				s := measure(t, all[i], n)
				if !all[i].refused {
					require.EqualValues(t, s.Requests, app.Served()-served, "%s: not all came from the upstream", all[i].name)
				}
				if round > 0 {
					samples[i] = append(samples[i], s)
				}
			}
		}
		report(t, title, n, all, samples)
	}
}

func measure(t *testing.T, c contender, connections int) sample {
	t.Helper()
	before := usage(t, c.pid()).cpu
	r, err := Run(context.Background(), c.addr, connections, roundTime, c.request)
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
	return fmt.Appendf(nil, "GET /plain HTTP/1.1\r\nHost: %s\r\nX-Key: k%d\r\nCookie: %s\r\n\r\n", c.addr, n%c.keys, c.cookie)
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

// report prints medians of the rounds, each round compared with the first contender's in the same round.
func report(t *testing.T, title string, connections int, all []contender, samples [][]sample) {
	t.Helper()
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\treq/s\tratio\t(spread)\tCPU a request\tratio\tp50\tadded\tp99\tadded\tmemory\t")
	for i, c := range all {
		value := func(f func(sample) float64) float64 {
			return median(samples[i], func(k int) float64 { return f(samples[i][k]) })
		}
		ratio := func(f func(sample) float64) func(int) float64 {
			return func(k int) float64 { return f(samples[i][k]) / f(samples[0][k]) }
		}
		added := func(f func(sample) float64) float64 {
			return median(samples[i], func(k int) float64 { return f(samples[i][k]) - f(samples[0][k]) })
		}
		low, high := spread(samples[i], ratio(rate))
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f–%.2f\t%.0f µs\t%.2f\t%.0f µs\t%+.0f µs\t%.0f µs\t%+.0f µs\t%.0f MiB\t\n", c.name,
			value(rate), median(samples[i], ratio(rate)), low, high,
			value(cpu), median(samples[i], ratio(cpu)), value(p50), added(p50), value(p99), added(p99), value(mebibytes))
	}
	_ = w.Flush()
	t.Logf("%s: %d connections, %d rounds of %s, %d processors\n%s", title, connections, len(samples[0]), roundTime, runtime.NumCPU(), b.String())
}

func rate(s sample) float64      { return s.Rate() }
func cpu(s sample) float64       { return float64(s.cpu) / 1e3 }
func p50(s sample) float64       { return float64(s.P50) / 1e3 }
func p99(s sample) float64       { return float64(s.P99) / 1e3 }
func mebibytes(s sample) float64 { return float64(s.memory) / (1 << 20) }

func median(samples []sample, f func(int) float64) float64 {
	v := values(samples, f)
	return v[len(v)/2]
}

func spread(samples []sample, f func(int) float64) (low, high float64) {
	v := values(samples, f)
	return v[0], v[len(v)-1]
}

func values(samples []sample, f func(int) float64) []float64 {
	v := make([]float64, len(samples))
	for i := range samples {
		v[i] = f(i)
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
