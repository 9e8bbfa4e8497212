package migrate

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pressly/goose/v3/lock"
)

// The advisory locks of this product in a database: one for the whole of a run, so that nobody migrates back what
// somebody is migrating up, and one for a step, which holds even when the session with the first was lost.
const (
	runLock  int64 = 0x67617465_01
	stepLock int64 = 0x67617465_02
)

// locker prepares goose's session for one step: the lock, how long it may wait for others, and what the step asks for.
type locker struct {
	timeout time.Duration                          // lock_timeout of the step; 0 waits as long as it takes
	prepare func(context.Context, *sql.Conn) error // nil: nothing to prepare
}

// SessionLock waits for other migrators.
func (l *locker) SessionLock(ctx context.Context, conn *sql.Conn) error {
	if err := takeLock(ctx, conn, stepLock); err != nil {
		return err
	}
	_, err := conn.ExecContext(ctx, "SELECT set_config('lock_timeout', $1, false)", fmt.Sprintf("%dms", l.timeout.Milliseconds()))
	if err == nil && l.prepare != nil {
		err = l.prepare(ctx, conn)
	}
	if err != nil {
		return fmt.Errorf("prepare the step: %w", releasing(ctx, conn, err))
	}
	return nil
}

// SessionUnlock lets the next step, or migrator, begin.
func (l *locker) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", stepLock); err != nil {
		return fmt.Errorf("give the migrations' lock back: %w", err)
	}
	return nil
}

// releasing gives the step's lock back after an error, which matters more than another.
func releasing(ctx context.Context, conn *sql.Conn, err error) error {
	_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", stepLock)
	return err
}

// takeLock asks again and again instead of waiting in a statement: CREATE INDEX CONCURRENTLY waits for all statements
// that began before it, and would wait for the one that waits for it.
func takeLock(ctx context.Context, conn *sql.Conn, key int64) error {
	for try := 0; ; try++ {
		var taken bool
		if err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&taken); err != nil {
			return fmt.Errorf("take the migrations' lock: %w", err)
		}
		if taken {
			return nil
		}
		if err := backOff(ctx, min(try, 3)); err != nil {
			return fmt.Errorf("another migration is running: %w", err)
		}
	}
}

var _ lock.SessionLocker = (*locker)(nil)
