package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// attempts is how often a transaction runs that PostgreSQL ends by a deadlock or a serialisation failure.
const attempts = 3

// outside is the status of a connection on which no transaction is open.
const outside = 'I'

// rollbackTimeout bounds the end of a transaction whose own time is over.
const rollbackTimeout = 2 * time.Second

// Do runs f in one transaction that sees the organization of the request alone, and commits when f
// returns nil. The membership is looked up in the same transaction. A deadlock or a serialisation failure
// runs f again, three times in all.
//
// It returns f's error as it is, or what is told by the errors of this package and by
// softdelete.ErrNotFound; ErrUnavailable also when the connection broke at the commit, so that nobody
// knows whether it happened.
func (s *Store) Do(ctx context.Context, r Request, f func(context.Context, *softdelete.Tx) error) error {
	return s.run(ctx, r, "", f)
}

// Read is Do for a transaction that may not write. All that it reads is of one moment.
func (s *Store) Read(ctx context.Context, r Request, f func(context.Context, *softdelete.Tx) error) error {
	return s.run(ctx, r, " isolation level repeatable read", f)
}

func (s *Store) run(ctx context.Context, r Request, mode string, f func(context.Context, *softdelete.Tx) error) error {
	if err := r.possible(); err != nil {
		return err
	}
	return s.transact(ctx, r, mode, func(ctx context.Context, conn bun.Conn, e entry) error {
		scope, err := e.scope(r)
		if err != nil {
			return keep{err}
		}
		return f(ctx, softdelete.NewTx(conn, scope))
	})
}

// keep is an error with which a transaction commits: an identity that was linked to its person on the way
// stays linked when the person may not go on.
type keep struct{ error }

// transact runs f in a transaction that has entered for the request, and ends it.
func (s *Store) transact(ctx context.Context, r Request, mode string, f func(context.Context, bun.Conn, entry) error) error {
	if !s.checked.Load() {
		return fmt.Errorf("%w: it has not been checked yet", ErrUnavailable)
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := s.once(ctx, r, mode, f)
		state := retryable(err)
		if state == "" {
			return unavailable(ctx, err)
		}
		if attempt == attempts {
			return fmt.Errorf("%w: %d attempts: %w", ErrUnavailable, attempts, err)
		}
		s.options.Retried(state)
		if err := wait(ctx, attempt); err != nil {
			return unavailable(ctx, err)
		}
	}
}

func (s *Store) once(ctx context.Context, r Request, mode string, f func(context.Context, bun.Conn, entry) error) error {
	conn, e, err := s.enter(ctx, r, mode)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it goes back to the pool
	committed := false
	defer func() { // also when f panics, which goes on from here
		if !committed {
			rollback(ctx, conn)
		}
	}()
	var kept keep
	if err := f(ctx, conn, e); err != nil && !errors.As(err, &kept) {
		return err
	}
	if err := commit(ctx, conn); err != nil {
		return err
	}
	committed = true
	return kept.error
}

// enter takes a connection, begins a transaction on it and enters, in one round trip. A connection that
// had died in the pool was of no use to anybody, and another one is taken.
func (s *Store) enter(ctx context.Context, r Request, mode string) (bun.Conn, entry, error) {
	for range s.options.MaxConns + 1 {
		conn, err := s.conn(ctx)
		if err != nil {
			return bun.Conn{}, entry{}, fmt.Errorf("connect to the database: %w", err)
		}
		e, err := begin(ctx, conn, r, mode)
		if err == nil {
			return conn, e, nil
		}
		rollback(ctx, conn)
		_ = conn.Close() // dropped by rollback, or given back
		if !dead(err) || ctx.Err() != nil {
			return bun.Conn{}, entry{}, err
		}
	}
	return bun.Conn{}, entry{}, errLost
}

// conn waits for a connection for no longer than it would take to make one.
func (s *Store) conn(ctx context.Context) (bun.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	return s.db.Conn(ctx)
}

func begin(ctx context.Context, conn bun.Conn, r Request, mode string) (e entry, err error) {
	batch := &pgx.Batch{}
	batch.Queue("begin" + mode)
	batch.Queue(enterQuery, r.Issuer, r.Subject, optional(r.Email), r.Organization, r.RequestID).QueryRow(e.read)
	if mode != "" {
		batch.Queue("set transaction read only") // only now: entering may have linked an identity
	}
	err = raw(conn, func(c *pgx.Conn) error { return c.SendBatch(ctx, batch).Close() })
	if err != nil {
		return entry{}, fmt.Errorf("begin a transaction: %w", err)
	}
	return e, nil
}

// commit asks PostgreSQL what it has done: a transaction of which a statement had failed is rolled back
// by a COMMIT that reports success.
func commit(ctx context.Context, conn bun.Conn) error {
	return raw(conn, func(c *pgx.Conn) error {
		tag, err := c.Exec(ctx, "commit")
		if err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		if tag.String() != "COMMIT" {
			return errors.New("commit: a statement had failed, and nothing was written")
		}
		return nil
	})
}

// rollback ends a transaction that failed, whatever has become of ctx. A connection on which that does not
// work is closed: the next request must not find itself in this one.
func rollback(ctx context.Context, conn bun.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
	defer cancel()
	_ = raw(conn, func(c *pgx.Conn) error { // driver.ErrBadConn drops it, and nothing else is to be told
		if c.PgConn().TxStatus() == outside && !c.IsClosed() {
			return nil
		}
		if _, err := c.Exec(ctx, "rollback"); err != nil {
			return driver.ErrBadConn
		}
		return nil
	})
}

// raw reaches the connection below Bun and database/sql.
func raw(conn bun.Conn, f func(*pgx.Conn) error) error {
	return conn.Raw(func(driver any) error {
		c, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the connection is a %T, and none of pgx", driver)
		}
		return f(c.Conn())
	})
}

// wait lets those go first with whom we collided: up to 10 ms, then up to 40 ms.
func wait(ctx context.Context, attempt int) error {
	longest := 10 * time.Millisecond << (2 * (attempt - 1))
	timer := time.NewTimer(rand.N(longest)) //nolint:gosec // who waits longer is nobody's secret
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func optional(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
