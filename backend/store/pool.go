package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// How long making a connection may take, unless the DSN says otherwise, and how long one is kept.
const (
	connectTimeout = 5 * time.Second
	idleFor        = 5 * time.Minute
	liveFor        = time.Hour
)

// patience is how long PostgreSQL lets us wait. The statement of the largest cascade, 20,000 rows, takes well under
// a second; what waits for a lock for longer waits for somebody who is stuck. The DSN may say otherwise.
var patience = map[string]string{
	"statement_timeout":                   "10s",
	"lock_timeout":                        "5s",
	"idle_in_transaction_session_timeout": "15s",
}

// errNoURL stands for pgx's error, which may repeat the password.
var errNoURL = errors.New("the DSN is not a URL such as postgres://user:password@host:5432/name")

// relied are settings on which what is written here is built, whatever the role's and the database's are.
var relied = map[string]string{
	"timezone": "UTC", // the old timestamp columns are UTC by contract
	// Bun quotes by doubling quotes, and knows of no backslashes and of no other encodings.
	"standard_conforming_strings": "on",
	"client_encoding":             "UTF8",
	// Each statement of a cascade must see what was committed before it.
	"default_transaction_isolation": "read committed",
	// Unless it is named, the place of temporary tables comes first, and those outlive the request that made them.
	"search_path": "public, pg_temp",
}

// openPool makes the pool, and connects to nothing yet.
func openPool(o Options) (*sql.DB, error) {
	if o.MaxConns < 1 {
		return nil, fmt.Errorf("the pool must have a connection at least, got %d", o.MaxConns)
	}
	config, err := pgx.ParseConfig(o.DSN)
	if err != nil {
		return nil, errNoURL
	}
	// Bun writes values into its statements; this mode sends those that return rows as one statement each,
	// and prepares nothing, so that a pooler may stand between.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.RuntimeParams["application_name"] = o.Name
	for name, value := range patience {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	if config.ValidateConnect == nil { // a standby is not available, rather than full of errors
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return pooled(config, o.MaxConns), nil
}

// OpenAdmin opens the database as the owner of its tables, whom row-level security does not bind: for the
// command line alone. It connects when it is first used.
func OpenAdmin(dsn, name string) (*bun.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errNoURL
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.RuntimeParams["application_name"] = name
	return bun.NewDB(pooled(config, 1), pgdialect.New()), nil
}

func pooled(config *pgx.ConnConfig, connections int) *sql.DB {
	maps.Copy(config.RuntimeParams, relied)
	pool := stdlib.OpenDB(*config,
		// No round trip to find out whether a connection still lives: begin finds out, and takes another. One
		// on which a transaction is still open is dropped by pgx.
		stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return false }))
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxIdleTime(idleFor)
	pool.SetConnMaxLifetime(liveFor) // a server that takes over, or a changed password, is noticed
	return pool
}
