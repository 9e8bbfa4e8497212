package softdelete_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Everybody reads; managers write all, members their own, viewers nothing; some kinds are the managers'.
func TestRoles_write(t *testing.T) {
	w := newWorld(t)
	w.exec(`
insert into client_companies (id, organization_id, name, created_by) values ('mias', 'o1', 'A', 'mia'), ('nobodys', 'o1', 'B', null), ('maxs', 'o1', 'C', 'max');
insert into deals (id, organization_id, name, owner_id, created_by) values ('mias', 'o1', 'A', 'mia', null), ('nobodys', 'o1', 'B', 'olga', null), ('maxs', 'o1', 'C', 'olga', 'max');
insert into roles (id, organization_id, name, created_by) values ('mias', 'o1', 'A', 'mia'), ('nobodys', 'o1', 'B', null), ('maxs', 'o1', 'C', 'max')`)
	for _, kind := range []string{"clients", "deals", "roles"} {
		for _, id := range []string{"mias", "nobodys", "maxs"} {
			for _, person := range []string{"olga", "adam", "mia", "vic"} {
				want := error(nil)
				if person == "vic" || person == "mia" && (id != "mias" || kind == "roles") {
					want = softdelete.ErrForbidden
				}
				_, err := w.get(person, kind, id)
				require.NoError(t, err)
				_, err = w.update(person, kind, id, 0, `{"name":"`+id+person+`"}`)
				require.ErrorIs(t, err, want, "%s updates %s %s", person, kind, id)
				_, err = try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Preview, error) {
					return w.store.Deletions.Preview(ctx, tx, w.entity(kind), id)
				})
				require.ErrorIs(t, err, want, "%s previews %s %s", person, kind, id)
				deletion, err := w.delete(person, kind, id)
				require.ErrorIs(t, err, want, "%s deletes %s %s", person, kind, id)
				if want == nil {
					_, err = w.restore(person, deletion.ID, false)
					require.NoError(t, err)
				}
			}
		}
	}
	for person, want := range map[string]error{"olga": nil, "adam": nil, "mia": nil, "vic": softdelete.ErrForbidden} {
		_, err := w.create(person, "clients", `{"name":"n"}`)
		require.ErrorIs(t, err, want, person)
	}
	for person, want := range map[string]error{"olga": nil, "adam": nil, "mia": softdelete.ErrForbidden, "vic": softdelete.ErrForbidden} {
		_, err := w.create(person, "roles", `{"name":"of `+person+`"}`)
		require.ErrorIs(t, err, want, person)
	}
	for _, person := range []string{"olga", "adam", "mia", "vic"} {
		_, err := w.create(person, "organizations", `{"name":"n","slug":"n"}`)
		require.ErrorIs(t, err, softdelete.ErrForbidden, person)
	}
}

// A member takes along only its own, and nothing that the business has to keep or that managers alone touch.
func TestRoles_cascadeOfAMember(t *testing.T) {
	w := newWorld(t)
	w.exec(`
insert into client_companies (id, organization_id, name, created_by) values ('c', 'o1', 'A', 'mia');
insert into contacts (id, organization_id, client_company_id, first_name, last_name, created_by) values ('k1', 'o1', 'c', 'A', 'A', 'mia'), ('k2', 'o1', 'c', 'B', 'B', 'max');
insert into engagements (id, organization_id, name, owner_id) values ('e', 'o1', 'E', 'mia');
insert into invoices (id, organization_id, engagement_id, invoice_number, amount, total_amount, created_by) values ('i', 'o1', 'e', '1', 1, 1, 'mia');
insert into contracts (id, organization_id, name, created_by_id) values ('f', 'o1', 'F', 'mia');
insert into client_portal_access (id, organization_id, engagement_id, contact_id, access_token, created_by) values ('a', 'o1', 'e', 'k1', 'a', 'mia')`)
	for root, want := range map[[2]string][]softdelete.Blocked{
		{"clients", "c"}:     {{Code: "cascade_not_own", Kind: "contacts", Count: 1}, {Code: "cascade_not_own", Kind: "portal-access", Count: 1}},
		{"engagements", "e"}: {{Code: "cascade_not_own", Kind: "invoices", Count: 1}, {Code: "cascade_not_own", Kind: "portal-access", Count: 1}},
	} {
		preview := must(w, "mia", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Preview, error) {
			return w.store.Deletions.Preview(ctx, tx, w.entity(root[0]), root[1])
		})
		require.ElementsMatch(t, want, preview.Blocked)
		_, err := w.delete("mia", root[0], root[1])
		require.ErrorIs(t, err, softdelete.ErrForbidden)
		require.NotErrorIs(t, err, softdelete.ErrTooLarge)
		var blocked *softdelete.BlockedError
		require.ErrorAs(t, err, &blocked)
		require.ElementsMatch(t, want, blocked.Blocked)
	}
	w.exec(`update contacts set created_by = 'mia'; update client_portal_access set deleted_at = now(), deletion_id = gen_random_uuid()`)
	_, err := w.delete("mia", "clients", "c")
	require.NoError(t, err)
	_, err = w.delete("mia", "contracts", "f")
	require.NoError(t, err, "its own, and nothing taken along")
}

