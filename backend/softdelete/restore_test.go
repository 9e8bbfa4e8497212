package softdelete_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// restore restores a deletion as a person.
func (w *world) restore(person string, id uuid.UUID, acceptGaps bool) (softdelete.Outcome, error) {
	return try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Outcome, error) {
		return w.store.Deletions.Restore(ctx, tx, id, acceptGaps)
	})
}

func (w *world) restoreRow(person, kind, id string) (softdelete.Outcome, error) {
	return try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Outcome, error) {
		return w.store.Deletions.RestoreRow(ctx, tx, w.entity(kind), id)
	})
}

func (w *world) getTrashed(person, kind, id string) (softdelete.Record, error) {
	return try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
		return w.resource(kind).FetchTrashed(ctx, tx, id)
	})
}

// conflicts are those of a refused restore.
func conflicts(t testing.TB, err error) []softdelete.Conflict {
	t.Helper()
	var refused *softdelete.ConflictError
	require.ErrorAs(t, err, &refused)
	return refused.Conflicts
}

// Rows deleted earlier keep their own deletion, and come back by it alone.
func TestRestore_ofNestedDeletions(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	first, err := w.delete("olga", "contacts", "x-k1")
	require.NoError(t, err)
	require.Equal(t, softdelete.Counts{"contacts": 1, "portal-access": 1}, first.Counts)
	second, err := w.delete("olga", "clients", "x-c")
	require.NoError(t, err)
	require.Equal(t, softdelete.Counts{"clients": 1, "contacts": 1}, second.Counts)

	_, err = w.restore("olga", first.ID, false)
	require.Equal(t, []softdelete.Conflict{{
		Code: "parent_deleted", Kind: "contacts", ID: "x-k1", Label: "Ann One",
		Parent: &softdelete.Ref{Kind: "clients", ID: "x-c", Label: "Acme"}, DeletionID: second.ID,
	}}, conflicts(t, err))

	outcome, err := w.restore("olga", second.ID, false)
	require.NoError(t, err)
	require.Equal(t, second.Counts, outcome.Restored)
	_, err = w.get("olga", "contacts", "x-k1")
	require.ErrorIs(t, err, softdelete.ErrNotFound)
	_, err = w.restore("olga", second.ID, false)
	require.ErrorIs(t, err, softdelete.ErrNotDeleted)
	_, err = w.restore("olga", first.ID, false)
	require.NoError(t, err)
	_, err = w.get("olga", "contacts", "x-k1")
	require.NoError(t, err)
}

func TestRestoreRow_bringsBackWhatItTookAlong(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	deletion, err := w.delete("olga", "engagements", "x-e")
	require.NoError(t, err)
	require.Equal(t, softdelete.Counts{
		"engagements": 1, "projects": 2, "milestones": 1, "tasks": 2, "threads": 1, "messages": 1, "invoices": 1, "payments": 1, "portal-access": 1,
	}, deletion.Counts)

	_, err = w.restoreRow("olga", "tasks", "x-t1")
	require.Equal(t, []softdelete.Conflict{{
		Code: "parent_deleted", Kind: "tasks", ID: "x-t1", Label: "First",
		Parent: &softdelete.Ref{Kind: "projects", ID: "x-p1", Label: "One"}, DeletionID: deletion.ID,
	}}, conflicts(t, err))

	outcome, err := w.restoreRow("olga", "engagements", "x-e")
	require.NoError(t, err)
	require.Equal(t, softdelete.Restored, outcome.Deletion.State)
	require.Equal(t, deletion.Counts, outcome.Restored)

	deletion, err = w.delete("olga", "engagements", "x-e")
	require.NoError(t, err)
	w.exec(`update engagements set deleted_at = null, deleted_by = null, deletion_id = null where id = 'x-e'`) // as by a restore of it alone
	outcome, err = w.restoreRow("olga", "projects", "x-p1")
	require.NoError(t, err)
	require.Equal(t, softdelete.Counts{"projects": 1, "milestones": 1, "tasks": 1}, outcome.Restored)
	require.Equal(t, softdelete.Partial, outcome.Deletion.State)
	require.Equal(t, outcome.Restored, outcome.Deletion.Restored)
	require.Equal(t, 1, outcome.Deletion.Remaining["tasks"])
	require.Zero(t, outcome.Deletion.Remaining["milestones"])
	_, err = w.restoreRow("olga", "projects", "x-p1")
	require.ErrorIs(t, err, softdelete.ErrNotDeleted)

	items := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Ref], error) {
		return w.store.Deletions.Items(ctx, tx, deletion.ID, "", 2, "")
	})
	require.Equal(t, []softdelete.Ref{{Kind: "projects", ID: "x-p2", Label: "Two"}, {Kind: "tasks", ID: "x-t2", Label: "Second"}}, items.Rows)
	rest := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Ref], error) {
		return w.store.Deletions.Items(ctx, tx, deletion.ID, "", 10, items.Next)
	})
	require.Empty(t, rest.Next)
	kinds := []string{}
	for _, ref := range rest.Rows {
		kinds = append(kinds, ref.Kind)
	}
	require.Equal(t, []string{"threads", "messages", "invoices", "payments", "portal-access"}, kinds)
}

