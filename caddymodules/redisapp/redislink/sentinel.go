package redislink

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/redis/rueidis"
)

// sentinels finds the primary. rueidis has a client for Sentinel, but it switches connections under its user:
// here every new connection must be asked what it still knows before it is used, and none may be dialled while
// a request waits. So the supervisor asks the sentinels itself, and a primary is connected to like any server.
type sentinels struct {
	opts Options
	conn *conn // to the sentinel that answered last
	next int   // index of the address to try next
}

// followEvery is how often a sentinel is asked whether the primary has moved. A primary that is demoted cuts
// its clients off; this finds one that was left alone on the wrong side of a split network.
const followEvery = time.Second

// primary asks the sentinel that answered last, or else the others in turn.
func (s *sentinels) primary(ctx context.Context) (addr string, err error) {
	for range len(s.opts.Addresses) + 1 {
		if s.conn == nil {
			sentinel := s.opts.Addresses[s.next%len(s.opts.Addresses)]
			s.next++
			if s.conn, err = s.connect(ctx, sentinel); err != nil {
				err = fmt.Errorf("sentinel %s: %w", sentinel, err)
				if ctx.Err() != nil {
					return "", err
				}
				continue
			}
		}
		if addr, err = s.ask(ctx); err == nil {
			return addr, nil
		}
		err = fmt.Errorf("sentinel %s: %w", s.conn.addr, err)
		s.close()
	}
	return "", err
}

// connect tries without credentials first: most sentinels know no users and refuse any.
func (s *sentinels) connect(ctx context.Context, addr string) (*conn, error) {
	opt := s.opts.clientOption("sentinel", Settings{})
	opt.SelectDB = 0
	opt.RingScaleEachConn = 8
	opt.InitAddress = nil
	f, err := openLife(ctx, addr, opt, s.opts.TLS)
	if code(err) != "NOAUTH" {
		return f, err
	}
	if err := s.opts.signIn(&opt); err != nil {
		return nil, err
	}
	return openLife(ctx, addr, opt, s.opts.TLS)
}

func (s *sentinels) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	client := s.conn.client
	parts, err := client.Do(ctx, client.B().SentinelGetMasterAddrByName().Master(s.opts.Sentinel).Build()).AsStrSlice()
	switch {
	case rueidis.IsRedisNil(err):
		return "", fmt.Errorf("it knows no primary named %q", s.opts.Sentinel)
	case err != nil:
		return "", err
	case len(parts) != 2:
		return "", fmt.Errorf("it told %d parts of an address", len(parts))
	}
	return net.JoinHostPort(parts[0], parts[1]), nil
}

// follow ends the connection when another server becomes the primary. It returns then, or when ctx ends.
func (s *sentinels) follow(ctx context.Context, f *conn) {
	for after(ctx, followEvery) == nil {
		if addr, err := s.primary(ctx); err == nil && addr != f.addr {
			f.end(fmt.Errorf("the primary is now %s", addr))
			return
		}
	}
}

func (s *sentinels) close() {
	if s.conn != nil {
		s.conn.close(errLinkClosed)
		s.conn = nil
	}
}
