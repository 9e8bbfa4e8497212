package softdelete_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

func TestSoftDelete_takesAlongWhatDependsAndComesBackWhole(t *testing.T) {
	w := newWorld(t)
	w.tree("x")

	preview := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Preview, error) {
		return w.store.Deletions.Preview(ctx, tx, w.entity("clients"), "x-c")
	})
	require.Equal(t, softdelete.Preview{
		Root:       softdelete.Ref{Kind: "clients", ID: "x-c", Label: "Acme"},
		Counts:     softdelete.Counts{"clients": 1, "contacts": 2, "portal-access": 1},
		References: softdelete.Counts{"deals": 1, "engagements": 1, "invoices": 1},
	}, preview)

	deletion, err := w.delete("olga", "clients", "x-c")
	require.NoError(t, err)
	require.Equal(t, preview.Counts, deletion.Counts)
	require.Equal(t, preview.Counts, deletion.Remaining)
	require.Equal(t, softdelete.Trashed, deletion.State)
	require.Equal(t, preview.Root, deletion.Root)
	require.Equal(t, softdelete.Person{ID: "olga", Name: "Olga Owner"}, deletion.DeletedBy)

	_, err = w.get("olga", "clients", "x-c")
	require.ErrorIs(t, err, softdelete.ErrNotFound)
	deal, err := w.get("olga", "deals", "x-d")
	require.NoError(t, err)
	require.Nil(t, deal["clientCompanyId"])
	require.Nil(t, deal["contactId"])

	again, err := w.delete("olga", "clients", "x-c")
	require.NoError(t, err)
	require.Equal(t, deletion, again)
	_, err = w.delete("mia", "clients", "x-c")
	require.ErrorIs(t, err, softdelete.ErrNotFound)

	page := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Deletion], error) {
		return w.store.Deletions.Trash(ctx, tx, softdelete.TrashQuery{Search: "acm"})
	})
	require.Equal(t, []softdelete.Deletion{deletion}, page.Rows)

	outcome := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Outcome, error) {
		return w.store.Deletions.Restore(ctx, tx, deletion.ID, false)
	})
	require.Equal(t, deletion.Counts, outcome.Restored)
	require.Equal(t, softdelete.Counts{"portal-access": 1}, outcome.NotRearmed)
	require.Equal(t, softdelete.Restored, outcome.Deletion.State)
	deal, err = w.get("olga", "deals", "x-d")
	require.NoError(t, err)
	require.Equal(t, "x-c", deal["clientCompanyId"])
}

func TestRepository_createsUpdatesAndLists(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	for _, kind := range []string{"clients", "deals", "members", "invitations", "portal-access", "organizations", "payments"} {
		page := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Record], error) {
			return w.resource(kind).List(ctx, tx, softdelete.Query{})
		})
		require.Equal(t, w.ask("select count(*) from "+w.entity(kind).Table+" where "+map[bool]string{true: "id", false: "organization_id"}[kind == "organizations"]+" = 'o1'"),
			w.ask("select $1::int", page.Total), kind)
	}
	deals := w.entity("deals")
	values, err := deals.Check(object(t, `{"name":"New","value":"12.50","clientCompanyId":"x-c","expectedCloseDate":"2026-02-03T04:05:06.789Z","probability":7}`), true)
	require.NoError(t, err)
	deal := must(w, "mia", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
		return w.resource("deals").Create(ctx, tx, values)
	})
	made := fields(t, deals, deal)
	require.Equal(t, "mia", made["ownerId"])
	require.Equal(t, softdelete.Decimal("12.50"), made["value"])
	require.EqualValues(t, 7, made["probability"])
	require.Equal(t, "x-c", made["clientCompanyId"])
	require.EqualValues(t, 1, deal.Life().Version)
}