// Nothing is renamed or left out silently: the restore is refused with every reason.
func TestRestore_saysAllThatIsInTheWay(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into roles (id, organization_id, name) values ('r1', 'o1', 'Manager');
		insert into user_roles (id, organization_id, user_id, role_id) values ('ur', 'o1', 'mia', 'r1');
		insert into permissions (id, feature_area, permission_type) values ('p', 'deals', 'view');
		insert into role_permissions (id, organization_id, role_id, permission_id) values ('rp', 'o1', 'r1', 'p')`)
	deletion, err := w.delete("olga", "roles", "r1")
	require.NoError(t, err)
	w.exec(`insert into roles (id, organization_id, name) values ('r9', 'o1', 'Manager')`)
	w.exec(`update deletions set counts = counts || '{"user-roles": 3}', purged = '{"user-roles": 2}', state = 'partial' where id = $1`, deletion.ID)

	want := []softdelete.Conflict{
		{Code: "live_twin", Kind: "roles", ID: "r1", Label: "Manager", Key: []string{"name"}, Twin: &softdelete.Ref{Kind: "roles", ID: "r9", Label: "Manager"}},
		{Code: "purged", Kind: "user-roles"},
	}
	_, err = w.restore("olga", deletion.ID, false)
	require.Equal(t, want, conflicts(t, err))
	_, err = w.restore("olga", deletion.ID, true)
	require.Equal(t, want[:1], conflicts(t, err))
	require.Equal(t, "3", w.ask("select count(*) from (select deletion_id from roles union all select deletion_id from user_roles union all select deletion_id from role_permissions) t where deletion_id is not null"))

	_, err = w.update("olga", "roles", "r9", 0, `{"name":"Another"}`)
	require.NoError(t, err)
	outcome, err := w.restore("olga", deletion.ID, true)
	require.NoError(t, err)
	require.Equal(t, softdelete.Restored, outcome.Deletion.State)
	require.Equal(t, softdelete.Counts{"user-roles": 2}, outcome.Deletion.Purged)
}

// The tokens and the pending invitation are gone for good; the rest comes back.
func TestRestore_doesNotRearm(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	w.exec(`insert into invitations (id, organization_id, email, token, status, invited_by_id, expires_at) values
		('pending', 'o1', 'a@example.com', 'token-1', 'pending', 'olga', '2030-01-01'), ('accepted', 'o1', 'b@example.com', 'token-2', 'accepted', 'olga', '2030-01-01')`)
	for id, want := range map[string]struct {
		status  string
		unarmed softdelete.Counts
	}{
		"pending": {"revoked", softdelete.Counts{"invitations": 1}}, "accepted": {"accepted", softdelete.Counts{}},
	} {
		deletion, err := w.delete("olga", "invitations", id)
		require.NoError(t, err)
		require.Equal(t, want.status, w.ask("select status from invitations where id = $1", id))
		outcome, err := w.restore("olga", deletion.ID, false)
		require.NoError(t, err)
		require.Equal(t, want.unarmed, outcome.NotRearmed)
		require.Equal(t, want.status, w.ask("select status from invitations where id = $1", id))
	}
	require.Equal(t, "2", w.ask("select count(*) from invitations where token ~ '^revoked-[0-9a-f-]{36}$'"))
	deletion, err := w.delete("olga", "portal-access", "x-a")
	require.NoError(t, err)
	_, err = w.restore("olga", deletion.ID, false)
	require.NoError(t, err)
	require.Equal(t, "true", w.ask("select access_token ~ '^revoked-[0-9a-f-]{36}$' from client_portal_access where id = 'x-a'"))
}

// A twin that comes between the search for conflicts and the restore is a conflict like any other.
func TestRestore_meetsATwinThatCameMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into roles (id, organization_id, name) values ('r1', 'o1', 'Manager')`)
	deletion, err := w.delete("olga", "roles", "r1")
	require.NoError(t, err)
	// The twin's row is there and not yet committed: the search does not see it, and the key waits for it.
	twin, err := w.admin.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = twin.ExecContext(t.Context(), `insert into roles (id, organization_id, name) values ('r9', 'o1', 'Manager')`)
	require.NoError(t, err)
	refused := make(chan error, 1)
	go func() {
		_, err := w.restore("olga", deletion.ID, false)
		refused <- err
	}()
	w.untilSomebodyWaits()
	require.NoError(t, twin.Commit())
	require.Equal(t, []softdelete.Conflict{{
		Code: "live_twin", Kind: "roles", ID: "r1", Label: "Manager", Key: []string{"name"}, Twin: &softdelete.Ref{Kind: "roles", ID: "r9", Label: "Manager"},
	}}, conflicts(t, <-refused))
}

// untilSomebodyWaits returns when a transaction of the store waits for a lock.
func (w *world) untilSomebodyWaits() {
	w.t.Helper()
	for end := time.Now().Add(time.Minute); w.ask(`select count(*) from pg_locks where not granted`) == "0"; {
		require.True(w.t, time.Now().Before(end), "nobody waits")
	}
}

func TestRestore_ofAnOrganizationByItsOwner(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	client, err := w.delete("olga", "clients", "x-c")
	require.NoError(t, err)
	deletion, err := w.delete("adam", "organizations", "o1")
	require.NoError(t, err)
	require.Equal(t, softdelete.Counts{"organizations": 1}, deletion.Counts)
	require.True(t, deletion.PurgeFirst.IsZero())
	_, err = w.get("olga", "deals", "x-d")
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, _, err = w.list("olga", "deals", softdelete.Query{})
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.create("olga", "vendors", `{"name":"n"}`)
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.restore("olga", client.ID, false)
	require.ErrorIs(t, err, softdelete.ErrNotFound)
	page := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Deletion], error) {
		return w.store.Deletions.Trash(ctx, tx, softdelete.TrashQuery{})
	})
	require.Equal(t, []softdelete.Deletion{deletion}, page.Rows)
	_, err = w.getTrashed("olga", "organizations", "o1")
	require.NoError(t, err)

	_, err = w.restoreRow("olga", "organizations", "o1")
	require.NoError(t, err)
	_, err = w.get("olga", "deals", "x-d")
	require.NoError(t, err)
	_, err = w.restore("olga", client.ID, false)
	require.NoError(t, err)
}
