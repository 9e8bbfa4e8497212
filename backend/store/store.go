package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Options of a Store.
type Options struct {
	// DSN is the URL of the database, with a login of the group gatehouse_app.
	DSN string
	// MaxConns bounds the pool. Default: 10.
	MaxConns int
	// CursorKey signs the cursors of lists, the same on all processes.
	CursorKey []byte
	// Timeout bounds a transaction, from the wait for a connection to the commit. Default: 20 s.
	Timeout time.Duration
	// Name is what PostgreSQL shows of us in pg_stat_activity. Default: gatehouse-backend.
	Name string
	// Retried is called when a transaction runs again, with the SQLSTATE that made it, for metrics.
	// Default: nobody.
	Retried func(state string)
}

// Store is the database as the server uses it.
type Store struct {
	// Resources are the repositories of all entities, by kind.
	Resources map[string]softdelete.Resource
	// Deletions deletes and restores.
	Deletions *softdelete.Deletions

	db      *bun.DB
	options Options
	checked atomic.Bool // whether Check has passed
	checks  sync.Mutex  // one at a time
}

// Open is [New] and [Store.Check]: a store that works, or the reason why not.
func Open(ctx context.Context, o Options) (*Store, error) {
	s, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := s.Check(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// New returns a store that has not connected yet. Until [Store.Check] has passed it answers everything
// with ErrUnavailable.
func New(o Options) (*Store, error) {
	if o.MaxConns == 0 {
		o.MaxConns = 10
	}
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if o.Name == "" {
		o.Name = "gatehouse-backend"
	}
	if o.Retried == nil {
		o.Retried = func(string) {}
	}
	pool, err := openPool(o)
	if err != nil {
		return nil, err
	}
	return &Store{
		Resources: Resources(o.CursorKey),
		Deletions: softdelete.NewDeletions(Entities, o.CursorKey),
		db:        bun.NewDB(pool, pgdialect.New()),
		options:   o,
	}, nil
}

// Check refuses, by a [RefusedError], a role that could reach past row-level security, a schema older
// than this program, and a table without its policy; every reason at once. It returns ErrUnavailable when
// the database does not answer. Once it has passed it passes without asking again.
func (s *Store) Check(ctx context.Context) error {
	s.checks.Lock()
	defer s.checks.Unlock()
	if s.checked.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	if err := inspect(ctx, s.db.DB); err != nil {
		return unavailable(ctx, err)
	}
	s.checked.Store(true)
	return nil
}

// Ping reports whether the database answers, and [Store.Check] has passed.
func (s *Store) Ping(ctx context.Context) error {
	if !s.checked.Load() {
		return fmt.Errorf("%w: it has not been checked yet", ErrUnavailable)
	}
	if err := s.db.PingContext(ctx); err != nil {
		return unavailable(ctx, err)
	}
	return nil
}

// Stats are the pool's.
func (s *Store) Stats() sql.DBStats { return s.db.Stats() }

// Close closes the pool. Transactions that are under way end by themselves.
func (s *Store) Close() error {
	if err := s.db.Close(); err != nil {
		return fmt.Errorf("close the database: %w", err)
	}
	return nil
}
