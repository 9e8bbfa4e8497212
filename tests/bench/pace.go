package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Pace sends rate requests a second to addr for d, each at its own moment whatever became of those before, and
// measures every answer from the moment at which its request was due. So a server that stalls is charged with
// all the requests that should have been sent meanwhile, and not with one.
//
// It has that many keep-alive connections. When all of them wait for an answer, what is due waits for one of
// them, and that counts too.
func Pace(ctx context.Context, addr string, rate, connections int, d time.Duration, request Request, jar *Jar) (Result, error) {
	total := int(d.Seconds() * float64(rate))
	waits := make([]time.Duration, total)
	statuses := make([]int, total)
	errs := make([]error, connections)
	var next atomic.Int64
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			line := pacedLine{addr: addr, jar: jar}
			defer line.close()
			for {
				n := int(next.Add(1)) - 1
				if n >= total || ctx.Err() != nil || errs[i] != nil {
					return
				}
				due := begin.Add(time.Duration(n) * time.Second / time.Duration(rate))
				if ahead := time.Until(due); ahead > 0 {
					time.Sleep(ahead)
				}
				statuses[n], errs[i] = line.ask(ctx, request(uint64(n)))
				waits[n] = time.Since(due)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errors.Join(errs...), ctx.Err()); err != nil {
		return Result{}, err
	}
	r := Result{Requests: total, Elapsed: time.Since(begin), Statuses: map[int]int{}}
	for _, status := range statuses {
		r.Statuses[status]++
	}
	slices.Sort(waits)
	r.P50, r.P99, r.P999, r.Max = waits[total/2], waits[total*99/100], waits[total*999/1000], waits[total-1]
	return r, nil
}

// pacedLine is one connection, dialed again when the server has closed it.
type pacedLine struct {
	addr string
	jar  *Jar
	conn net.Conn
	in   *bufio.Reader
}

func (l *pacedLine) ask(ctx context.Context, request []byte) (status int, err error) {
	if l.conn == nil {
		if l.conn, err = new(net.Dialer).DialContext(ctx, "tcp", l.addr); err != nil {
			return 0, fmt.Errorf("dial %s: %w", l.addr, err)
		}
		l.in = bufio.NewReaderSize(l.conn, 16<<10)
	}
	if _, err = l.conn.Write(request); err != nil {
		return 0, fmt.Errorf("ask %s: %w", l.addr, err)
	}
	status, open, err := readAnswer(l.in, l.jar)
	if err != nil {
		return 0, fmt.Errorf("ask %s: %w", l.addr, err)
	}
	if !open {
		l.close()
	}
	return status, nil
}

func (l *pacedLine) close() {
	if l.conn != nil {
		_ = l.conn.Close()
		l.conn = nil
	}
}
