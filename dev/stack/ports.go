package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Port is a TCP port of 127.0.0.1 that nobody else is given until Release. The server that it is meant for
// binds it while it is held; between a crash and a restart it stays ours, so connections are refused and
// never answered by a stranger.
type Port struct {
	Number  int
	release func()
}

// Addr is "127.0.0.1:<number>".
func (p *Port) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number)) }

// Release gives the port back.
func (p *Port) Release() {
	if p.release != nil {
		p.release()
		p.release = nil
	}
}

// portAttempts is how often a server is started on another port because somebody has taken the one it was to have.
const portAttempts = 5

// onFreePort starts a server on a reserved port, which it then keeps. It tries again when somebody took the port
// between our look and the server's, which can happen where ports cannot be held (see ReservePort).
func onFreePort(ctx context.Context, start func(*Port) error) error {
	for attempt := 1; ; attempt++ {
		port, err := ReservePort()
		if err != nil {
			return err
		}
		if err = start(port); err == nil {
			return nil
		}
		taken := CheckPortFree(ctx, port.Addr()) != nil
		port.Release()
		if !taken || attempt == portAttempts || ctx.Err() != nil {
			return err
		}
	}
}

// PortForTest reserves a free port until the test ends.
func PortForTest(tb testing.TB) *Port {
	tb.Helper()
	port, err := ReservePort()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(port.Release)
	return port
}

// PortTakenError says that something else listens on an address that we need.
type PortTakenError struct {
	Addr string
	// Holder is "redis-server (pid 12)"; empty when it could not be found out.
	Holder string
	PID    int
}

func (e *PortTakenError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("%s is taken by another process: find it with `lsof -nP -iTCP:%s -sTCP:LISTEN` and stop it",
			e.Addr, e.Addr[strings.LastIndexByte(e.Addr, ':')+1:])
	}
	return fmt.Sprintf("%s is taken by %s: stop it with `kill %d`", e.Addr, e.Holder, e.PID)
}

// CheckPortFree returns a *PortTakenError when something listens on addr. Caddy needs this look first: it
// binds with SO_REUSEPORT, and would share the port with a leftover of itself without a word.
func CheckPortFree(ctx context.Context, addr string) error {
	// Go's listener does not set SO_REUSEPORT, so this fails where Caddy would not.
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err == nil {
		return l.Close()
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("check that %s is free: %w", addr, err)
	}
	taken := &PortTakenError{Addr: addr}
	if _, text, err := net.SplitHostPort(addr); err == nil {
		if port, err := strconv.Atoi(text); err == nil {
			taken.Holder, taken.PID = portHolder(port)
		}
	}
	return taken
}
