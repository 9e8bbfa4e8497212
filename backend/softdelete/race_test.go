package softdelete_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// together runs all at once, and returns what each said.
func together(parts ...func() error) []error {
	errs := make([]error, len(parts))
	var ready, all sync.WaitGroup
	ready.Add(len(parts))
	for i, part := range parts {
		all.Go(func() {
			ready.Done()
			ready.Wait()
			errs[i] = part()
		})
	}
	all.Wait()
	return errs
}

// whole checks what must hold whoever has raced whom: no live row hangs on a trashed one, and each deletion has
// exactly the rows that it says.
func (w *world) whole() {
	w.t.Helper()
	var orphans, rows []string
	tables := map[string]string{}
	for _, e := range store.Entities {
		tables[e.Kind] = e.Table
	}
	for _, e := range store.Entities {
		rows = append(rows, fmt.Sprintf("select '%s' as kind, deletion_id from %s where deletion_id is not null", e.Kind, e.Table))
		for _, f := range e.Fields {
			if f.Cascade {
				orphans = append(orphans, fmt.Sprintf("select c.id from %s c join %s p on p.id = c.%s where c.deleted_at is null and p.deleted_at is not null",
					e.Table, tables[f.Target], f.Column))
			}
		}
	}
	require.Empty(w.t, w.ask("select string_agg(id, ' ') from ("+strings.Join(orphans, " union all ")+") o"), "live under trashed parents")
	require.Empty(w.t, w.ask(`with rows as (`+strings.Join(rows, " union all ")+`), there as (select deletion_id, kind, count(*) n from rows group by 1, 2),
		said as (select d.id, k.key kind, k.value::int - coalesce((d.restored ->> k.key)::int, 0) n from deletions d, jsonb_each_text(d.counts) k)
		select string_agg(coalesce(s.id, t.deletion_id)::text || ' ' || coalesce(s.kind, t.kind) || ' says ' || coalesce(s.n, 0) || ', has ' || coalesce(t.n, 0), E'\n')
		from said s full join there t on t.deletion_id = s.id and t.kind = s.kind where coalesce(s.n, 0) <> coalesce(t.n, 0)`), "counts of deletions")
}

func TestRace_fiftyDeletesOfOneRowAreOneDeletion(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	var mu sync.Mutex
	seen := map[uuid.UUID]int{}
	parts := make([]func() error, 50)
	for i := range parts {
		parts[i] = func() error {
			deletion, err := w.delete("olga", "clients", "x-c")
			mu.Lock()
			defer mu.Unlock()
			seen[deletion.ID]++
			return err
		}
	}
	require.NoError(t, errors.Join(together(parts...)...))
	require.Len(t, seen, 1)
	require.Equal(t, "1", w.ask("select count(*) from deletions"))
	w.whole()
}

func TestRace_restoresOfOneDeletionAreOne(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	for range rounds(t, 50) {
		deletion, err := w.delete("olga", "clients", "x-c")
		require.NoError(t, err)
		restore := func() error {
			_, err := w.restore("olga", deletion.ID, false)
			return err
		}
		row := func() error {
			_, err := w.restoreRow("adam", "clients", "x-c")
			return err
		}
		done := 0
		for _, err := range together(restore, row, restore, row) {
			if err == nil {
				done++
				continue
			}
			require.ErrorIs(t, err, softdelete.ErrNotDeleted)
		}
		require.Equal(t, 1, done)
		w.whole()
	}
}

func TestRace_deleteOfTheParentAndRestoreOfTheChild(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	for range rounds(t, 50) {
		deletion, err := w.delete("olga", "contacts", "x-k1")
		require.NoError(t, err)
		errs := together(
			func() error { _, err := w.delete("adam", "clients", "x-c"); return err },
			func() error { _, err := w.restore("olga", deletion.ID, false); return err },
		)
		require.NoError(t, errs[0])
		if errs[1] != nil {
			require.Equal(t, "parent_deleted", conflicts(t, errs[1])[0].Code)
		}
		w.whole()
		_, err = w.restoreRow("olga", "clients", "x-c")
		require.NoError(t, err)
		if errs[1] != nil {
			_, err = w.restore("olga", deletion.ID, false)
			require.NoError(t, err)
		}
		require.Empty(t, w.ask("select string_agg(id, ' ') from contacts where deleted_at is not null"))
	}
}

