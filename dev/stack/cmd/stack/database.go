package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// mineEnv says, by 1, that the database of DATABASE_URL is one to try things on, whatever is in it.
const mineEnv = "GATEHOUSE_DEV_DATABASE"

// given is what the environment says about a database that is not ours.
type given struct {
	url      string // DATABASE_URL: who serves
	adminURL string // DATABASE_ADMIN_URL: who owns the tables, to migrate and seed
	mine     string // mineEnv
}

func givenDatabase() given {
	return given{url: os.Getenv("DATABASE_URL"), adminURL: os.Getenv("DATABASE_ADMIN_URL"), mine: os.Getenv(mineEnv)}
}

// found is what a look at it has shown.
type found struct {
	// tables are those of anybody's, views and the like included.
	tables int
	// sameDatabase tells whether adminURL leads to the same one, sameLogin whether as the same login.
	sameDatabase, sameLogin bool
}

// plan is what to do about the database.
type plan struct {
	// own starts a PostgreSQL of the run's own, and prepares a database in it.
	own bool
	// prepare makes roles, migrates and seeds. Without it the database is used as it is.
	prepare bool
	// notice is what a person should know about that.
	notice string
}

// decide keeps hands off a database in which somebody has something, unless they say that it may be changed.
func decide(g given, f found) (plan, error) {
	switch {
	case g.mine != "" && g.mine != "1":
		return plan{}, fmt.Errorf("%s=%s: it is 1, or not set", mineEnv, g.mine)
	case g.url == "" && g.adminURL != "":
		return plan{}, errors.New("DATABASE_ADMIN_URL is set and DATABASE_URL, the login that serves, is not: set both, or neither for a PostgreSQL of this run's own")
	case g.url == "":
		return plan{own: true, prepare: true}, nil
	case f.tables > 0 && g.mine == "":
		return plan{notice: fmt.Sprintf("the database of DATABASE_URL is in use (tables: %d): this run takes it as it is, and makes no roles, migrates nothing and seeds nothing in it. "+
			"If it is one to try things on, set %s=1", f.tables, mineEnv)}, nil
	case g.adminURL == "":
		return plan{}, errors.New("the database of DATABASE_URL is to be prepared, and who serves may not make tables: set DATABASE_ADMIN_URL to the login that is to own them, " +
			"or leave out DATABASE_URL for a PostgreSQL of this run's own")
	case !f.sameDatabase:
		return plan{}, errors.New("DATABASE_URL and DATABASE_ADMIN_URL lead to two databases: they must be one, by two logins")
	case f.sameLogin:
		return plan{}, errors.New("DATABASE_URL and DATABASE_ADMIN_URL are one login: who serves must own no table, so give each its own")
	}
	return plan{prepare: true}, nil
}

// lookTimeout bounds one look at a database.
const lookTimeout = 15 * time.Second

// lookAt connects by both URLs and changes nothing.
func lookAt(ctx context.Context, g given) (found, error) {
	if g.url == "" {
		return found{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	serving, err := follow(ctx, g.url)
	if err != nil {
		return found{}, fmt.Errorf("DATABASE_URL: %w", err)
	}
	f := found{tables: serving.tables}
	if g.adminURL == "" {
		return f, nil
	}
	owning, err := follow(ctx, g.adminURL)
	if err != nil {
		return found{}, fmt.Errorf("DATABASE_ADMIN_URL: %w", err)
	}
	// Whichever of the two has something decides.
	f.tables = max(f.tables, owning.tables)
	f.sameDatabase = serving.database == owning.database
	f.sameLogin = serving.login == owning.login
	return f, nil
}

// whereabouts is where a URL leads.
type whereabouts struct {
	// database is the same for two URLs only if they lead to one: when the server began, to the microsecond, and the
	// database's number in it.
	database string
	login    string
	tables   int
}

// follow reports errors without the password, as pgx does.
func follow(ctx context.Context, url string) (w whereabouts, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return w, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what it was opened for has been done
	err = conn.QueryRow(ctx, `
		SELECT extract(epoch FROM pg_postmaster_start_time()) || ' ' || (SELECT oid FROM pg_database WHERE datname = current_database()),
		       session_user,
		       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
		          AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_')`).Scan(&w.database, &w.login, &w.tables)
	return w, err
}
