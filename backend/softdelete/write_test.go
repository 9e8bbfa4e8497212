package softdelete_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// create makes a row as a person, of what a request says.
func (w *world) create(person, kind, body string) (softdelete.Record, error) {
	w.t.Helper()
	values, err := w.entity(kind).Check(object(w.t, body), true)
	require.NoError(w.t, err)
	return try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
		return w.resource(kind).Create(ctx, tx, values)
	})
}

// update changes a row as a person, by what a request says.
func (w *world) update(person, kind, id string, version int64, body string) (softdelete.Record, error) {
	w.t.Helper()
	values, err := w.entity(kind).Check(object(w.t, body), false)
	require.NoError(w.t, err)
	return try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
		return w.resource(kind).Update(ctx, tx, id, version, values)
	})
}

// wrong are the codes of a *FieldError by name.
func wrong(t testing.TB, err error) map[string]string {
	t.Helper()
	var fields *softdelete.FieldError
	require.ErrorAs(t, err, &fields)
	codes := map[string]string{}
	for _, p := range fields.Fields {
		codes[p.Name] = p.Code
	}
	return codes
}

func TestCreate_saysWhoMadeIt(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	w.exec(`insert into roles (id, organization_id, name) values ('r', 'o1', 'Helper')`)
	for _, test := range []struct{ person, kind, body, column string }{
		{"mia", "deals", `{"name":"n"}`, "owner_id"},
		{"mia", "proposals", `{"name":"n"}`, "created_by_id"},
		{"mia", "files", `{"name":"n","originalName":"n","path":"/n"}`, "uploaded_by_id"},
		{"mia", "messages", `{"threadId":"x-h","content":"n"}`, "sender_id"},
		{"adam", "user-roles", `{"userId":"max","roleId":"r"}`, "assigned_by_id"},
		{"adam", "invitations", `{"email":"new@example.com","expiresAt":"2030-01-01T00:00:00Z"}`, "invited_by_id"},
	} {
		row, err := w.create(test.person, test.kind, test.body)
		require.NoError(t, err, test.kind)
		table := w.entity(test.kind).Table
		require.Equal(t, test.person+" "+test.person+" o1",
			w.ask("select concat_ws(' ', created_by, "+test.column+", organization_id) from "+table+" where id = $1", row.Key()), test.kind)
	}
	row, err := w.create("mia", "deals", `{"name":"n","ownerId":"max"}`)
	require.NoError(t, err)
	require.Equal(t, "mia max", w.ask("select created_by || ' ' || owner_id from deals where id = $1", row.Key()))
	require.Equal(t, "0", w.ask("select count(*) from invitations where accepted_by_id is not null"))
}

// Tokens are made here, are all different, and are read by nobody.
func TestCreate_makesTokens(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	for range 2 {
		row, err := w.create("olga", "portal-access", `{"engagementId":"x-e","contactId":"x-k2"}`)
		require.NoError(t, err)
		require.Empty(t, w.entity("portal-access").Field("accessToken").Value(row))
	}
	require.Equal(t, "2 52", w.ask("select count(distinct access_token) || ' ' || min(length(access_token)) from client_portal_access where contact_id = 'x-k2'"))
}

// What is trashed, foreign or absent is all one.
func TestReferences_toWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	w.exec(`insert into client_companies (id, organization_id, name) values ('gone', 'o1', 'Gone'), ('foreign', 'o2', 'Foreign')`)
	_, err := w.delete("olga", "clients", "gone")
	require.NoError(t, err)
	want := map[string]string{"clientCompanyId": "reference_not_found"}
	for _, id := range []string{"gone", "foreign", "absent"} {
		_, err := w.create("olga", "contacts", `{"firstName":"A","lastName":"B","clientCompanyId":"`+id+`"}`)
		require.Equal(t, want, wrong(t, err), id)
		_, err = w.update("olga", "deals", "x-d", 0, `{"clientCompanyId":"`+id+`"}`)
		require.Equal(t, want, wrong(t, err), id)
	}
	_, err = w.create("olga", "role-permissions", `{"roleId":"absent","permissionId":"absent"}`)
	require.Equal(t, map[string]string{"roleId": "reference_not_found"}, wrong(t, err))
	w.exec(`insert into roles (id, organization_id, name) values ('r', 'o1', 'Helper')`)
	_, err = w.create("olga", "role-permissions", `{"roleId":"r","permissionId":"absent"}`)
	require.Equal(t, map[string]string{"permissionId": "reference_not_found"}, wrong(t, err))
}

