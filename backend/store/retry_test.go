package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// raise ends a statement as PostgreSQL would.
func raise(ctx context.Context, tx *softdelete.Tx, state string) error {
	_, err := tx.Conn().ExecContext(ctx, fmt.Sprintf("do $$ begin raise exception using errcode = '%s'; end $$", state))
	return err
}

func TestDo_runsAgainWhatPostgreSQLGaveUp(t *testing.T) {
	d := database(t)
	for _, tc := range []struct {
		state    string
		failures int
		runs     int
		err      error
	}{
		{"40001", 2, 3, nil},
		{"40P01", 2, 3, nil},
		{"40001", 3, 3, store.ErrUnavailable},
		{"55P03", 1, 1, store.ErrUnavailable}, // a lock that was not to be had is not to be had at once
		{"57014", 1, 1, store.ErrUnavailable},
		{"53300", 1, 1, store.ErrUnavailable},
	} {
		t.Run(fmt.Sprint(tc.failures, " of ", tc.state), func(t *testing.T) {
			var retried []string
			s := open(t, d, store.Options{MaxConns: 1, Retried: func(state string) { retried = append(retried, state) }})
			runs := 0
			err := s.Do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
				if runs++; runs <= tc.failures {
					return raise(ctx, tx, tc.state)
				}
				return nil
			})
			require.ErrorIs(t, err, tc.err)
			require.Equal(t, tc.runs, runs)
			require.Len(t, retried, tc.runs-1)
		})
	}
}

func TestDo_leavesOtherErrorsAsTheyAre(t *testing.T) {
	s := open(t, database(t), store.Options{})
	for _, state := range []string{"23503", "23505", "22P02", "42501"} {
		err := s.Do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error { return raise(ctx, tx, state) })
		require.ErrorContains(t, err, "SQLSTATE "+state)
		require.NotErrorIs(t, err, store.ErrUnavailable)
	}
}

// Two that lock the same rows in opposite orders: PostgreSQL ends one, which runs again when the other is done.
func TestDo_outlivesADeadlock(t *testing.T) {
	d := database(t)
	require.NoError(t, d.Exec(t.Context(), `insert into client_companies (id, organization_id, name) values ('c3', 'o1', 'Third')`))
	var mu sync.Mutex
	retries := 0
	s := open(t, d, store.Options{Retried: func(state string) {
		mu.Lock()
		defer mu.Unlock()
		require.Equal(t, "40P01", state)
		retries++
	}})
	nothing := func(context.Context, *softdelete.Tx) error { return nil }
	require.NoError(t, s.Do(t.Context(), from("ann", ""), nothing), "of two first sign-ins the second waits for the first")
	var meet sync.WaitGroup
	meet.Add(2)
	var both sync.WaitGroup
	for _, order := range [][]string{{"c1", "c3"}, {"c3", "c1"}} {
		both.Go(func() {
			first := true
			arrive := sync.OnceFunc(meet.Done)
			defer arrive()
			err := s.Do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
				for _, id := range order {
					_, err := tx.Conn().NewUpdate().Model((*store.Client)(nil)).Set("notes = coalesce(notes, '') || ?", "x").Where("id = ?", id).Exec(ctx)
					if err != nil {
						return err
					}
					if first {
						first = false
						arrive()
						meet.Wait()
					}
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	require.Equal(t, 1, retries)
	require.NoError(t, s.Read(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
		var notes []string
		require.NoError(t, tx.Conn().NewSelect().Model((*store.Client)(nil)).Column("notes").Scan(ctx, &notes))
		require.Equal(t, []string{"xx", "xx"}, notes, "each wrote once")
		return nil
	}))
}

// A transaction has a deadline of its own, and leaves a connection that the next one can use.
func TestDo_endsInTime(t *testing.T) {
	d := database(t)
	s := open(t, d, store.Options{MaxConns: 1, Timeout: 300 * time.Millisecond})
	err := s.Do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := tx.Conn().ExecContext(ctx, "select pg_sleep(60)")
		return err
	})
	require.ErrorIs(t, err, store.ErrUnavailable)

	// One that hangs in Go alone is not committed after its time.
	err = s.Do(t.Context(), from("ann", ""), func(ctx context.Context, _ *softdelete.Tx) error {
		<-ctx.Done()
		return nil
	})
	require.ErrorIs(t, err, store.ErrUnavailable)

	// Nor does a transaction wait for ever for a connection that somebody keeps.
	inner := s.Do(t.Context(), from("ann", ""), func(ctx context.Context, _ *softdelete.Tx) error {
		return s.Do(ctx, from("ann", ""), func(context.Context, *softdelete.Tx) error { return nil })
	})
	require.ErrorIs(t, inner, store.ErrUnavailable)
	require.Eventually(t, func() bool {
		return s.Do(t.Context(), from("ann", ""), func(context.Context, *softdelete.Tx) error { return nil }) == nil
	}, 10*time.Second, time.Millisecond)
}

func TestDo_saysThatTheClientWentAway(t *testing.T) {
	s := open(t, database(t), store.Options{MaxConns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err := s.Do(ctx, from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
		cancel()
		_, err := tx.Conn().ExecContext(ctx, "select 1")
		return err
	})
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, store.ErrUnavailable)
	require.NoError(t, s.Ping(t.Context()))
}

func TestNew_answersNothingBeforeItsCheck(t *testing.T) {
	d := database(t)
	s, err := store.New(store.Options{DSN: d.DSN(stack.AppLogin), CursorKey: key})
	require.NoError(t, err)
	defer s.Close()
	require.ErrorIs(t, s.Do(t.Context(), from("ann", ""), never(t)), store.ErrUnavailable)
	require.ErrorIs(t, s.Ping(t.Context()), store.ErrUnavailable)
	_, err = s.Memberships(t.Context(), from("ann", "").Person)
	require.ErrorIs(t, err, store.ErrUnavailable)
	require.NoError(t, s.Check(t.Context()))
	require.NoError(t, s.Ping(t.Context()))
}