// A member sees in the Trash, and restores, what it deleted itself; a viewer has no Trash.
func TestRoles_trash(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into client_companies (id, organization_id, name, created_by) values ('mias', 'o1', 'A', 'mia'), ('maxs', 'o1', 'B', 'max'), ('olgas', 'o1', 'C', 'olga');
		insert into contacts (id, organization_id, client_company_id, first_name, last_name, created_by) values ('k', 'o1', 'mias', 'A', 'A', 'mia')`)
	mias, err := w.delete("mia", "clients", "mias")
	require.NoError(t, err)
	maxs, err := w.delete("max", "clients", "maxs")
	require.NoError(t, err)
	olgas, err := w.delete("olga", "clients", "olgas")
	require.NoError(t, err)

	trash := func(person string) (seen []softdelete.Deletion, err error) {
		page, err := try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Deletion], error) {
			return w.store.Deletions.Trash(ctx, tx, softdelete.TrashQuery{})
		})
		return page.Rows, err
	}
	for person, want := range map[string][]softdelete.Deletion{"olga": {olgas, maxs, mias}, "adam": {olgas, maxs, mias}, "mia": {mias}, "max": {maxs}} {
		seen, err := trash(person)
		require.NoError(t, err)
		require.Equal(t, want, seen, person)
	}
	_, err = trash("vic")
	require.ErrorIs(t, err, softdelete.ErrForbidden)

	for _, person := range []string{"max", "vic", "eve"} {
		_, err := w.restore(person, mias.ID, false)
		require.ErrorIs(t, err, softdelete.ErrNotFound, person)
		_, err = w.restoreRow(person, "clients", "mias")
		require.ErrorIs(t, err, softdelete.ErrNotFound, person)
		_, err = w.getTrashed(person, "contacts", "k")
		require.ErrorIs(t, err, softdelete.ErrNotFound, person)
		_, err = try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Page[softdelete.Ref], error) {
			return w.store.Deletions.Items(ctx, tx, mias.ID, "", 0, "")
		})
		require.ErrorIs(t, err, softdelete.ErrNotFound, person)
		_, err = w.delete(person, "clients", "mias")
		require.ErrorIs(t, err, softdelete.ErrNotFound, person)
	}
	for _, person := range []string{"mia", "adam"} {
		row, err := w.getTrashed(person, "contacts", "k")
		require.NoError(t, err)
		require.Nil(t, fields(t, w.entity("contacts"), row)["clientCompanyId"])
	}
	_, err = w.restoreRow("vic", "clients", "absent")
	require.ErrorIs(t, err, softdelete.ErrNotFound)
	_, err = w.restore("mia", mias.ID, false)
	require.NoError(t, err)
	_, err = w.restoreRow("vic", "clients", "mias")
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.restoreRow("mia", "clients", "mias")
	require.ErrorIs(t, err, softdelete.ErrNotDeleted)
}

// What a manager deleted of a manager's kind it does not bring back once it is a member.
func TestRoles_ofWhoWasAManager(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into roles (id, organization_id, name) values ('r', 'o1', 'R')`)
	deletion, err := w.delete("adam", "roles", "r")
	require.NoError(t, err)
	w.exec(`update organization_members set role = 'member' where id = 'm-adam'`)
	_, err = w.restore("adam", deletion.ID, false)
	require.ErrorIs(t, err, softdelete.ErrForbidden)
}

// Only an owner touches an owner's membership, and makes one; the last owner can be neither deleted nor demoted.
func TestRoles_owners(t *testing.T) {
	w := newWorld(t)
	_, err := w.update("adam", "members", "m-olga", 0, `{"role":"member"}`)
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.delete("adam", "members", "m-olga")
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.update("adam", "members", "m-adam", 0, `{"role":"owner"}`)
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.create("adam", "members", `{"userId":"eve","role":"owner"}`)
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.update("adam", "members", "m-mia", 0, `{"role":"admin"}`)
	require.NoError(t, err)

	_, err = w.update("olga", "members", "m-olga", 0, `{"role":"admin"}`)
	require.ErrorIs(t, err, softdelete.ErrLastOwner)
	_, err = w.delete("olga", "members", "m-olga")
	require.ErrorIs(t, err, softdelete.ErrLastOwner)
	preview := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Preview, error) {
		return w.store.Deletions.Preview(ctx, tx, w.entity("members"), "m-olga")
	})
	require.Equal(t, []softdelete.Blocked{{Code: "last_owner"}}, preview.Blocked)

	_, err = w.update("olga", "members", "m-adam", 0, `{"role":"owner"}`)
	require.NoError(t, err)
	deletion, err := w.delete("adam", "members", "m-olga")
	require.NoError(t, err)
	_, err = w.restore("mia", deletion.ID, false) // an admin by now
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.restoreRow("mia", "members", "m-olga")
	require.ErrorIs(t, err, softdelete.ErrForbidden)
	_, err = w.restore("adam", deletion.ID, false)
	require.NoError(t, err)
}