func TestKeys_thatAnotherRowHas(t *testing.T) {
	w := newWorld(t)
	w.exec(`insert into roles (id, organization_id, name) values ('r', 'o1', 'Helper'), ('s', 'o1', 'Other'), ('f', 'o2', 'Foreign')`)
	_, err := w.create("olga", "roles", `{"name":"Helper"}`)
	require.Equal(t, map[string]string{"name": "duplicate"}, wrong(t, err))
	_, err = w.update("olga", "roles", "s", 0, `{"name":"Helper"}`)
	require.Equal(t, map[string]string{"name": "duplicate"}, wrong(t, err))
	_, err = w.create("olga", "roles", `{"name":"Foreign"}`)
	require.NoError(t, err)
	_, err = w.create("olga", "members", `{"userId":"mia"}`)
	require.Equal(t, map[string]string{"userId": "duplicate"}, wrong(t, err))
	_, err = w.update("olga", "organizations", "o1", 0, `{"slug":"theirs"}`)
	require.Equal(t, map[string]string{"slug": "duplicate"}, wrong(t, err))
	_, err = w.create("olga", "invitations", `{"email":"New@example.com","expiresAt":"2030-01-01T00:00:00Z"}`)
	require.NoError(t, err)
	_, err = w.create("olga", "invitations", `{"email":"new@EXAMPLE.com","expiresAt":"2030-01-01T00:00:00Z"}`)
	require.Equal(t, map[string]string{"email": "duplicate"}, wrong(t, err))
	// A trashed one stands in nobody's way.
	_, err = w.delete("olga", "roles", "r")
	require.NoError(t, err)
	_, err = w.create("olga", "roles", `{"name":"Helper"}`)
	require.NoError(t, err)
}

func TestUpdate_changesWhatIsGivenAlone(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	before := w.ask("select to_jsonb(d) - '{name,notes,version,updated_at}'::text[] from deals d where id = 'x-d'")
	row, err := w.update("olga", "deals", "x-d", 1, `{"name":"Renamed","notes":"it's ?0 \\ ' -- \" $1"}`)
	require.NoError(t, err)
	require.EqualValues(t, 2, row.Life().Version)
	require.Equal(t, before, w.ask("select to_jsonb(d) - '{name,notes,version,updated_at}'::text[] from deals d where id = 'x-d'"))
	require.Equal(t, `Renamed it's ?0 \ ' -- " $1 true`, w.ask("select concat_ws(' ', name, notes, (updated_at > created_at)::text) from deals where id = 'x-d'"))

	_, err = w.update("olga", "deals", "x-d", 1, `{"name":"Again"}`)
	require.ErrorIs(t, err, softdelete.ErrVersion)
	row, err = w.update("olga", "deals", "x-d", 2, `{}`)
	require.NoError(t, err)
	require.EqualValues(t, 2, row.Life().Version, "nothing was to be changed")
	row, err = w.update("olga", "deals", "x-d", 2, `{"notes":null,"value":null,"clientCompanyId":null}`)
	require.NoError(t, err)
	got := fields(t, w.entity("deals"), row)
	require.Nil(t, got["notes"])
	require.Nil(t, got["value"])
	require.Nil(t, got["clientCompanyId"])
	require.Empty(t, w.ask("select client_company_id from deals where id = 'x-d'"))
}

// Whoever reads null for a reference and writes the row back must not lose it.
func TestUpdate_keepsAReferenceToWhatIsTrashed(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	deletion, err := w.delete("olga", "clients", "x-c")
	require.NoError(t, err)
	row, err := w.update("olga", "deals", "x-d", 0, `{"clientCompanyId":null,"contactId":null,"name":"Renamed"}`)
	require.NoError(t, err)
	require.Nil(t, fields(t, w.entity("deals"), row)["clientCompanyId"])
	require.Equal(t, "x-c x-k1", w.ask("select client_company_id || ' ' || contact_id from deals where id = 'x-d'"))

	// That it is the one which is stored is told to nobody.
	_, err = w.update("olga", "deals", "x-d", 0, `{"clientCompanyId":"x-c","contactId":"x-k1"}`)
	require.Equal(t, map[string]string{"clientCompanyId": "reference_not_found", "contactId": "reference_not_found"}, wrong(t, err))

	must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Outcome, error) {
		return w.store.Deletions.Restore(ctx, tx, deletion.ID, false)
	})
	deal, err := w.get("olga", "deals", "x-d")
	require.NoError(t, err)
	require.Equal(t, "x-c", deal["clientCompanyId"])
}

// Values that were never judged write nothing that requests may not write.
func TestWrite_refusesWhatWasNotJudged(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	for _, values := range []softdelete.Values{{"name": "n", "organizationId": "o2"}, {"name": "n", "createdAt": nil}, {"name": "n", "deleted_at": nil}} {
		_, err := try(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
			return w.resource("deals").Create(ctx, tx, values)
		})
		wrong(t, err)
		_, err = try(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
			return w.resource("deals").Update(ctx, tx, "x-d", 0, values)
		})
		wrong(t, err)
	}
	_, err := try(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
		return w.resource("portal-access").Update(ctx, tx, "x-a", 0, softdelete.Values{"accessToken": "mine"})
	})
	wrong(t, err)
}

