package migrate_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
)

type event struct {
	ID, Organization, Actor, Role, Request, Action, Table, Row, Deletion string
	Changes                                                              map[string]map[string]any
}

// trail reads the events of a row, oldest first.
func trail(t *testing.T, db *sql.DB, table, row string) []event {
	t.Helper()
	var events []event
	each(t, db, `
		select id, coalesce(organization_id, ''), coalesce(actor_id, ''), session_role, coalesce(request_id, ''), action, table_name, row_id, coalesce(deletion_id::text, ''), changes
		from audit_events where table_name = $1 and row_id = $2 order by occurred_at, id`, func(scan func(...any) error) error {
		var e event
		var changes []byte
		if err := scan(&e.ID, &e.Organization, &e.Actor, &e.Role, &e.Request, &e.Action, &e.Table, &e.Row, &e.Deletion, &changes); err != nil {
			return err
		}
		events = append(events, e)
		return json.Unmarshal(changes, &events[len(events)-1].Changes)
	}, table, row)
	return events
}

func TestAudit_saysWhoDidWhat(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")

	tx := begin(t, db, "aorg", "auser")
	run(t, tx, "update deals set name = 'Renamed', value = 13.25, closed_at = '2026-01-02 03:04:05' where id = 'adeal'")
	trash(t, tx, "deals", "adeal")
	require.NoError(t, tx.Commit())
	tx = begin(t, db, "aorg", "auser")
	restore(t, tx, "deals", "adeal")
	require.NoError(t, tx.Commit())
	tx = begin(t, db, "aorg", "auser")
	run(t, tx, "update deals set name = 'never'")
	require.NoError(t, tx.Rollback())

	events := trail(t, owner, "deals", "adeal")
	require.Len(t, events, 4)
	assert.Equal(t, "insert", events[0].Action)
	assert.Equal(t, map[string]any{"from": nil, "to": "Deal"}, events[0].Changes["name"])
	assert.NotContains(t, events[0].Changes, "closed_at", "null is no change of nothing")
	assert.Empty(t, events[0].Actor)
	assert.Equal(t, "gatehouse_owner", events[0].Role)

	e := events[1]
	assert.Equal(t, "update", e.Action)
	assert.Equal(t, []string{"aorg", "auser", "gatehouse_app_login", "r-1", ""}, []string{e.Organization, e.Actor, e.Role, e.Request, e.Deletion})
	assert.Equal(t, map[string]map[string]any{
		"name":      {"from": "Deal", "to": "Renamed"},
		"value":     {"from": 12.5, "to": 13.25},
		"closed_at": {"from": nil, "to": "2026-01-02T03:04:05"},
		"version":   {"from": 1.0, "to": 2.0},
	}, e.Changes)
	assert.Equal(t, "soft_delete", events[2].Action)
	assert.Equal(t, aDeletion, events[2].Deletion)
	assert.Equal(t, map[string]any{"from": nil, "to": aDeletion}, events[2].Changes["deletion_id"])
	assert.Equal(t, "restore", events[3].Action)
	assert.Equal(t, aDeletion, events[3].Deletion)

	run(t, owner, "delete from organizations where id = 'aorg' and false")
	run(t, owner, "delete from payments where id = 'apayment'")
	gone := trail(t, owner, "payments", "apayment")
	assert.Equal(t, "delete", gone[len(gone)-1].Action)
	assert.Equal(t, map[string]any{"from": 119.0, "to": nil}, gone[len(gone)-1].Changes["amount"])
}

// Every table writes its trail: insert, update, deletion, restore and removal, one event a row, and every column of
// every table is in it by its class.
func TestAudit_everyTable(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	plant(t, owner, "a")
	for _, each := range trashable {
		id := "a" + each.row
		trash(t, owner, each.table, id)
		restore(t, owner, each.table, id)
		organization := "aorg"
		for n, want := range []string{"insert", "soft_delete", "restore"} {
			events := trail(t, owner, each.table, id)
			require.Len(t, events, 3, each.table)
			assert.Equal(t, want, events[n].Action, each.table)
			assert.Equal(t, organization, events[n].Organization, each.table)
		}
	}
	// A removal takes its cascade along, and each row leaves its own event. The old app's cascade is the foreign keys'.
	run(t, owner, "delete from activity_events")
	run(t, owner, "delete from outbox")
	run(t, owner, "delete from organizations where id = 'aorg'")
	for _, each := range trashable {
		events := trail(t, owner, each.table, "a"+each.row)
		assert.Equal(t, "delete", events[len(events)-1].Action, each.table)
	}
}

