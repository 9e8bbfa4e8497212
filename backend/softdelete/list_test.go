package softdelete_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// list asks as a person, and returns the ids.
func (w *world) list(person, kind string, q softdelete.Query) ([]string, softdelete.Page[softdelete.Record], error) {
	page, err := try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Record], error) {
		return w.resource(kind).List(ctx, tx, q)
	})
	ids := make([]string, len(page.Rows))
	for i, row := range page.Rows {
		ids[i] = row.Key()
	}
	return ids, page, err
}

// Rows of the same moment are neither shown twice nor passed over, by cursors and by pages alike.
func TestList_showsEachRowOnce(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into vendors (id, organization_id, name, created_at)
		select 'v' || n, case when n % 10 = 0 then 'o2' else 'o1' end, 'Vendor ' || n, timestamp '2026-01-01' + (n / 7) * interval '1 microsecond'
		from generate_series(1, 200) n`)
	w.exec(`update vendors set deleted_at = now(), deletion_id = gen_random_uuid() where id in ('v5', 'v51', 'v52')`)
	want := strings.Split(w.ask(`select string_agg(id, ' ' order by created_at desc, id desc) from vendors where organization_id = 'o1' and deleted_at is null`), " ")
	require.Len(t, want, 177)

	var byCursor []string
	q := softdelete.Query{Limit: 25}
	for {
		ids, page, err := w.list("vic", "vendors", q)
		require.NoError(t, err)
		byCursor = append(byCursor, ids...)
		if page.Next == "" {
			break
		}
		require.Len(t, ids, 25)
		if q.Cursor == "" {
			require.Equal(t, 177, page.Total)
		} else {
			require.Zero(t, page.Total)
		}
		q.Cursor = page.Next
	}
	require.Equal(t, want, byCursor)

	var byPage []string
	for n := 1; n <= 8; n++ {
		ids, page, err := w.list("vic", "vendors", softdelete.Query{Limit: 25, Page: n})
		require.NoError(t, err)
		require.Equal(t, 177, page.Total)
		byPage = append(byPage, ids...)
	}
	require.Equal(t, want, byPage)

	ids, page, err := w.list("vic", "vendors", softdelete.Query{Limit: 25, Page: 9})
	require.NoError(t, err)
	require.Empty(t, ids)
	require.Empty(t, page.Next)
	ids, _, err = w.list("vic", "vendors", softdelete.Query{Limit: 100_000})
	require.NoError(t, err)
	require.Len(t, ids, 177)
}

func TestList_countsAndPagesUpToItsBound(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into vendors (id, organization_id, name) select 'v' || n, 'o1', 'V' from generate_series(1, 10000) n`)
	_, page, err := w.list("vic", "vendors", softdelete.Query{Limit: 10, Page: 1000})
	require.NoError(t, err)
	require.Equal(t, softdelete.MaxTotal, page.Total)
	require.False(t, page.Capped)
	require.Len(t, page.Rows, 10)

	w.exec(`insert into vendors (id, organization_id, name) values ('one-more', 'o1', 'V')`)
	_, page, err = w.list("vic", "vendors", softdelete.Query{Limit: 10, Page: 1000})
	require.NoError(t, err)
	require.Equal(t, softdelete.MaxTotal, page.Total)
	require.True(t, page.Capped)
	require.NotEmpty(t, page.Next)
	ids, _, err := w.list("vic", "vendors", softdelete.Query{Limit: 10, Cursor: page.Next})
	require.NoError(t, err)
	require.Len(t, ids, 1)

	for _, n := range []int{1001, 10_001, 1 << 62} {
		_, _, err = w.list("vic", "vendors", softdelete.Query{Limit: 10, Page: n})
		require.ErrorIs(t, err, softdelete.ErrBeyond, n)
	}
}

