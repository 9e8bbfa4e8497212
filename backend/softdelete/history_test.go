package softdelete_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// rounds is how often a test of chance is played: more often where GATEHOUSE_ROUNDS says so.
func rounds(t testing.TB, usual int) int {
	t.Helper()
	given := os.Getenv("GATEHOUSE_ROUNDS")
	if given == "" {
		return usual
	}
	n, err := strconv.Atoi(given)
	require.NoError(t, err, "GATEHOUSE_ROUNDS")
	return n
}

// A history is a random tree of rows, and random deletions and restores of them. A model of a few lines says
// what is live and what is not; after each step the database must say the same, and every column of every row
// must still be what it was before the first, but version, the tokens and the status of invitations.
func TestRestore_isExact(t *testing.T) {
	w := newWorld(t)
	for n := range rounds(t, 50) {
		h := &history{world: w, random: rand.New(rand.NewPCG(2026, uint64(n))), prefix: fmt.Sprintf("h%d-", n), deletions: map[uuid.UUID][]string{}}
		h.plant()
		before := h.snapshot()
		for step := range 16 {
			h.step()
			require.Equal(t, h.trashed(), h.stored(), "history %d, step %d: %s", n, step, h.last)
			if step%4 == 3 {
				require.Equal(t, before, h.snapshot(), "history %d, step %d: %s", n, step, h.last)
			}
		}
		h.undoAll()
		require.Equal(t, before, h.snapshot(), "history %d, undone", n)
		require.Empty(t, h.stored(), "history %d, undone", n)
	}
}

type history struct {
	*world
	random *rand.Rand
	prefix string
	rows   []*planted
	// deletions are the rows of each deletion that are still trashed.
	deletions map[uuid.UUID][]string
	last      string
}

// planted is a row of the model.
type planted struct {
	kind, id string
	parents  []*planted
	deletion uuid.UUID // Nil while it is live
}

// kinds are in an order in which parents come first, with how many of each there are.
var kinds = []struct {
	kind string
	many int
}{
	{"clients", 3}, {"contacts", 6}, {"deals", 3}, {"proposals", 2}, {"contracts", 2}, {"engagements", 3}, {"project-templates", 1}, {"projects", 4},
	{"milestones", 4}, {"tasks", 8}, {"files", 3}, {"threads", 3}, {"messages", 6}, {"invoice-schedules", 2}, {"invoices", 4}, {"payments", 4},
	{"vendors", 2}, {"bills", 2}, {"portal-access", 5}, {"roles", 3}, {"role-permissions", 4}, {"user-roles", 4}, {"invitations", 3},
}

// plant makes the tree: every reference points to a random row of its kind, and what may be null is so at times.
func (h *history) plant() {
	h.put(`insert into permissions (id, feature_area, permission_type) values ($1, 'x', 'view')`, h.prefix+"permission")
	for _, k := range kinds {
		e := h.entity(k.kind)
		for i := range k.many {
			row := &planted{kind: k.kind, id: fmt.Sprintf("%s%s-%d", h.prefix, k.kind, i)}
			columns, values := []string{"id", "organization_id"}, []any{row.id, "o1"}
			for _, f := range e.Fields {
				if value := h.value(row, f, i); value != nil {
					columns, values = append(columns, f.Column), append(values, value)
				}
			}
			places := make([]string, len(columns))
			for p := range places {
				places[p] = fmt.Sprintf("$%d", p+1)
			}
			h.put(fmt.Sprintf("insert into %s (%s) values (%s)", e.Table, strings.Join(columns, ", "), strings.Join(places, ", ")), values...)
			h.rows = append(h.rows, row)
		}
	}
}

func (h *history) value(row *planted, f *softdelete.Field, i int) any {
	switch {
	case f.Target != "":
		if f.Nullable && h.random.IntN(3) == 0 {
			return nil
		}
		of := slices.DeleteFunc(slices.Clone(h.rows), func(r *planted) bool { return r.kind != f.Target })
		target := of[h.random.IntN(len(of))]
		if f.Cascade {
			row.parents = append(row.parents, target)
		}
		return target.id
	case f.Column == "permission_id":
		// The first of each role has it: the key is unique.
		if slices.ContainsFunc(h.rows, func(r *planted) bool { return r.kind == row.kind && r.parents[0] == row.parents[0] }) {
			id := row.id + "-permission"
			h.put(`insert into permissions (id, feature_area, permission_type) values ($1, 'x', 'view')`, id)
			return id
		}
		return h.prefix + "permission"
	case f.Secret, f.Column == "name", f.Column == "email", f.Column == "user_id":
		return row.id
	case f.Column == "status" && row.kind == "invitations":
		return []string{"pending", "accepted", "expired"}[i%3]
	case !f.Nullable && (f.Required || f.Actor), h.random.IntN(2) == 0 && !f.ReadOnly:
		return map[softdelete.Type]any{
			softdelete.Text: cmp.Or(append(slices.Clone(f.Enum), "")[0], "text"), softdelete.Number: "12.34", softdelete.Integer: "7", softdelete.Boolean: true,
			softdelete.Timestamp: "2026-02-03 04:05:06.789012", softdelete.Document: `{"a": [1, 2.50]}`,
		}[f.Type]
	}
	return nil
}

