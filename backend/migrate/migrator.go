package migrate

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/gatehouse-proxy/gatehouse/migrations"
)

// versionTable records what has been applied. It is not goose's usual name, which the app may use itself.
const versionTable = "gatehouse_migrations"

// Options say how a migrator behaves. The zero value is what operators want.
type Options struct {
	// Output is told what happens, a line each. Default: nobody.
	Output io.Writer
	// LockTimeout is how long a step waits for a lock on a table before it gives way; whoever comes behind it in the
	// queue waits no longer than that. Default: 40ms.
	LockTimeout time.Duration
	// Patience is how long a step that had to give way is tried again. Default: 15m.
	Patience time.Duration
	// OldRole is the login of the old app, which is to work on beside the backend. Up installs its view of the tables.
	OldRole string
	// Blind are roles with rights on the tables that are to see no rows any more. Up stops at others.
	Blind []string
	// Files are the migrations. Default: those of this module.
	Files fs.FS
}

// Migrator migrates one database. Use it from one goroutine.
type Migrator struct {
	db    *sql.DB
	opts  Options
	steps []step
	goose *goose.Provider
	// unversioned runs a step and records nothing.
	unversioned *goose.Provider
	locks       *locker
	// pause waits between two tries of a step, a little longer and never quite as long as before.
	pause func(ctx context.Context, try int) error
}

// Open connects as the role that owns the tables. The caller closes.
func Open(ctx context.Context, dsn string, opts Options) (*Migrator, error) {
	opts.Output = cmp.Or[io.Writer](opts.Output, io.Discard)
	opts.LockTimeout = cmp.Or(opts.LockTimeout, 40*time.Millisecond)
	opts.Patience = cmp.Or(opts.Patience, 15*time.Minute)
	if opts.Files == nil {
		opts.Files = migrations.FS
	}
	steps, err := readSteps(opts.Files)
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("DATABASE_ADMIN_URL: %w", err)
	}
	// What a role or a database sets for its sessions is not meant for these.
	maps.Copy(config.RuntimeParams, map[string]string{
		"application_name": "gatehouse migrate", "search_path": "public", "timezone": "UTC", "statement_timeout": "0",
		"idle_in_transaction_session_timeout": "0", "default_transaction_isolation": "read committed",
		"default_transaction_read_only": "off", "client_min_messages": "warning",
	})
	m := &Migrator{db: stdlib.OpenDB(*config), opts: opts, steps: steps, locks: &locker{}, pause: backOff}
	if err := m.db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("connect to the database of DATABASE_ADMIN_URL: %w", closing(m, err))
	}
	for provider, unversioned := range map[**goose.Provider]bool{&m.goose: false, &m.unversioned: true} {
		*provider, err = goose.NewProvider(goose.DialectPostgres, m.db, opts.Files, goose.WithTableName(versionTable),
			goose.WithSessionLocker(m.locks), goose.WithDisableGlobalRegistry(true), goose.WithDisableVersioning(unversioned))
		if err != nil {
			return nil, closing(m, err)
		}
	}
	return m, nil
}

// Close disconnects.
func (m *Migrator) Close() error { return m.db.Close() }

// closing disconnects after an error, which matters more than that of disconnecting.
func closing(m *Migrator, err error) error {
	_ = m.Close()
	return err
}

// printf tells the operator. That nobody listens is no reason to stop half-way.
func (m *Migrator) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(m.opts.Output, format+"\n", args...)
}

// backOff doubles from 50 ms to 2 s and takes a random half off, so that two that collided do not again.
func backOff(ctx context.Context, try int) error {
	longest := 50 * time.Millisecond << min(try, 6)
	longest = min(longest, 2*time.Second)
	timer := time.NewTimer(longest/2 + rand.N(longest/2)) //nolint:gosec // A pause is no secret.
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
