package stack

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo answers with what it is sent.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.Close()
			}()
		}
	}()
	return l.Addr().String()
}

func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

// hear waits for what the server has answered.
func hear(t *testing.T, c net.Conn, want string) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(30*time.Second)))
	got := make([]byte, len(want))
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// silent tells whether nothing comes for a while, not even the end.
func silent(t *testing.T, c net.Conn, d time.Duration) bool {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(d)))
	_, err := c.Read(make([]byte, 1))
	return timedOut(err)
}

// While packets are lost a connection is dead and does not know it; then all arrives, in order, and once.
func TestWire_drop(t *testing.T) {
	w := WireForTest(t, echo(t))
	c, err := net.Dial("tcp", w.Addr())
	require.NoError(t, err)
	defer c.Close()
	say(t, c, "before ")
	hear(t, c, "before ")

	require.NoError(t, w.Drop())
	require.NoError(t, w.Drop(), "twice is once")
	say(t, c, "meanwhile ")
	require.True(t, silent(t, c, 300*time.Millisecond))
	if runtime.GOOS == "linux" {
		require.Positive(t, unacknowledged(t, c), "a hung server's kernel would have acknowledged it")
		_, err = net.DialTimeout("tcp", w.Addr(), 300*time.Millisecond)
		require.True(t, timedOut(err), "a new connection hangs before it is made: %v", err)
	}

	require.NoError(t, w.Restore())
	say(t, c, "after")
	hear(t, c, "meanwhile after")
	again, err := net.Dial("tcp", w.Addr())
	require.NoError(t, err)
	defer again.Close()
	say(t, again, "hello")
	hear(t, again, "hello")
}

// Neither end hears that the other has closed while packets are lost.
func TestWire_endsUnheard(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	w := WireForTest(t, l.Addr().String())
	near, err := net.Dial("tcp", w.Addr())
	require.NoError(t, err)
	defer near.Close()
	far, err := l.Accept()
	require.NoError(t, err)
	say(t, far, strings.Repeat("x", 10))
	hear(t, near, strings.Repeat("x", 10))

	require.NoError(t, w.Drop())
	require.NoError(t, far.Close())
	require.True(t, silent(t, near, 300*time.Millisecond))
	require.NoError(t, w.Restore())
	require.NoError(t, near.SetReadDeadline(time.Now().Add(30*time.Second)))
	_, err = near.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
}

// A server that is gone resets, and a wire that is closed leaves nobody waiting.
func TestWire_nobodyThere(t *testing.T) {
	port := PortForTest(t)
	w := WireForTest(t, port.Addr())
	c, err := net.Dial("tcp", w.Addr())
	if err == nil {
		require.NoError(t, c.SetReadDeadline(time.Now().Add(30*time.Second)))
		_, err = c.Read(make([]byte, 1))
		c.Close()
	}
	require.Error(t, err)
	require.NoError(t, w.Drop())
	w.Close()
	require.NoError(t, w.Drop(), "after the end")
}

func timedOut(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
