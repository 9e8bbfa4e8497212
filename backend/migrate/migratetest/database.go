// Package migratetest gives tests databases that are migrated to the newest version: a template is built once in a
// test process, and every test gets a copy of its own in some 50 ms. Start with [Database].
package migratetest

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const template = "gatehouse_migrated"

// Database makes an empty, fully migrated database for one test, which goes with it. App is the DSN of a login that
// is in gatehouse_app, admin that of the owner of the tables, whom row-level security does not bind.
func Database(tb testing.TB) (app, admin string) {
	tb.Helper()
	d := New(tb)
	return d.DSN(stack.AppLogin), d.DSN(stack.OwnerLogin)
}

// New is Database with all that package stack knows of it: the DSN of the jobs' login, SQL as the superuser, its server.
func New(tb testing.TB) stack.Database {
	tb.Helper()
	return On(tb, stack.PostgresForTest(tb))
}

// On makes the database on a server of the test's own, which it may kill or pause.
func On(tb testing.TB, pg *stack.Postgres) stack.Database {
	tb.Helper()
	if err := pg.Template(tb.Context(), template, build); err != nil {
		tb.Fatal(err)
	}
	return pg.CreateDatabase(tb, template)
}

func build(ctx context.Context, d stack.Database) error {
	m, err := migrate.Open(ctx, d.DSN(stack.OwnerLogin), migrate.Options{})
	if err != nil {
		return err
	}
	return errors.Join(m.Up(ctx), m.Close())
}