// snapshot is every column of every row but those that deletions change.
func (h *history) snapshot() string {
	var parts []string
	for _, e := range store.Entities {
		parts = append(parts, fmt.Sprintf(`select coalesce(string_agg((to_jsonb(t) - '{version,deleted_at,deleted_by,deletion_id,access_token,token}'::text[]
			- case when %t then 'status' else '' end)::text, E'\n' order by t.id), '') from %s t where t.id like '%s%%'`, e.Kind == "invitations", e.Table, h.prefix))
	}
	return h.ask("select string_agg(s, E'\n') from (" + strings.Join(parts, " union all ") + ") x(s)")
}

// stored is which rows are trashed by which deletion, as the database says; trashed is what the model says.
func (h *history) stored() string {
	var parts []string
	for _, e := range store.Entities {
		parts = append(parts, fmt.Sprintf(`select t.id || ' ' || t.deletion_id || ' ' || coalesce(t.deleted_by, '') from %s t where t.id like '%s%%' and t.deleted_at is not null`, e.Table, h.prefix))
	}
	return h.ask(`select string_agg(s, E'\n' order by s collate "C") from (` + strings.Join(parts, " union all ") + ") x(s)")
}

func (h *history) trashed() string {
	var lines []string
	for _, row := range h.rows {
		if row.deletion != uuid.Nil {
			lines = append(lines, row.id+" "+row.deletion.String()+" olga")
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// step deletes a live row, restores a deletion, or restores a single row.
func (h *history) step() {
	row := h.rows[h.random.IntN(len(h.rows))]
	switch choice := h.random.IntN(4); {
	case choice < 2 && row.deletion == uuid.Nil:
		h.remove(row)
	case choice == 2 && len(h.deletions) > 0:
		ids := slices.SortedFunc(maps.Keys(h.deletions), func(a, b uuid.UUID) int { return cmp.Compare(a.String(), b.String()) })
		h.bringBack(ids[h.random.IntN(len(ids))])
	case row.deletion != uuid.Nil:
		h.bringBackRow(row)
	default:
		h.last = "nothing"
	}
}

func (h *history) remove(row *planted) {
	h.last = "delete " + row.id
	deletion, err := h.delete("olga", row.kind, row.id)
	require.NoError(h.t, err, h.last)
	counts := softdelete.Counts{}
	for _, taken := range h.below(row, uuid.Nil) {
		taken.deletion = deletion.ID
		h.deletions[deletion.ID] = append(h.deletions[deletion.ID], taken.id)
		counts[taken.kind]++
	}
	require.Equal(h.t, counts, deletion.Counts, h.last)
}

func (h *history) bringBack(id uuid.UUID) {
	h.last = "restore " + id.String()
	outcome, err := h.restore("olga", id, false)
	h.expect(h.of(id), outcome, err)
}

func (h *history) bringBackRow(row *planted) {
	h.last = "restore the row " + row.id
	outcome, err := h.restoreRow("olga", row.kind, row.id)
	h.expect(h.below(row, row.deletion), outcome, err)
}

// expect compares a restore with what the model says of the rows that were to come back.
func (h *history) expect(chosen []*planted, outcome softdelete.Outcome, err error) {
	var want []string
	for _, row := range chosen {
		for _, parent := range row.parents {
			if parent.deletion != uuid.Nil && !slices.Contains(chosen, parent) {
				want = append(want, row.id+" under "+parent.id+" of "+parent.deletion.String())
			}
		}
	}
	if want != nil {
		var got []string
		for _, conflict := range conflicts(h.t, err) {
			require.Equal(h.t, "parent_deleted", conflict.Code, h.last)
			got = append(got, conflict.ID+" under "+conflict.Parent.ID+" of "+conflict.DeletionID.String())
		}
		require.ElementsMatch(h.t, want, got, h.last)
		return
	}
	require.NoError(h.t, err, h.last)
	counts := softdelete.Counts{}
	id := chosen[0].deletion
	for _, row := range chosen {
		row.deletion = uuid.Nil
		counts[row.kind]++
	}
	require.Equal(h.t, counts, outcome.Restored, h.last)
	if len(h.of(id)) == 0 {
		delete(h.deletions, id)
		require.Equal(h.t, softdelete.Restored, outcome.Deletion.State, h.last)
	} else {
		require.Equal(h.t, softdelete.Partial, outcome.Deletion.State, h.last)
	}
}

// of are the rows that are trashed by a deletion.
func (h *history) of(id uuid.UUID) []*planted {
	return slices.DeleteFunc(slices.Clone(h.rows), func(r *planted) bool { return r.deletion != id })
}

// below are the row and what hangs on it, of those that have the deletion, or none.
func (h *history) below(row *planted, deletion uuid.UUID) []*planted {
	found := []*planted{row}
	for _, other := range h.rows { // parents are before their children
		if other.deletion == deletion && !slices.Contains(found, other) &&
			slices.ContainsFunc(other.parents, func(p *planted) bool { return slices.Contains(found, p) }) {
			found = append(found, other)
		}
	}
	return found
}

// undoAll restores all deletions, whichever can be, until nothing is left.
func (h *history) undoAll() {
	for len(h.deletions) > 0 {
		left := len(h.deletions)
		for _, id := range slices.Collect(maps.Keys(h.deletions)) {
			_, err := h.restore("olga", id, false)
			if _, conflict := errors.AsType[*softdelete.ConflictError](err); conflict {
				continue
			}
			require.NoError(h.t, err)
			for _, row := range h.of(id) {
				row.deletion = uuid.Nil
			}
			delete(h.deletions, id)
		}
		require.Less(h.t, len(h.deletions), left, "deletions keep each other from coming back")
	}
}
