package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const (
	// appGroup is whose rights the backend serves with. Its migrations make it.
	appGroup = "gatehouse_app"
	// ownDatabase is the database in the run's own PostgreSQL.
	ownDatabase = "gatehouse"
)

// database is the one that the backend serves.
type database struct {
	given    given
	plan     plan
	postgres *stack.Postgres // nil when it was given
	url      string          // by which the backend serves
}

// findDatabase decides which database to use, before anything is built: a database that must not be touched, or no
// PostgreSQL, is a reason to stop at once.
func (r *run) findDatabase(ctx context.Context) error {
	if r.withoutBackend {
		return nil
	}
	r.database.given = givenDatabase()
	if err := r.database.decide(ctx); err != nil {
		return err
	}
	if notice := r.database.plan.notice; notice != "" {
		fmt.Printf("\nNOTE: %s\n\n", notice)
	}
	if !r.database.plan.own {
		return nil
	}
	if err := stack.Ensure(ctx, os.Stdout, stack.NeedPostgres); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w; or try the edge without it: %s run --without-backend", err, self())
	}
	return nil
}

// decide looks and makes the plan.
func (d *database) decide(ctx context.Context) error {
	found, err := lookAt(ctx, d.given)
	if err != nil {
		return err
	}
	d.plan, err = decide(d.given, found)
	return err
}

// prepareDatabase starts PostgreSQL where none was given, and brings the database to where the backend can serve it.
func (r *run) prepareDatabase(ctx context.Context, backend string) error {
	d := &r.database
	// Building may have taken minutes, in which somebody could have begun to use it.
	if err := d.decide(ctx); err != nil {
		return err
	}
	d.url = d.given.url
	adminURL := d.given.adminURL
	if d.plan.own {
		own, err := r.startPostgres(ctx)
		if err != nil {
			return err
		}
		d.url, adminURL = own.DSN(stack.AppLogin), own.DSN(stack.OwnerLogin)
	}
	if !d.plan.prepare {
		return nil
	}
	log := r.state.path("prepare.log")
	removeLog(log)
	fmt.Println("migrating the database")
	if err := stack.AdministerBackend(ctx, backend, adminURL, log, "migrate", "up"); err != nil {
		return err
	}
	if err := r.grantServing(ctx, adminURL); err != nil {
		return err
	}
	empty, err := hasNobody(ctx, adminURL)
	if err != nil || !empty {
		return err
	}
	fmt.Println("filling it with demo data")
	return stack.AdministerBackend(ctx, backend, adminURL, log, "seed")
}

func (r *run) startPostgres(ctx context.Context) (stack.Database, error) {
	dir, err := stack.PostgresDataDir(r.state.path("postgres"))
	if err != nil {
		return stack.Database{}, err
	}
	removeLog(filepath.Join(dir, "postgres.log"))
	pg, err := stack.StartPostgres(ctx, stack.PostgresOptions{Dir: dir})
	if err != nil {
		return stack.Database{}, permissionCure(err, dir)
	}
	r.database.postgres = pg
	r.stops = append(r.stops, func() { report(pg.Stop()) })
	if err := r.noteStarted("postgres", pg.Process()); err != nil {
		return stack.Database{}, err
	}
	if err := pg.Owner(ctx); err != nil {
		return stack.Database{}, err
	}
	return pg.EnsureDatabase(ctx, ownDatabase)
}

// grantServing lets the login that serves do so. The group is there by now: the migrations have made it.
func (r *run) grantServing(ctx context.Context, adminURL string) error {
	if pg := r.database.postgres; pg != nil {
		return pg.Login(ctx, stack.AppLogin, appGroup)
	}
	serving, err := follow(ctx, r.database.url)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	return asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		var member bool
		if err := conn.QueryRow(ctx, "SELECT pg_has_role($1, $2, 'MEMBER')", serving.login, appGroup).Scan(&member); err != nil || member {
			return err
		}
		sql := "GRANT " + pgx.Identifier{appGroup}.Sanitize() + " TO " + pgx.Identifier{serving.login}.Sanitize()
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("let the login of DATABASE_URL serve: %w: let somebody who may run %s", err, sql)
		}
		return nil
	})
}

// hasNobody tells whether there is room for demo data.
func hasNobody(ctx context.Context, adminURL string) (empty bool, err error) {
	err = asAdmin(ctx, adminURL, func(conn *pgx.Conn) error {
		return conn.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM organizations) AND NOT EXISTS (SELECT FROM users)").Scan(&empty)
	})
	return empty, err
}

func asAdmin(ctx context.Context, adminURL string, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, adminURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what it was opened for has been done
	return do(conn)
}

func (r *run) startBackend(ctx context.Context, binary string) error {
	cursorKey, err := r.keptKey("cursor-key")
	if err != nil {
		return err
	}
	removeLog(r.state.path("backend.log"))
	b, err := stack.StartBackend(ctx, stack.BackendOptions{
		Binary: binary, DatabaseURL: r.database.url, KeySet: r.keySetFile(), CursorKey: cursorKey, Dir: r.state.path(),
		// Signing out at the edge goes on to the provider, which the pages' policy has to know.
		Env: []string{"BACKEND_SIGN_OUT_ORIGINS=" + r.provider},
	})
	if err != nil {
		return err
	}
	r.upstream, r.app = b.Process(), b.Addr()
	r.stops = append(r.stops, func() { report(b.Stop()) })
	return r.noteStarted("backend", b.Process())
}
