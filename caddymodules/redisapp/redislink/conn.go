package redislink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// conn is a rueidis client together with the connection it lives for. When the connection is lost the client is
// not mended: rueidis would dial again on the path of a request, and those who wait for that dial ignore their
// deadlines. The supervisor builds the next connection in the background instead.
//
// Only a Cluster's client may dial after it was built; see cluster.go.
type conn struct {
	client   rueidis.Client
	inflight inflight
	// addr is where the connection leads; empty in Cluster.
	addr string
	// cluster says that calls must be watched from outside, see Link.send.
	cluster bool
	// stirred gets a token when a Cluster's connection broke: a reason to probe now.
	stirred chan struct{}

	loaded int // scripts sent to this connection; the supervisor's

	dead    chan struct{} // closed when the connection has ended
	endOnce sync.Once
	cause   error

	mu    sync.Mutex
	conns []*watchedConn
	ended bool
}

// end ends the connection: it closes its sockets, and every waiting call fails.
func (f *conn) end(cause error) {
	f.endOnce.Do(func() {
		f.cause = cause
		close(f.dead)
	})
	f.mu.Lock()
	f.ended = true
	conns := f.conns
	f.conns = nil
	f.mu.Unlock()
	for _, c := range conns {
		_ = c.Conn.Close()
	}
}

// close ends the connection and closes the client.
func (f *conn) close(cause error) {
	f.end(cause)
	if f.client != nil {
		f.client.Close()
	}
}

// adopt registers a socket that is closed with the connection.
func (f *conn) adopt(c *watchedConn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended {
		return errSecondDial
	}
	f.conns = append(f.conns, c)
	return nil
}

func (f *conn) disown(c *watchedConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.conns {
		if f.conns[i] == c {
			f.conns = append(f.conns[:i], f.conns[i+1:]...)
			return
		}
	}
}

// lost is told by a connection that broke or was closed by rueidis.
func (f *conn) lost(c *watchedConn, err error) {
	f.disown(c)
	if !f.cluster {
		f.end(err)
		return
	}
	select {
	case f.stirred <- struct{}{}:
	default:
	}
}

// watchedConn reports at once that the socket was closed, by either side.
type watchedConn struct {
	net.Conn
	conn *conn
	once sync.Once
}

func (c *watchedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.look(err)
	return n, err
}

func (c *watchedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.look(err)
	return n, err
}

// Close is rueidis giving up on the connection.
func (c *watchedConn) Close() error {
	err := c.Conn.Close()
	c.look(net.ErrClosed)
	return err
}

// look ignores deadlines: rueidis sets them while it greets, and says so itself.
func (c *watchedConn) look(err error) {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	c.once.Do(func() { c.conn.lost(c, err) })
}

// openLife connects to one server. It returns when the connection is greeted and signed in, or not later than
// about greetTimeout.
func openLife(ctx context.Context, addr string, opt rueidis.ClientOption, secure *tls.Config) (*conn, error) {
	f := &conn{addr: addr, dead: make(chan struct{})}
	var dialled atomic.Bool
	opt.InitAddress = []string{addr}
	opt.ForceSingleClient = true
	// A negative interval turns rueidis's own ping off: the supervisor pings more often.
	opt.Dialer.KeepAlive = -1
	opt.DialCtxFn = func(_ context.Context, dst string, _ *net.Dialer, _ *tls.Config) (net.Conn, error) {
		if !dialled.CompareAndSwap(false, true) {
			return nil, errSecondDial
		}
		return f.dial(ctx, dst, secure)
	}
	if err := f.build(ctx, opt); err != nil {
		return nil, err
	}
	return f, nil
}

// build makes the client. Its greeting heeds ctx only by losing its connection.
func (f *conn) build(ctx context.Context, opt rueidis.ClientOption) error {
	stop := context.AfterFunc(ctx, func() { f.end(context.Cause(ctx)) })
	defer stop()
	client, err := rueidis.NewClient(opt)
	f.client = client
	if err != nil {
		f.close(err)
	}
	return err
}

// dial connects, and encrypts where asked.
func (f *conn) dial(ctx context.Context, addr string, secure *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, greetTimeout)
	defer cancel()
	raw, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, networkOf(addr), addr)
	if err != nil {
		return nil, err
	}
	conn := &watchedConn{Conn: raw, conn: f}
	if err := f.adopt(conn); err != nil {
		_ = raw.Close()
		return nil, err
	}
	if secure == nil {
		return conn, nil
	}
	encrypted := tls.Client(conn, withServerName(secure, addr))
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("tls: %w", err)
	}
	return encrypted, nil
}

func networkOf(addr string) string {
	if strings.HasPrefix(addr, "/") {
		return "unix"
	}
	return "tcp"
}

func withServerName(secure *tls.Config, addr string) *tls.Config {
	if secure.ServerName != "" || secure.InsecureSkipVerify {
		return secure
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = "localhost" // a unix socket
	}
	secure = secure.Clone()
	secure.ServerName = host
	return secure
}

// signIn puts the credentials of this moment into the options.
func (o Options) signIn(opt *rueidis.ClientOption) error {
	opt.Username, opt.Password = o.Username, o.Password
	if o.PasswordFile == "" {
		return nil
	}
	text, err := os.ReadFile(o.PasswordFile)
	if err != nil {
		return fmt.Errorf("password: %w", err)
	}
	opt.Password = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	return nil
}

// after is a timer that ctx can end.
func after(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