func TestAudit_personalValuesAreInEnvelopes(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	plant(t, owner, "a")
	run(t, owner, `update contacts set email = 'canary "new" ü@example.com', phone = '1', notes = null, title = null where id = 'acontact'`)
	run(t, owner, `update messages set attachments = '{"a": [1, 2]}' where id = 'amessage'`)

	e := trail(t, owner, "contacts", "acontact")[1]
	hashes := 0
	for _, column := range []string{"email", "phone"} {
		for _, side := range []string{"from", "to"} {
			if column == "phone" && side == "from" {
				assert.Nil(t, e.Changes[column][side])
				continue
			}
			hashes++
			proved(t, owner, e, column, side)
		}
	}
	assert.Equal(t, int64(hashes), one[int64](t, owner, "select count(*) from audit_envelopes where event_id = $1", e.ID))
	assert.NotContains(t, e.Changes, "notes")
	m := trail(t, owner, "messages", "amessage")[1]
	proved(t, owner, m, "attachments", "from")
	proved(t, owner, m, "attachments", "to")
	assert.NotContains(t, one[string](t, owner, "select string_agg(changes::text, '') from audit_events"), "canary")

	// The same value twice is sealed by two salts: nobody can tell that it is the same.
	run(t, owner, "update vendors set notes = 'same', address = 'same'")
	v := trail(t, owner, "vendors", "avendor")[1]
	assert.NotEqual(t, v.Changes["notes"]["to"], v.Changes["address"]["to"])

	// Without its envelope the event still stands.
	run(t, owner, "delete from audit_envelopes where event_id = $1", e.ID)
	assert.Equal(t, e, trail(t, owner, "contacts", "acontact")[1])
}

// proved asserts that the event keeps the hash of what its envelope holds.
func proved(t *testing.T, db *sql.DB, e event, column, side string) {
	t.Helper()
	var salt []byte
	var value, organization string
	require.NoError(t, db.QueryRowContext(t.Context(), "select salt, value::text, organization_id from audit_envelopes where event_id = $1 and column_name = $2 and side = $3",
		e.ID, column, side).Scan(&salt, &value, &organization))
	assert.Len(t, salt, 16)
	assert.Equal(t, "aorg", organization)
	sum := sha256.Sum256(append(salt, value...))
	assert.Equal(t, map[string]any{"sha256": hex.EncodeToString(sum[:])}, e.Changes[column][side])
}

func TestAudit_neverSeesSecrets(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	plant(t, owner, "a")
	for _, secret := range []struct{ table, row, column string }{
		{"contracts", "acontract", "signature_data"}, {"client_portal_access", "aaccess", "access_token"}, {"invitations", "ainvitation", "token"},
	} {
		run(t, owner, fmt.Sprintf("update %s set %s = 'canary-' || gen_random_uuid() where id = $1", secret.table, secret.column), secret.row)
		run(t, owner, fmt.Sprintf("update %s set version = 1 where id = $1", secret.table), secret.row)
		events := trail(t, owner, secret.table, secret.row)
		require.Len(t, events, 3)
		for _, e := range events[:2] {
			assert.Equal(t, map[string]any{"secret": true}, e.Changes[secret.column], e.Action)
		}
		assert.NotContains(t, events[2].Changes, secret.column)
	}
	// Nor do envelopes, and nor does the trail know the users' table.
	assert.Zero(t, one[int64](t, owner, "select count(*) from audit_envelopes where value::text like '%signature%' or value::text like '%token%' or value::text like '%canary-invitation%'"))
	assert.Zero(t, one[int64](t, owner, "select count(*) from audit_events where changes::text like '%canary-%'"))
}

