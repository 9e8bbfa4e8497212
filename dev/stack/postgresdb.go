package stack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
)

// EmptyTemplate is the template of databases with nothing in them.
const EmptyTemplate = "template0"

// Database is one database of a server's, owned by OwnerLogin.
type Database struct {
	Name     string
	postgres *Postgres
}

// DSN is the URL by which a login connects; see Postgres.DSN.
func (d Database) DSN(login string) string { return d.postgres.DSN(login, d.Name) }

// Postgres is the server that has the database.
func (d Database) Postgres() *Postgres { return d.postgres }

// Exec runs SQL as the superuser; see Postgres.Exec.
func (d Database) Exec(ctx context.Context, sql string, args ...any) error {
	return d.postgres.Exec(ctx, d.Name, sql, args...)
}

// NewDatabase makes a database from a template and gives it to OwnerLogin, which must be there. One of that name is
// an error.
func (pg *Postgres) NewDatabase(ctx context.Context, name, template string) (Database, error) {
	if template == "" {
		template = EmptyTemplate
	}
	sql := fmt.Sprintf("CREATE DATABASE %s OWNER %s TEMPLATE %s",
		pgx.Identifier{name}.Sanitize(), pgx.Identifier{OwnerLogin}.Sanitize(), pgx.Identifier{template}.Sanitize())
	if pg.temporary() {
		sql += " STRATEGY file_copy" // its two checkpoints cost nothing where nothing is synced
	}
	if err := pg.Exec(ctx, maintenance, sql); err != nil {
		return Database{}, fmt.Errorf("make the database %s from %s: %w", name, template, err)
	}
	return Database{Name: name, postgres: pg}, nil
}

// EnsureDatabase returns the database of that name, made empty by NewDatabase if there is none.
func (pg *Postgres) EnsureDatabase(ctx context.Context, name string) (Database, error) {
	var there bool
	err := pg.as(ctx, maintenance, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&there)
	})
	if err != nil {
		return Database{}, fmt.Errorf("look for the database %s: %w", name, err)
	}
	if there {
		return Database{Name: name, postgres: pg}, nil
	}
	return pg.NewDatabase(ctx, name, EmptyTemplate)
}

// DropDatabase removes a database and sends its clients away. One that is not there is fine.
func (pg *Postgres) DropDatabase(ctx context.Context, name string) error {
	return pg.Exec(ctx, maintenance, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

// templates are the databases that others are copied from, by name.
type templates struct {
	mu     sync.Mutex
	byName map[string]*template
}

type template struct {
	once sync.Once
	err  error
}

// Template makes a database once in the server's life, for others to be copied from: build fills it, as OwnerLogin or
// otherwise, and closes its connections. Copying takes some 50 ms, however long the building took. All later calls
// of that name wait for the first and share its result; name it for what it holds.
//
// When build is done, AppLogin and JobsLogin join the groups that its migrations have made. Nobody can connect to the
// template after that.
func (pg *Postgres) Template(ctx context.Context, name string, build func(context.Context, Database) error) error {
	pg.templates.mu.Lock()
	if pg.templates.byName == nil {
		pg.templates.byName = map[string]*template{}
	}
	t := pg.templates.byName[name]
	if t == nil {
		t = &template{}
		pg.templates.byName[name] = t
	}
	pg.templates.mu.Unlock()
	t.once.Do(func() {
		if t.err = pg.buildTemplate(ctx, name, build); t.err != nil {
			t.err = fmt.Errorf("build the template %s: %w", name, t.err)
		}
	})
	return t.err
}

func (pg *Postgres) buildTemplate(ctx context.Context, name string, build func(context.Context, Database) error) error {
	d, err := pg.NewDatabase(ctx, name, EmptyTemplate)
	if err != nil {
		return err
	}
	if err := build(ctx, d); err != nil {
		return err
	}
	if err := pg.ProductLogins(ctx); err != nil {
		return err
	}
	quoted := pgx.Identifier{name}.Sanitize()
	if err := pg.Exec(ctx, maintenance, "ALTER DATABASE "+quoted+" ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	// A connection that is just being closed by the client is not gone yet.
	return pg.Exec(ctx, maintenance, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1", name)
}

// databases counts those that tests have made, for names of their own.
var databases atomic.Int64

// CreateDatabase makes a database for one test and drops it when the test ends. Template is EmptyTemplate or the name
// of one that Template has made. When the test failed, what the server has logged about the database is printed.
func (pg *Postgres) CreateDatabase(tb testing.TB, template string) Database {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	d, err := pg.NewDatabase(ctx, databaseName(tb.Name(), databases.Add(1)), template)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s about %s:\n%s", pg.opts.Name, d.Name, linesAbout(pg.Log(), d.Name))
		}
		if !pg.serving() {
			return // the test took the server down, and its data goes with it
		}
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		if err := pg.DropDatabase(ctx, d.Name); err != nil && pg.serving() {
			tb.Errorf("drop the database of the test: %v", err)
		}
	})
	return d
}

// serving tells whether the server runs and was not paused.
func (pg *Postgres) serving() bool {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	return pg.proc.Running() && !pg.paused
}

// databaseName lets a person recognise the test: "test_7_restore_bringsback". PostgreSQL cuts at 63 bytes.
func databaseName(test string, number int64) string {
	test = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, strings.TrimPrefix(test, "Test"))
	name := fmt.Sprintf("test_%d_%s", number, test)
	return name[:min(len(name), 63)]
}

// linesAbout picks what log_line_prefix marks with the database, and the lines that go on with it.
func linesAbout(log, database string) string {
	var lines []string
	about := false
	for line := range strings.Lines(log) {
		if !strings.HasPrefix(line, "\t") {
			about = strings.Contains(line, "@"+database+" ")
		}
		if about {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// shared is the server of all tests of this process.
var shared struct {
	once sync.Once
	pg   *Postgres
	err  error
}

// PostgresForTest returns the server that all tests of this process share, with OwnerLogin, AppLogin and JobsLogin in
// it; it is started with the first call and ends with the process. Tests take a database each (DatabaseForTest) and
// leave the server in peace; those that hurt it start one of their own with OwnPostgresForTest. A machine without
// PostgreSQL fails the test with the line to type; nothing is skipped. DATABASE_URL is never looked at.
func PostgresForTest(tb testing.TB) *Postgres {
	tb.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
		defer cancel()
		shared.pg, shared.err = startForTests(ctx, PostgresOptions{InMemory: true})
	})
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.pg
}

// DatabaseForTest makes a database on the server of PostgresForTest; see CreateDatabase.
func DatabaseForTest(tb testing.TB, template string) Database {
	tb.Helper()
	return PostgresForTest(tb).CreateDatabase(tb, template)
}

// OwnPostgresForTest starts a server that ends with the test and may be hurt, with the logins of PostgresForTest in
// it. When the test failed, the server's log is printed.
func OwnPostgresForTest(tb testing.TB, opts PostgresOptions) *Postgres {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	pg, err := startForTests(ctx, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of %s at %s:\n%s", pg.opts.Name, pg.Addr(), pg.Log())
		}
		if err := pg.Stop(); err != nil {
			tb.Errorf("stop %s: %v", pg.opts.Name, err)
		}
	})
	return pg
}

func startForTests(ctx context.Context, opts PostgresOptions) (*Postgres, error) {
	pg, err := StartPostgres(ctx, opts)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(pg.Owner(ctx), pg.ProductLogins(ctx)); err != nil {
		return nil, errors.Join(err, pg.Stop())
	}
	return pg, nil
}