// A cursor is of one list, of one person, of one organization.
func TestList_cursorIsOfNoOtherList(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into vendors (id, organization_id, name) select 'v' || n, 'o1', 'V' from generate_series(1, 5) n;
		insert into project_templates (id, organization_id, name) select 'v' || n, 'o1', 'V' from generate_series(1, 5) n;
		insert into organization_members (id, organization_id, user_id) values ('m2', 'o2', 'vic')`)
	_, page, err := w.list("olga", "vendors", softdelete.Query{Limit: 2, Search: "V"})
	require.NoError(t, err)
	cursor := page.Next
	ids, _, err := w.list("olga", "vendors", softdelete.Query{Limit: 3, Search: "V", Cursor: cursor})
	require.NoError(t, err)
	require.Equal(t, []string{"v3", "v2", "v1"}, ids)

	_, _, err = w.list("olga", "vendors", softdelete.Query{Limit: 2, Cursor: cursor})
	require.ErrorIs(t, err, softdelete.ErrCursor)
	_, _, err = w.list("olga", "project-templates", softdelete.Query{Limit: 2, Search: "V", Cursor: cursor})
	require.ErrorIs(t, err, softdelete.ErrCursor)
	_, _, err = w.list("mia", "vendors", softdelete.Query{Limit: 2, Search: "V", Cursor: cursor})
	require.ErrorIs(t, err, softdelete.ErrCursor)
	_, err = try(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Deletion], error) {
		return w.store.Deletions.Trash(ctx, tx, softdelete.TrashQuery{Cursor: cursor})
	})
	require.ErrorIs(t, err, softdelete.ErrCursor)
}

func TestList_searchesForWhatIsTyped(t *testing.T) {
	w := newWorld(t)
	for i, name := range []string{"Plain", "100% sure", "under_score", `back\slash`, "it's; drop table vendors --", "?0 ?name", "ÄÖ"} {
		w.exec(`insert into vendors (id, organization_id, name) values ($1, 'o1', $2), ($3, 'o2', $2)`, fmt.Sprintf("v%d", i), name, fmt.Sprintf("w%d", i))
	}
	for search, want := range map[string][]string{
		"plain": {"v0"}, "%": {"v1"}, "_": {"v2"}, `\`: {"v3"}, "'": {"v4"}, "table vendors --": {"v4"}, "?0": {"v5"}, "?name": {"v5"},
		"äö": {"v6"}, "nothing": {}, "lain%": {},
	} {
		ids, page, err := w.list("vic", "vendors", softdelete.Query{Search: search})
		require.NoError(t, err, search)
		require.Equal(t, want, ids, search)
		require.Equal(t, len(want), page.Total, search)
	}
	for _, kind := range []string{"vendors", "messages"} {
		_, _, err := w.list("vic", kind, softdelete.Query{Search: "a\x00"})
		var wrong *softdelete.FieldError
		require.ErrorAs(t, err, &wrong)
	}
}

// PostgreSQL compares a pattern with a text place by place, and does not look up from one text before it is done: what
// both may be is bounded, or one person's search is everybody's wait.
func TestSearch_isBounded(t *testing.T) {
	for _, e := range store.Entities {
		for _, f := range e.Fields {
			if f.Search {
				require.Positive(t, f.Max, "%s.%s", e.Table, f.Column)
				require.LessOrEqual(t, f.Max, 2000, "%s.%s", e.Table, f.Column)
			}
		}
	}
	w := newWorld(t)
	longest := strings.Repeat("ä", softdelete.MaxSearch)
	_, _, err := w.list("vic", "clients", softdelete.Query{Search: longest})
	require.NoError(t, err)
	trash := func(words string) error {
		_, err := try(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Deletion], error) {
			return w.store.Deletions.Trash(ctx, tx, softdelete.TrashQuery{Search: words})
		})
		return err
	}
	require.NoError(t, trash(longest))

	want := []softdelete.FieldProblem{{Name: "search", Code: "too_long"}}
	var wrong *softdelete.FieldError
	_, _, err = w.list("vic", "clients", softdelete.Query{Search: longest + "a"})
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, want, wrong.Fields)
	require.ErrorAs(t, trash(longest+"a"), &wrong)
	require.Equal(t, want, wrong.Fields)
}

// A page is in memory before any of it is sent. Whoever may write long texts does not decide how much that is.
func TestList_isNoLargerThanMemoryAllows(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into vendors (id, organization_id, name, notes, created_at)
		select 'v' || n, 'o1', 'V', repeat('x', 1000000), timestamp '2026-01-01' - n * interval '1 second' from generate_series(1, 40) n`)
	_, _, err := w.list("vic", "vendors", softdelete.Query{Limit: 50})
	var wrong *softdelete.FieldError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, []softdelete.FieldProblem{{Name: "limit", Code: "out_of_range"}}, wrong.Fields)
	ids, page, err := w.list("vic", "vendors", softdelete.Query{Limit: 25})
	require.NoError(t, err)
	require.Len(t, ids, 25)
	require.NotEmpty(t, page.Next)

	w.exec(`update vendors set notes = repeat('x', 50000000) where id = 'v1'`)
	ids, _, err = w.list("vic", "vendors", softdelete.Query{Limit: 1})
	require.NoError(t, err, "one is shown however large it is")
	require.Equal(t, []string{"v1"}, ids)
}

// To a reference whose target is trashed nothing is equal, no more than to one that never was.
func TestList_filters(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	w.tree("y")
	filter := func(name, value string) []string {
		ids, _, err := w.list("vic", "deals", softdelete.Query{Filter: map[string]string{name: value}})
		require.NoError(t, err)
		return ids
	}
	require.Equal(t, []string{"x-d"}, filter("clientCompanyId", "x-c"))
	require.Equal(t, []string{"x-d"}, filter("contactId", "x-k1"))
	require.Equal(t, []string{"y-d", "x-d"}, filter("ownerId", "olga"))
	require.Equal(t, []string{"y-d", "x-d"}, filter("stage", "lead"))
	require.Empty(t, filter("stage", "won"))
	_, err := w.delete("olga", "clients", "x-c")
	require.NoError(t, err)
	require.Empty(t, filter("clientCompanyId", "x-c"))
	require.Empty(t, filter("contactId", "x-k1"))
	require.Empty(t, filter("clientCompanyId", "never-was"))
	require.Empty(t, filter("clientCompanyId", "' or true --"))

	for name, value := range map[string]string{"stage": "Won", "clientCompanyId": "\x00", "notes": "x", "accessToken": "x", "nothing": "x"} {
		_, _, err := w.list("vic", "deals", softdelete.Query{Filter: map[string]string{name: value}})
		var wrong *softdelete.FieldError
		require.ErrorAs(t, err, &wrong, name)
	}
	ids, _, err := w.list("vic", "contacts", softdelete.Query{Filter: map[string]string{"clientCompanyId": "y-c"}})
	require.NoError(t, err)
	slices.Sort(ids)
	require.Equal(t, []string{"y-k1", "y-k2"}, ids)
}
