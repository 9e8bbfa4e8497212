package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Wire is a TCP path to a server that can lose every packet, as a pulled cable or a firewall does, and as neither a
// killed server (its kernel refuses) nor a hung one (its kernel acknowledges) can show. It is a relay: who is to be
// cut off connects to Addr.
//
// On Linux Drop has the kernel throw away what arrives at the relay's sockets, before TCP sees it, which needs no
// rights: what was sent is not acknowledged and is sent again, new connections hang before they are made, and what
// either end closes the other does not hear of. Elsewhere the relay only stops reading and accepting: packets are
// acknowledged, and a connection is made and hangs.
type Wire struct {
	to       string
	listener *net.TCPListener

	mu      sync.Mutex
	intact  chan struct{} // closed while packets pass
	conns   map[*net.TCPConn]bool
	closed  bool
	running sync.WaitGroup
}

// wireDial is how long the relay waits for the server, which is on this machine: a full backlog is all that holds it up.
const wireDial = 5 * time.Second

// StartWire opens a path to the server at address to.
func StartWire(ctx context.Context, to string) (*Wire, error) {
	lc := net.ListenConfig{KeepAlive: -1} // a probe would get through
	lc.SetMultipathTCP(false)             // the default where there is one, and nothing to put a filter on
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a wire to %s: %w", to, err)
	}
	w := &Wire{to: to, listener: l.(*net.TCPListener), intact: make(chan struct{}), conns: map[*net.TCPConn]bool{}}
	close(w.intact)
	w.running.Go(w.accept)
	return w, nil
}

// WireForTest starts a path that ends with the test.
func WireForTest(tb testing.TB, to string) *Wire {
	tb.Helper()
	w, err := StartWire(tb.Context(), to)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(w.Close)
	return w
}

// Addr is where the path begins: "127.0.0.1:<port>".
func (w *Wire) Addr() string { return w.listener.Addr().String() }

// Drop loses all packets from now on.
func (w *Wire) Drop() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || w.dropping() {
		return nil
	}
	w.intact = make(chan struct{})
	errs := []error{dropArriving(w.listener)}
	for c := range w.conns {
		if err := dropArriving(c); !errors.Is(err, net.ErrClosed) { // it has just ended
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Restore lets packets pass again. What the ends have sent meanwhile and still send again arrives now.
func (w *Wire) Restore() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.dropping() {
		return nil
	}
	errs := []error{passArriving(w.listener)}
	for c := range w.conns {
		if err := passArriving(c); !errors.Is(err, net.ErrClosed) { // it has just ended
			errs = append(errs, err)
		}
	}
	close(w.intact)
	return errors.Join(errs...)
}

// Close ends the path and all connections through it.
func (w *Wire) Close() {
	_ = w.Restore() // or goroutines would wait for it
	w.mu.Lock()
	w.closed = true
	_ = w.listener.Close()
	for c := range w.conns {
		_ = c.Close()
	}
	w.mu.Unlock()
	w.running.Wait()
}

// dropping tells whether packets are lost. The caller holds mu.
func (w *Wire) dropping() bool {
	select {
	case <-w.intact:
		return false
	default:
		return true
	}
}

// pass returns when packets pass.
func (w *Wire) pass() {
	w.mu.Lock()
	intact := w.intact
	w.mu.Unlock()
	<-intact
}

func (w *Wire) accept() {
	for {
		near, err := w.listener.AcceptTCP()
		if err != nil || !w.add(near) {
			return // closed
		}
		w.running.Go(func() {
			w.relay(near)
			w.pass() // or this end would hear that the other one has closed
			_ = near.Close()
			w.mu.Lock()
			delete(w.conns, near)
			w.mu.Unlock()
		})
	}
}

// add takes charge of a connection. One that was made in the moment of a Drop is cut like the others.
func (w *Wire) add(c *net.TCPConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		_ = c.Close()
		return false
	}
	w.conns[c] = true
	if w.dropping() {
		_ = dropArriving(c) // it fails for one that is gone
	}
	return true
}

func (w *Wire) relay(near *net.TCPConn) {
	w.pass()
	far, err := (&net.Dialer{Timeout: wireDial}).DialContext(context.Background(), "tcp", w.to)
	if err != nil {
		_ = near.SetLinger(0) // a reset is as near as a relay comes to "refused"
		return
	}
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		w.carry(near, far)
		w.pass()
		_ = near.Close()
	}()
	w.carry(far, near)
	_ = far.Close()
	<-answers
}

// carry copies until either end closes. While packets are lost nothing is handed on, in either direction.
func (w *Wire) carry(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.pass()
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
