package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/pressly/goose/v3"
)

// Up applies what is missing, step by step. It can be killed at any moment and be called again.
func (m *Migrator) Up(ctx context.Context) error {
	return m.alone(ctx, func() error {
		applied, err := m.applied(ctx)
		if err != nil {
			return err
		}
		if err := m.ready(ctx, applied); err != nil {
			return err
		}
		if err := m.settle(ctx, applied, true); err != nil {
			return err
		}
		count := 0
		for _, s := range m.steps {
			if applied[s.version] {
				continue
			}
			if s.version == rowLevelSecurity {
				// Before it, so that the old app is not blind for a moment.
				if err := m.installOldRole(ctx); err != nil {
					return err
				}
			}
			if err := m.apply(ctx, s, true); err != nil {
				return err
			}
			count++
		}
		if count == 0 {
			m.printf("nothing to do: the database is at version %d", m.latest())
		}
		if applied[rowLevelSecurity] {
			if err := m.installOldRole(ctx); err != nil {
				return err
			}
		}
		if err := m.refresh(ctx); err != nil {
			return err
		}
		return m.partitions(ctx)
	})
}

// settle ends what a kill has left half done. Steps with a transaction leave nothing; of the others one at most can be
// in between: the newest applied one, when it was being undone, or the one after it, when it was being done. All of
// them pass over what they find done, or undone.
func (m *Migrator) settle(ctx context.Context, applied map[int64]bool, up bool) error {
	last := -1
	for n, s := range m.steps {
		if applied[s.version] {
			last = n
		}
	}
	between := last
	if !up {
		between++
	}
	if last < 0 || between == len(m.steps) || m.steps[between].transaction {
		return nil
	}
	s := m.steps[between]
	return m.patiently(ctx, "settle "+s.file, func() error { return m.try(ctx, m.unversioned, s, up) })
}

// alone runs do while nobody else migrates this database.
func (m *Migrator) alone(ctx context.Context, do func() error) error {
	conn, err := m.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close() //nolint:errcheck // The session ends with it, and so does its lock.
	if err := takeLock(ctx, conn, runLock); err != nil {
		return err
	}
	defer func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", runLock)
	}()
	return do()
}

// apply runs one step up or down, again when it had to give way to somebody.
func (m *Migrator) apply(ctx context.Context, s step, up bool) error {
	what := direction(up) + " " + s.file
	err := m.patiently(ctx, what, func() error {
		err := m.try(ctx, m.goose, s, up)
		if errors.Is(err, goose.ErrAlreadyApplied) || errors.Is(err, goose.ErrNotApplied) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	m.printf("%-4s %s", direction(up), s.file)
	return nil
}

// patiently does something again as long as it has to give way.
func (m *Migrator) patiently(ctx context.Context, what string, do func() error) error {
	begun := time.Now()
	for try := 0; ; try++ {
		err := do()
		switch {
		case err == nil:
			return nil
		case !gaveWay(err):
			return fmt.Errorf("%s: %w", what, err)
		case time.Since(begun) > m.opts.Patience:
			return fmt.Errorf("%s: gave way to other sessions for %s; look for a long transaction in pg_stat_activity, then run it again: %w",
				what, m.opts.Patience, err)
		}
		if try == 0 {
			m.printf("wait %s: a table is busy, trying again until it is not", what)
		}
		if err := m.pause(ctx, try); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// try runs one step once, with what it needs before and after.
func (m *Migrator) try(ctx context.Context, provider *goose.Provider, s step, up bool) error {
	m.locks.timeout, m.locks.prepare = m.opts.LockTimeout, nil
	if s.index != nil {
		// Building and dropping concurrently lets readers and writers pass, so it may wait for them.
		m.locks.timeout = 0
		if up {
			m.locks.prepare = func(ctx context.Context, conn *sql.Conn) error { return s.index.prepare(ctx, conn) }
		}
	}
	_, err := provider.ApplyVersion(ctx, s.version, up)
	if s.index != nil && up {
		return s.index.judge(ctx, m.db, err)
	}
	return err
}

func direction(up bool) string {
	if up {
		return "up"
	}
	return "down"
}

// gaveWay tells that a step failed for no fault of its own: a lock that came too late, or a deadlock.
func gaveWay(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "55P03" || pg.Code == "40P01" || pg.Code == "40001"
}

// refresh writes the guards and audit functions again of tables whose columns are not those that they were written for.
func (m *Migrator) refresh(ctx context.Context) error {
	tables, err := m.strings(ctx, `SELECT t FROM unnest(gatehouse.trashable()) t
		WHERE obj_description(to_regproc('gatehouse.' || t || '_audit_update'), 'pg_proc') IS DISTINCT FROM gatehouse.columns(t)`)
	if err != nil {
		return err
	}
	for _, table := range tables {
		err := m.patiently(ctx, "the triggers of "+table, func() error {
			return m.briefly(ctx, "SELECT gatehouse.install_guard($1), gatehouse.install_audit($1)", table)
		})
		if err != nil {
			return err
		}
		m.printf("up   the triggers of %s, whose columns have changed", table)
	}
	return nil
}

// partitions sees to the months to come each time, since months go by without migrations.
func (m *Migrator) partitions(ctx context.Context) error {
	err := m.patiently(ctx, "the audit trail's next months", func() error {
		return m.briefly(ctx, "SELECT gatehouse.prepare_audit_partitions()")
	})
	if err != nil {
		return err
	}
	var strays int64
	if err := m.db.QueryRowContext(ctx, "SELECT count(*) FROM public.audit_events_default").Scan(&strays); err != nil {
		return fmt.Errorf("count the audit events without a month: %w", err)
	}
	if strays > 0 {
		m.printf("warning: %d audit events are in audit_events_default, since their months had no partition", strays)
	}
	return nil
}
