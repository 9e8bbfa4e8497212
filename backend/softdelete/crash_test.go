package softdelete_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// killer ends the session of its connection before the statement that it counts down to, as a crash of the server
// process would.
type killer struct {
	world *world
	pid   int
	left  int
}

func (k *killer) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	if k.left--; k.left == 0 {
		k.world.exec(`select pg_terminate_backend($1::int, 60000)`, k.pid)
	}
	return ctx
}

func (k *killer) AfterQuery(context.Context, *bun.QueryEvent) {}

// killed runs f in a transaction of olga's, whose session dies before statement n, the commit being the last. It
// reports whether there was no such statement, and all was done.
func (w *world) killed(n int, f func(context.Context, *softdelete.Tx) error) (done bool) {
	w.t.Helper()
	ctx := w.t.Context()
	pool, err := sql.Open("pgx", w.base.DSN(stack.AppLogin)+"&default_query_exec_mode=exec&timezone=UTC")
	require.NoError(w.t, err)
	defer pool.Close()
	k := &killer{world: w}
	tx, err := bun.NewDB(pool, pgdialect.New()).WithQueryHook(k).BeginTx(ctx, nil)
	require.NoError(w.t, err)
	defer tx.Rollback() //nolint:errcheck // it is over, or its session is
	require.NoError(w.t, tx.NewRaw(`select pg_backend_pid() from (select set_config('app.organization_id', 'o1', true), set_config('app.actor_id', 'olga', true)) s`).
		Scan(ctx, &k.pid))
	k.left = n
	err = f(ctx, softdelete.NewTx(tx, softdelete.Scope{Organization: "o1", Actor: "olga", Role: softdelete.Owner}))
	if err == nil {
		err = tx.Commit()
	}
	if k.left > 0 {
		require.NoError(w.t, err)
		return true
	}
	require.Error(w.t, err)
	return false
}

// Whichever statement a cascade or its undoing is cut off before, nothing of it is there, and the next try does all.
func TestCrash_leavesNothingHalfDone(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	h := &history{world: w, prefix: "x-"}
	remove := func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := w.store.Deletions.SoftDelete(ctx, tx, w.entity("engagements"), "x-e", 0, "")
		return err
	}
	stride := 3
	if rounds(t, 0) > 0 {
		stride = 1
	}
	live, statements := h.snapshot(), 0
	for n := 1; !w.killed(n, remove); n += stride {
		statements = n
		require.Empty(t, h.stored(), "statement %d", n)
		require.Equal(t, live, h.snapshot(), "statement %d", n)
		require.Equal(t, "0", w.ask("select count(*) from deletions"), "statement %d", n)
	}
	require.Greater(t, statements, 10, "a statement for each table at least")
	w.whole()

	trashed, statements := h.stored(), 0
	require.NotEmpty(t, trashed)
	restore := func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := w.store.Deletions.RestoreRow(ctx, tx, w.entity("engagements"), "x-e")
		return err
	}
	for n := 1; !w.killed(n, restore); n += stride {
		statements = n
		require.Equal(t, trashed, h.stored(), "statement %d", n)
		require.Equal(t, "trashed", w.ask("select state from deletions"), "statement %d", n)
	}
	require.Greater(t, statements, 10)
	require.Empty(t, h.stored())
	require.Equal(t, live, h.snapshot())
	require.Equal(t, "restored", w.ask("select state from deletions"))
	w.whole()
}
