package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Result is what a client saw in one run.
type Result struct {
	Requests int
	Elapsed  time.Duration
	// Statuses counts the answers by status.
	Statuses map[int]int
	P50, P99 time.Duration
	// P999 and Max are told by Pace alone.
	P999, Max time.Duration
}

// Rate is in requests a second.
func (r Result) Rate() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// Request makes the n-th request of a run, whole, as it goes over the wire.
type Request func(n uint64) []byte

// Run sends requests to addr over that many keep-alive connections for d, one at a time on each, and
// measures every answer. It is written to take little CPU from what it measures: it parses no more of
// an answer than its status, its length and its cookies, which the jar takes. The jar may be nil.
func Run(ctx context.Context, addr string, connections int, d time.Duration, request Request, jar *Jar) (Result, error) {
	var next atomic.Uint64
	results := make([]Result, connections)
	waits := make([][]time.Duration, connections)
	errs := make([]error, connections)
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			results[i].Statuses = map[int]int{}
			errs[i] = drive(ctx, addr, begin.Add(d), jar, func() []byte { return request(next.Add(1)) }, func(status int, wait time.Duration) {
				results[i].Statuses[status]++
				waits[i] = append(waits[i], wait)
			})
		})
	}
	wg.Wait()
	all := slices.Concat(waits...)
	total := Result{Requests: len(all), Elapsed: time.Since(begin), Statuses: map[int]int{}}
	for _, r := range results {
		for status, n := range r.Statuses {
			total.Statuses[status] += n
		}
	}
	if len(all) > 0 {
		slices.Sort(all)
		total.P50, total.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return total, errors.Join(errs...)
}

// drive is one connection. An edge closes them now and then; then it dials again.
func drive(ctx context.Context, addr string, until time.Time, jar *Jar, request func() []byte, got func(int, time.Duration)) error {
	for time.Now().Before(until) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("dial %s: %w", addr, err)
		}
		in := bufio.NewReaderSize(conn, 16<<10)
		for open := true; open && time.Now().Before(until); {
			sent := time.Now()
			if _, err = conn.Write(request()); err == nil {
				var status int
				status, open, err = readAnswer(in, jar)
				if err == nil {
					got(status, time.Since(sent))
				}
			}
			if err != nil {
				_ = conn.Close()
				return fmt.Errorf("ask %s: %w", addr, err)
			}
		}
		_ = conn.Close()
	}
	return nil
}

// readAnswer reads one response whose length is given, as those of an edge with a small upstream are.
func readAnswer(in *bufio.Reader, jar *Jar) (status int, open bool, err error) {
	length, chunked := 0, false
	open = true
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		switch {
		case first:
			if len(line) < 12 {
				return 0, false, fmt.Errorf("status line %q", line)
			}
			if status, err = strconv.Atoi(string(line[9:12])); err != nil {
				return 0, false, fmt.Errorf("status line %q: %w", line, err)
			}
		case len(line) == 0:
			if chunked {
				return status, false, errors.New("the answer is chunked: the client reads only those with a length")
			}
			_, err := io.CopyN(io.Discard, in, int64(length))
			return status, open, err
		default:
			name, value, _ := bytes.Cut(line, []byte(":"))
			value = bytes.TrimSpace(value)
			switch {
			case bytes.EqualFold(name, []byte("Content-Length")):
				if length, err = strconv.Atoi(string(value)); err != nil {
					return 0, false, fmt.Errorf("content length %q: %w", value, err)
				}
			case bytes.EqualFold(name, []byte("Set-Cookie")):
				jar.Take(value)
			case bytes.EqualFold(name, []byte("Transfer-Encoding")):
				chunked = true
			case bytes.EqualFold(name, []byte("Connection")):
				open = !bytes.EqualFold(value, []byte("close"))
			}
		}
	}
}
