package softdelete_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

func (w *world) trash(person string, q softdelete.TrashQuery) softdelete.Page[softdelete.Deletion] {
	w.t.Helper()
	return must(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Deletion], error) {
		return w.store.Deletions.Trash(ctx, tx, q)
	})
}

func TestTrash_filtersAndPages(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into vendors (id, organization_id, name) select 'v' || n, 'o1', 'Vendor ' || n from generate_series(1, 7) n;
		insert into payments (id, organization_id, invoice_id, amount, paid_at) select 'y', 'o1', null, 1, '2026-05-06' where false`)
	w.tree("x")
	var all []softdelete.Deletion
	for _, root := range [][2]string{{"vendors", "v1"}, {"vendors", "v2"}, {"clients", "x-c"}, {"vendors", "v3"}, {"messages", "x-g"}, {"payments", "x-y"}} {
		person := "olga"
		if root[1] == "v3" {
			person = "adam"
		}
		deletion, err := w.delete(person, root[0], root[1])
		require.NoError(t, err)
		all = append([]softdelete.Deletion{deletion}, all...)
	}
	var seen []softdelete.Deletion
	for q := (softdelete.TrashQuery{Limit: 2}); ; {
		page := w.trash("adam", q)
		seen = append(seen, page.Rows...)
		if q.Cursor = page.Next; q.Cursor == "" {
			break
		}
	}
	require.Equal(t, all, seen)

	roots := func(q softdelete.TrashQuery) (ids []string) {
		for _, deletion := range w.trash("olga", q).Rows {
			ids = append(ids, deletion.Root.ID)
		}
		return ids
	}
	require.Equal(t, []string{"v3", "v2", "v1"}, roots(softdelete.TrashQuery{Kind: "vendors"}))
	require.Equal(t, []string{"v3"}, roots(softdelete.TrashQuery{DeletedBy: "adam"}))
	require.Equal(t, []string{"v2"}, roots(softdelete.TrashQuery{Search: "dor 2"}))
	require.Equal(t, []string{"x-c"}, roots(softdelete.TrashQuery{Search: "ACME", Kind: "clients"}))
	require.Empty(t, roots(softdelete.TrashQuery{Search: "ACME", Kind: "vendors"}))
	require.Empty(t, roots(softdelete.TrashQuery{Search: "%"}))
	require.Empty(t, roots(softdelete.TrashQuery{DeletedBy: "eve"}))
	for _, q := range []softdelete.TrashQuery{{Kind: "Vendors"}, {Search: "\x00"}, {DeletedBy: "\xff"}} {
		_, err := try(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Deletion], error) {
			return w.store.Deletions.Trash(ctx, tx, q)
		})
		wrong(t, err)
	}
	// Content is in no label.
	require.Equal(t, "Payment "+time.Now().UTC().Format(time.DateOnly), all[0].Root.Label)
	require.Equal(t, "Message "+time.Now().UTC().Format(time.DateOnly), all[1].Root.Label)

	// What is restored whole is no longer in the Trash, and is still told about.
	_, err := w.restore("olga", all[5].ID, false)
	require.NoError(t, err)
	require.Equal(t, []string{"v3", "v2"}, roots(softdelete.TrashQuery{Kind: "vendors"}))
	again := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Deletion, error) {
		return w.store.Deletions.Deletion(ctx, tx, all[5].ID)
	})
	require.Equal(t, softdelete.Restored, again.State)
	require.True(t, again.PurgeFirst.IsZero())
}

// Retention counts from the deletion, for each class by itself, of what is still trashed.
func TestDeletion_saysHowLongItsRowsAreKept(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	deletion, err := w.delete("olga", "engagements", "x-e")
	require.NoError(t, err)
	require.Equal(t, deletion.DeletedAt.AddDate(0, 0, 365), deletion.PurgeFirst) // portal access
	require.Equal(t, deletion.DeletedAt.AddDate(0, 0, 2555), deletion.PurgeLast) // invoices
	require.Equal(t, time.UTC, deletion.DeletedAt.Location())
	require.EqualValues(t, 7, deletion.ID.Version())
	client, err := w.delete("olga", "vendors", "absent")
	require.ErrorIs(t, err, softdelete.ErrNotFound)
	require.Zero(t, client)
}

func TestDeletion_namesWhoDeleted(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into vendors (id, organization_id, name, created_by) values ('v1', 'o1', 'V', 'mia'), ('v2', 'o1', 'V', 'max'), ('v3', 'o1', 'V', 'adam')`)
	for person, id := range map[string]string{"mia": "v1", "max": "v2", "adam": "v3"} {
		_, err := w.delete(person, "vendors", id)
		require.NoError(t, err)
	}
	_, err := w.delete("olga", "members", "m-adam")
	require.NoError(t, err)
	names := map[string]string{}
	for _, deletion := range w.trash("olga", softdelete.TrashQuery{Kind: "vendors"}).Rows {
		names[deletion.DeletedBy.ID] = deletion.DeletedBy.Name
	}
	require.Equal(t, map[string]string{"mia": "Mia", "max": "max@example.com", "adam": "Former user"}, names)
}

func TestSoftDelete_keepsTheReasonAndTheVersion(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into vendors (id, organization_id, name) values ('v', 'o1', 'V')`)
	remove := func(version int64) (softdelete.Deletion, error) {
		return try(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Deletion, error) {
			return w.store.Deletions.SoftDelete(ctx, tx, w.entity("vendors"), "v", version, " it's a duplicate ?0 ")
		})
	}
	_, err := remove(2)
	require.ErrorIs(t, err, softdelete.ErrVersion)
	deletion, err := remove(1)
	require.NoError(t, err)
	require.Equal(t, "it's a duplicate ?0", deletion.Reason)
	again, err := remove(1)
	require.NoError(t, err, "the same deletion, though the version is another by now")
	require.Equal(t, deletion, again)
	require.Equal(t, "2", w.ask("select version from vendors"))
	require.Equal(t, "soft_delete olga "+deletion.ID.String(),
		w.ask("select concat_ws(' ', action, actor_id, deletion_id) from audit_events where table_name = 'vendors' and row_id = 'v' order by occurred_at desc limit 1"))
}

func TestSoftDelete_refusesWhatIsTooLarge(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into client_companies (id, organization_id, name) values ('c', 'o1', 'C');
		insert into contacts (organization_id, client_company_id, first_name, last_name) select 'o1', 'c', 'A', 'B' from generate_series(1, 20000)`)
	_, err := w.delete("olga", "clients", "c")
	require.ErrorIs(t, err, softdelete.ErrTooLarge)
	require.NotErrorIs(t, err, softdelete.ErrForbidden)
	preview := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Preview, error) {
		return w.store.Deletions.Preview(ctx, tx, w.entity("clients"), "c")
	})
	require.Equal(t, []softdelete.Blocked{{Code: "too_large", Count: 20001}}, preview.Blocked)
	w.exec(`delete from contacts where id = (select min(id) from contacts)`)
	deletion, err := w.delete("olga", "clients", "c")
	require.NoError(t, err)
	require.Equal(t, softdelete.MaxDeletion, deletion.Counts.Total())
	outcome, err := w.restore("olga", deletion.ID, false)
	require.NoError(t, err)
	require.Equal(t, deletion.Counts, outcome.Restored)
}