// What a role or a database is set to neither opens strings to SQL, nor lets a cascade overlook what came meanwhile.
func TestRepository_isNotBentBySettings(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	for name, value := range map[string]string{
		"standard_conforming_strings": "off", "client_encoding": "latin1", "default_transaction_isolation": "serializable",
		"search_path": "gatehouse", "timezone": "Asia/Tokyo",
	} {
		w.exec(`do $$ begin execute format('alter database %I set ` + name + ` = %L', current_database(), '` + value + `'); end $$`)
	}
	s, err := store.Open(t.Context(), store.Options{DSN: w.base.DSN(stack.AppLogin), CursorKey: key})
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, s.Do(t.Context(), request("olga"), func(ctx context.Context, tx *softdelete.Tx) error {
		var isolation string
		require.NoError(t, tx.Conn().NewRaw("show transaction_isolation").Scan(ctx, &isolation))
		require.Equal(t, "read committed", isolation)
		page, err := w.resource("deals").List(ctx, tx, softdelete.Query{Search: `\' or true --`})
		require.NoError(t, err)
		require.Empty(t, page.Rows)
		row, err := w.resource("deals").Update(ctx, tx, "x-d", 0, softdelete.Values{"name": `żółw \' `, "closedAt": time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)})
		require.NoError(t, err)
		deal := fields(t, w.entity("deals"), row)
		require.Equal(t, `żółw \' `, deal["name"])
		require.Equal(t, time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC), deal["closedAt"])
		return nil
	}))
}

// No row has an id that PostgreSQL cannot hold.
func TestRepository_findsNothingByAnIDThatCannotBe(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"\x00", "a\x00b", "\xff", "", strings.Repeat("x", 10_000)} {
		_, err := w.get("olga", "clients", id)
		require.ErrorIs(t, err, softdelete.ErrNotFound)
		_, err = w.getTrashed("olga", "clients", id)
		require.ErrorIs(t, err, softdelete.ErrNotFound)
		_, err = w.update("olga", "clients", id, 0, `{}`)
		require.ErrorIs(t, err, softdelete.ErrNotFound)
		_, err = w.delete("olga", "clients", id)
		require.ErrorIs(t, err, softdelete.ErrNotFound)
		_, err = w.restoreRow("olga", "clients", id)
		require.ErrorIs(t, err, softdelete.ErrNotFound)
		labels := must(w, "olga", func(ctx context.Context, tx *softdelete.Tx) (map[string]string, error) {
			return w.store.Deletions.Labels(ctx, tx, w.entity("clients"), []string{id})
		})
		require.Empty(t, labels)
	}
}

// Another organization's rows are nowhere: not read, not written, not deleted, not restored, not counted.
func TestRepository_knowsNothingForeign(t *testing.T) {
	w := newWorld(t)
	w.tree("x")
	_, err := w.delete("olga", "clients", "x-c")
	require.NoError(t, err)
	for _, kind := range []string{"clients", "contacts", "deals", "engagements", "invoices", "portal-access", "organizations", "members"} {
		id := map[string]string{
			"clients": "x-c", "contacts": "x-k1", "deals": "x-d", "engagements": "x-e", "invoices": "x-i", "portal-access": "x-a",
			"organizations": "o1", "members": "m-olga",
		}[kind]
		for _, id := range []string{id, "absent"} {
			_, err := w.get("eve", kind, id)
			require.ErrorIs(t, err, softdelete.ErrNotFound)
			_, err = w.update("eve", kind, id, 0, `{}`)
			require.ErrorIs(t, err, softdelete.ErrNotFound)
			_, err = w.delete("eve", kind, id)
			require.ErrorIs(t, err, softdelete.ErrNotFound)
			_, err = w.restoreRow("eve", kind, id)
			require.ErrorIs(t, err, softdelete.ErrNotFound)
			_, err = w.getTrashed("eve", kind, id)
			require.ErrorIs(t, err, softdelete.ErrNotFound)
			_, err = try(w, "eve", func(ctx context.Context, tx *softdelete.Tx) (softdelete.Preview, error) {
				return w.store.Deletions.Preview(ctx, tx, w.entity(kind), id)
			})
			require.ErrorIs(t, err, softdelete.ErrNotFound)
			labels := must(w, "eve", func(ctx context.Context, tx *softdelete.Tx) (map[string]string, error) {
				return w.store.Deletions.Labels(ctx, tx, w.entity(kind), []string{id})
			})
			require.Empty(t, labels)
		}
	}
}