func TestRace_deleteAndCreateBelow(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	for range rounds(t, 50) {
		errs := together(
			func() error { _, err := w.delete("olga", "engagements", "x-e"); return err },
			func() error { _, err := w.create("adam", "tasks", `{"name":"n","projectId":"x-p1"}`); return err },
			func() error { _, err := w.create("mia", "messages", `{"content":"n","threadId":"x-h"}`); return err },
			func() error {
				_, err := w.create("adam", "portal-access", `{"engagementId":"x-e","contactId":"x-k1"}`)
				return err
			},
		)
		require.NoError(t, errs[0])
		for _, err := range errs[1:] {
			if err != nil {
				require.Contains(t, []string{"projectId", "threadId", "engagementId"}, first(wrong(t, err)))
			}
		}
		w.whole()
		_, err := w.restoreRow("olga", "engagements", "x-e")
		require.NoError(t, err)
	}
}

func first(codes map[string]string) string {
	for name := range codes {
		return name
	}
	return ""
}

func TestRace_deleteAndMoveBetweenParents(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	w.tree("y")
	w.put(`insert into tasks (id, organization_id, project_id, name) values ('moved', 'o1', 'x-p1', 'Moved')`)
	for range rounds(t, 50) {
		from := w.ask("select case project_id when 'x-p1' then 'x' else 'y' end from tasks where id = 'moved'")
		to := map[string]string{"x": "y", "y": "x"}[from]
		gone := []string{from, to}[rand.IntN(2)]
		errs := together(
			func() error { _, err := w.delete("olga", "projects", gone+"-p1"); return err },
			func() error { _, err := w.update("adam", "tasks", "moved", 0, `{"projectId":"`+to+`-p1"}`); return err },
		)
		require.NoError(t, errs[0])
		if errs[1] != nil && !errors.Is(errs[1], softdelete.ErrNotFound) {
			require.Equal(t, map[string]string{"projectId": "reference_not_found"}, wrong(t, errs[1]))
		}
		w.whole()
		_, err := w.restoreRow("olga", "projects", gone+"-p1")
		require.NoError(t, err)
	}
}

// Portal access hangs on an engagement and on a contact: it goes with whichever of two deletions comes first, and
// the later one is the first to come back.
func TestRace_deletionsMeetInTheDiamond(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	w.exec(`insert into client_portal_access (id, organization_id, engagement_id, contact_id, access_token) select 'a' || n, 'o1', 'x-e', 'x-k1', 'a' || n from generate_series(1, 20) n`)
	for range rounds(t, 50) {
		var ids [2]uuid.UUID
		errs := together(
			func() (err error) { ids[0], err = w.deleteID("olga", "engagements", "x-e"); return err },
			func() (err error) { ids[1], err = w.deleteID("adam", "clients", "x-c"); return err },
		)
		require.NoError(t, errors.Join(errs...))
		w.whole()
		require.Equal(t, "21", w.ask("select count(*) from client_portal_access where deleted_at is not null"))
		require.Equal(t, "1", w.ask("select count(distinct deletion_id) from client_portal_access where deleted_at is not null"))
		if _, err := w.restore("olga", ids[0], false); err != nil {
			require.Len(t, conflicts(t, err), 21)
			_, err = w.restore("olga", ids[1], false)
			require.NoError(t, err)
			_, err = w.restore("olga", ids[0], false)
			require.NoError(t, err)
		} else {
			_, err = w.restore("olga", ids[1], false)
			require.NoError(t, err)
		}
		w.whole()
		require.Equal(t, "0", w.ask("select count(*) from client_portal_access where deleted_at is not null"))
	}
}

func (w *world) deleteID(person, kind, id string) (uuid.UUID, error) {
	deletion, err := w.delete(person, kind, id)
	return deletion.ID, err
}

// Two owners take each other's place away: one of them stays.
func TestRace_theLastOwnersDemoteEachOther(t *testing.T) {
	w := newWorld(t)
	for n := range rounds(t, 50) {
		w.put(`update organization_members set role = 'owner', deleted_at = null, deleted_by = null, deletion_id = null where id in ('m-olga', 'm-adam')`)
		w.put(`truncate deletions`)
		demote := func(by, whom string) func() error {
			return func() error { _, err := w.update(by, "members", whom, 0, `{"role":"admin"}`); return err }
		}
		remove := func(by, whom string) func() error {
			return func() error { _, err := w.delete(by, "members", whom); return err }
		}
		errs := together([][]func() error{
			{demote("olga", "m-adam"), demote("adam", "m-olga")},
			{remove("olga", "m-adam"), remove("adam", "m-olga")},
			{demote("olga", "m-olga"), remove("adam", "m-adam")},
		}[n%3]...)
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
			} else if !errors.Is(err, store.ErrNoOrganization) && !errors.Is(err, softdelete.ErrForbidden) { // who came late was no owner any more
				require.ErrorIs(t, err, softdelete.ErrLastOwner)
			}
		}
		require.Equal(t, 1, done)
		require.Equal(t, "1", w.ask("select count(*) from organization_members where organization_id = 'o1' and role = 'owner' and deleted_at is null"))
	}
}
