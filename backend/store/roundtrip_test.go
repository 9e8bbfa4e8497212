package store_test

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// turns stands between a client and PostgreSQL, and counts how often the client speaks after the server has: the
// round trips.
type turns struct {
	addr  string
	count atomic.Int64
	asked atomic.Bool // whether the client spoke last
}

func newTurns(t testing.TB, to string) *turns {
	t.Helper()
	front, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = front.Close() })
	p := &turns{addr: front.Addr().String()}
	go func() {
		for {
			client, err := front.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to)
			if err != nil {
				_ = client.Close()
				return
			}
			go p.pass(client, server, true)
			go p.pass(server, client, false)
		}
	}()
	return p
}

func (p *turns) pass(from, to net.Conn, asks bool) {
	defer to.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if asks && n > 0 && p.asked.CompareAndSwap(false, true) {
			p.count.Add(1)
		} else if !asks && n > 0 {
			p.asked.Store(false)
		}
		if _, bad := to.Write(buffer[:n]); err != nil || bad != nil {
			return
		}
	}
}

// Beginning, entering and telling the transaction who acts are one round trip; the commit is another.
func TestDo_costsTwoRoundTrips(t *testing.T) {
	d := database(t)
	p := newTurns(t, d.Postgres().Addr())
	dsn, err := url.Parse(d.DSN(stack.AppLogin))
	require.NoError(t, err)
	dsn.Host = p.addr
	s, err := store.Open(t.Context(), store.Options{DSN: dsn.String(), CursorKey: key, MaxConns: 1})
	require.NoError(t, err)
	defer s.Close()
	for name, do := range map[string]func(context.Context, store.Request, func(context.Context, *softdelete.Tx) error) error{"Do": s.Do, "Read": s.Read} {
		for queries := range 3 {
			require.NoError(t, do(t.Context(), from("ann", ""), func(context.Context, *softdelete.Tx) error { return nil }), "once, for the identity")
			before := p.count.Load()
			require.NoError(t, do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
				for range queries {
					if err := sees("c1")(ctx, tx); err != nil {
						return err
					}
				}
				return nil
			}))
			require.Equal(t, int64(2+queries), p.count.Load()-before, "%s with %d queries", name, queries)
		}
	}
}

// BenchmarkDo is what a transaction costs that does nothing, and one that PostgreSQL alone would do.
func BenchmarkDo(b *testing.B) {
	s := open(b, database(b), store.Options{MaxConns: 1})
	nothing := func(context.Context, *softdelete.Tx) error { return nil }
	require.NoError(b, s.Do(b.Context(), from("ann", ""), nothing))
	b.Run("Do", func(b *testing.B) {
		for b.Loop() {
			if err := s.Do(b.Context(), from("ann", "o1"), nothing); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("Read", func(b *testing.B) {
		for b.Loop() {
			if err := s.Read(b.Context(), from("ann", "o1"), nothing); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare transaction", func(b *testing.B) {
		for b.Loop() {
			tx, err := s.DB().BeginTx(b.Context(), nil)
			if err == nil {
				err = tx.Commit()
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

var _ io.Closer = (*store.Store)(nil)
