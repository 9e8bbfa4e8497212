package demo_test

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/cmd/backend/demo"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

var today = time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC)

func openAdmin(t *testing.T) *bun.DB {
	t.Helper()
	_, dsn := migratetest.Database(t)
	db, err := store.OpenAdmin(dsn, "test")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

func value[T any](t *testing.T, db *bun.DB, query string, args ...any) (v T) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&v))
	return v
}

func TestFill_makesABelievableBusiness(t *testing.T) {
	db := openAdmin(t)
	require.NoError(t, demo.Fill(t.Context(), db, today))
	for _, e := range store.Entities {
		if e.Kind == "role-permissions" { // points to permissions, which are the app's
			continue
		}
		require.Positive(t, value[int](t, db, "select count(*) from ? where deleted_at is null", bun.Ident(e.Table)), "no live %s", e.Kind)
		require.Zero(t, value[int](t, db, "select count(*) from ? where created_by is null", bun.Ident(e.Table)), "%s that nobody has made", e.Kind)
	}
	require.GreaterOrEqual(t, value[int](t, db, "select count(*) from client_companies"), 50)
	require.Equal(t, 6, value[int](t, db, "select count(distinct stage) from deals where deleted_at is null"))
	require.Equal(t, "olivia adam mia viktor", value[string](t, db, `
		select string_agg(split_part(u.email, '@', 1), ' ' order by m.role) from users u join organization_members m on m.user_id = u.id
		join organizations o on o.id = m.organization_id where o.slug = ?`, demo.First))
	require.Equal(t, "olivia", value[string](t, db, `
		select string_agg(split_part(u.email, '@', 1), ' ') from users u join organization_members m on m.user_id = u.id
		join organizations o on o.id = m.organization_id where o.slug = ?`, demo.Second))
	require.Zero(t, value[int](t, db, "select count(*) from deals where created_at > ?", today))

	// What is in the trash was deleted, by three people, with its cascade and its trail.
	require.Equal(t, 3, value[int](t, db, "select count(distinct actor_id) from deletions"))
	require.Equal(t, 1, value[int](t, db, "select count(*) from deletions where root_kind = 'engagements' and (counts ->> 'invoices')::int > 0 and (counts ->> 'tasks')::int > 0"))
	require.Equal(t, value[int](t, db, "select sum(v::int) from deletions, jsonb_each_text(counts) c (k, v)"),
		value[int](t, db, "select count(*) from audit_events where action = 'soft_delete'"))
	require.GreaterOrEqual(t, value[int](t, db, "select count(*) from deletions d join users u on u.id = d.actor_id where u.email = 'mia@example.test'"), 1)
}

func TestFill_makesTheSameEachTime(t *testing.T) {
	var sums []string
	for range 2 {
		db := openAdmin(t)
		require.NoError(t, demo.Fill(t.Context(), db, today))
		sum := sha256.New()
		for _, e := range store.Entities {
			// A deletion's id and the tokens that it destroys are different each time.
			sum.Write([]byte(value[string](t, db, `select coalesce(string_agg((to_jsonb(t) - 'deletion_id' - 'deleted_at' - 'access_token')::text, E'\n' order by t.id), '') from ? t`, bun.Ident(e.Table))))
		}
		sums = append(sums, hex.EncodeToString(sum.Sum(nil)))
	}
	require.Equal(t, sums[0], sums[1])
}

func TestFill_leavesADatabaseInUseAlone(t *testing.T) {
	for name, sql := range map[string]string{
		"an organization": `insert into organizations (name, slug) values ('Somebody', 'somebody')`,
		"a user":          `insert into users (email) values ('somebody@example.com')`,
	} {
		t.Run(name, func(t *testing.T) {
			db := openAdmin(t)
			_, err := db.ExecContext(t.Context(), sql)
			require.NoError(t, err)
			require.ErrorIs(t, demo.Fill(t.Context(), db, today), demo.ErrNotEmpty)
			require.Equal(t, 1, value[int](t, db, "select (select count(*) from organizations) + (select count(*) from users)"))
		})
	}
}
