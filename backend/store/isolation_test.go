package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

var errOnPurpose = errors.New("on purpose")

// Requests of all kinds share two connections. None finds anything of the one before it: not its organization, not
// its transaction.
func TestDo_leavesNothingToTheNextUserOfAConnection(t *testing.T) {
	const requests, workers = 10_000, 8
	s := open(t, database(t), store.Options{MaxConns: 2})
	var all sync.WaitGroup
	for worker := range workers {
		random := rand.New(rand.NewPCG(4, uint64(worker)))
		all.Go(func() {
			for n := range requests / workers {
				if err := mixed(t.Context(), s, random); err != nil {
					t.Errorf("request %d of worker %d: %v", n, worker, err)
					return
				}
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, s.Connections(), 2)
}

// mixed does one request, and says what it saw that it should not.
func mixed(ctx context.Context, s *store.Store, random *rand.Rand) error {
	do := s.Do
	if random.IntN(2) == 0 {
		do = s.Read
	}
	ann, bob := from("ann", ""), from("bob", "second")
	switch kind := random.IntN(100); {
	case kind < 20:
		return do(ctx, ann, sees("c1"))
	case kind < 40:
		return do(ctx, bob, sees("c2"))
	case kind < 50: // no organization was set
		return nobody(ctx, s)
	case kind < 60: // a wish from before the membership ended
		return expect(do(ctx, from("ann", "second"), sees()), softdelete.ErrNotFound)
	case kind < 65:
		var choose *store.ChooseError
		if err := do(ctx, from("bob", ""), sees()); !errors.As(err, &choose) {
			return fmt.Errorf("to choose, got %w", err)
		}
		return nil
	case kind < 70:
		return expect(do(ctx, from("nobody", ""), sees()), store.ErrNoAccount)
	case kind < 80: // rolled back, by f
		return expect(do(ctx, ann, func(ctx context.Context, tx *softdelete.Tx) error {
			return errors.Join(sees("c1")(ctx, tx), errOnPurpose)
		}), errOnPurpose)
	case kind < 90: // rolled back, by PostgreSQL
		err := do(ctx, bob, func(ctx context.Context, tx *softdelete.Tx) error {
			_, err := tx.Conn().ExecContext(ctx, "select 1/0")
			return err
		})
		if err == nil || errors.Is(err, store.ErrUnavailable) {
			return fmt.Errorf("a division by zero, got %w", err)
		}
		return nil
	case kind < 97:
		return panics(func() error {
			return do(ctx, ann, func(context.Context, *softdelete.Tx) error { panic(errOnPurpose) })
		})
	default: // the client goes away in the middle
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		return expect(do(ctx, bob, func(ctx context.Context, tx *softdelete.Tx) error {
			cancel()
			_, err := tx.Conn().ExecContext(ctx, "select 1")
			return err
		}), context.Canceled)
	}
}

// sees compares the clients that the transaction sees.
func sees(want ...string) func(context.Context, *softdelete.Tx) error {
	return func(ctx context.Context, tx *softdelete.Tx) error {
		var got []string
		if err := tx.Conn().NewSelect().Model((*store.Client)(nil)).Column("id").Order("id").Scan(ctx, &got); err != nil {
			return err
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			return fmt.Errorf("%s in %s sees %v", tx.Actor, tx.Organization, got)
		}
		return nil
	}
}

// nobody looks at a connection of the pool as somebody would who forgot to enter.
func nobody(ctx context.Context, s *store.Store) error {
	var settings string
	var rows int
	err := s.DB().QueryRowContext(ctx, `
		select concat(current_setting('app.organization_id', true), current_setting('app.actor_id', true), current_setting('app.request_id', true)),
			(select count(*) from client_companies) + (select count(*) from users) + (select count(*) from organizations)`).Scan(&settings, &rows)
	if err == nil && (settings != "" || rows != 0) {
		return fmt.Errorf("nobody is %q, and sees %d rows", settings, rows)
	}
	return err
}

func expect(got, want error) error {
	if !errors.Is(got, want) {
		return fmt.Errorf("want %w, got %w", want, got)
	}
	return nil
}

func panics(f func() error) (err error) {
	defer func() { err = expect(fmt.Errorf("%w", recover().(error)), errOnPurpose) }()
	return f()
}

// A temporary table lives as long as its connection, and PostgreSQL looks there first: the next request must not find
// what somebody's SQL has left under a table's name.
func TestDo_findsNoTableThatAnotherRequestHasLeft(t *testing.T) {
	s := open(t, database(t), store.Options{MaxConns: 1})
	require.NoError(t, s.Do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := tx.Conn().ExecContext(ctx, "create temporary table client_companies (like public.client_companies)")
		return err
	}))
	require.NoError(t, s.Do(t.Context(), from("bob", "second"), sees("c2")))
}