// A statement's events are one for each row that it changed, whatever the plan of an earlier statement was.
func TestAudit_oneEventForEachRow(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	owner.SetMaxOpenConns(1) // one session, so that the plan for one row is what the many get
	plant(t, owner, "a")
	run(t, owner, "update contacts set title = 'x'")
	run(t, owner, "insert into contacts (id, organization_id, client_company_id, first_name, last_name) select 'k' || i, 'aorg', 'acompany', 'A', 'B' from generate_series(1, 5000) i")
	run(t, owner, "update contacts set deleted_at = now(), deletion_id = $1 where client_company_id = 'acompany'", aDeletion)
	run(t, owner, "update contacts set notes = 'n' || id")
	run(t, owner, "update contacts set notes = 'x' where false")
	run(t, owner, "insert into contacts (id, organization_id, first_name, last_name) values ('k1', 'aorg', 'A', 'B'), ('new', 'aorg', 'A', 'B') on conflict (id) do update set title = 'both'")
	for action, want := range map[string]int64{"insert": 5002, "soft_delete": 5001, "update": 1 + 5001 + 1} {
		assert.Equal(t, want, one[int64](t, owner, "select count(*) from audit_events where table_name = 'contacts' and action = $1", action), action)
	}
	assert.Equal(t, int64(5001), one[int64](t, owner, "select count(*) from audit_envelopes where column_name = 'notes' and value::text like '\"n%'"))
}

func TestAudit_isAppendOnly(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	plant(t, owner, "a")
	partition := one[string](t, owner, "select tableoid::regclass::text from audit_events limit 1")
	assert.NotEqual(t, "audit_events_default", partition)
	for _, statement := range []string{
		"update %s set actor_id = 'x'", "delete from %s", "truncate %s",
	} {
		for _, table := range []string{"audit_events", partition} {
			err := attempt(t, owner, fmt.Sprintf(statement, table))
			refused(t, err, "42501", "")
		}
	}
	err := attempt(t, owner, "truncate audit_events_default")
	refused(t, err, "42501", "")
}

func TestAudit_hasPartitionsForMonthsToCome(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	for month := range 4 {
		name := one[string](t, owner, "select 'audit_events_' || to_char(date_trunc('month', now() at time zone 'UTC') + make_interval(months => $1), 'YYYY_MM')", month)
		assert.True(t, one[bool](t, owner, "select to_regclass($1) is not null", name), name)
	}
	assert.Zero(t, one[int64](t, owner, "select gatehouse.prepare_audit_partitions()"))
	assert.Zero(t, one[int64](t, owner, "select gatehouse.prepare_audit_partitions(5)"))
	// An event of a month that nobody has prepared is kept, and told.
	run(t, owner, `insert into audit_events (id, occurred_at, session_role, action, table_name, row_id, changes) values (gen_random_uuid(), now() + interval '2 years', 'x', 'insert', 't', 'r', '{}')`)
	assert.Equal(t, int64(1), one[int64](t, owner, "select gatehouse.prepare_audit_partitions()"))
	assert.Equal(t, int64(1), one[int64](t, owner, "select gatehouse.prepare_audit_partitions(30)"), "its month stays with it")
	assert.Equal(t, int64(30), one[int64](t, owner, "select count(*) from pg_inherits where inhparent = 'audit_events'::regclass and inhrelid <> 'audit_events_default'::regclass"))
}

// No column of the 25 tables is without a class: what is not personal and not secret is written as it is, so a new
// column has to be thought about here.
func TestAudit_classesOfColumns(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	assert.Zero(t, one[int64](t, owner, `select count(*) from gatehouse.audited() a, unnest(a.personal || a.secret) c
		where not exists (select from pg_attribute where attrelid = to_regclass('public.' || a.table_name) and attname = c)`), "a class for a column that is not there")
	assert.Equal(t, int64(len(trashable)), one[int64](t, owner, "select count(*) from gatehouse.audited() where table_name = any (gatehouse.trashable())"))
	assert.Equal(t, int64(len(trashable)*3), one[int64](t, owner, `select count(*) from unnest(gatehouse.trashable()) t, unnest(array['insert', 'update', 'delete']) o
		where obj_description(to_regproc('gatehouse.' || t || '_audit_' || o), 'pg_proc') = gatehouse.columns(t)`), "functions are those of the tables as they are")
}
