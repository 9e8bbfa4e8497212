package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
)

// ignored are the foreign keys that no deletion follows: the trail and the outbox keep their organization, and
// permissions are nobody's.
var ignored = []edge{
	{"activity_events", "organization_id", "organizations", "ignored"},
	{"outbox", "organization_id", "organizations", "ignored"},
	{"role_permissions", "permission_id", "permissions", "ignored"},
}

// Every foreign key of the database is one that this test knows the meaning of, and every child key has an index that
// serves all of its rows. A key that a migration adds fails here until somebody has said what a deletion makes of it.
func TestCatalogue_foreignKeys(t *testing.T) {
	_, admin := migratetest.Database(t)
	db := connect(t, admin)
	known := map[edge]bool{}
	for _, e := range edges {
		known[edge{e.child, e.key, e.parent, ""}] = true
	}
	for _, e := range ignored {
		known[edge{e.child, e.key, e.parent, ""}] = true
	}
	for _, each := range trashable {
		switch each.table {
		case "organizations", "milestones", "messages", "payments", "role_permissions":
		default:
			known[edge{each.table, "organization_id", "organizations", ""}] = true // the gate
		}
	}
	found := map[edge]bool{}
	each(t, db, `
		select c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text, c.confdeltype::text,
			exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1] and i.indpred is null and i.indisvalid)
		from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
		where c.contype = 'f' and c.connamespace = 'public'::regnamespace and c.conparentid = 0`, func(scan func(...any) error) error {
		var e edge
		var action string
		var indexed bool
		if err := scan(&e.child, &e.key, &e.parent, &action, &indexed); err != nil {
			return err
		}
		assert.True(t, known[e], "%+v is not classified", e)
		assert.True(t, indexed, "%s.%s has no index", e.child, e.key)
		found[e] = true
		if e.parent == "organizations" && (e.child == "activity_events" || e.child == "outbox") {
			assert.Equal(t, "a", action, "the trail of an organization must not go with it")
		}
		return nil
	})
	for e := range known {
		assert.True(t, found[e], "%+v is gone", e)
	}
}

// Each of the 25 tables has its columns, indexes, triggers and policy, by their names.
func TestCatalogue_everyTableIsWhole(t *testing.T) {
	_, admin := migratetest.Database(t)
	db := connect(t, admin)
	has := func(table, kind, query string, args ...any) {
		t.Helper()
		assert.True(t, one[bool](t, db, "select exists ("+query+")", args...), "%s has no %s %v", table, kind, args)
	}
	for _, each := range trashable {
		for _, column := range []struct{ name, form string }{
			{"deleted_at", "timestamp with time zone null"}, {"deleted_by", "character varying null"}, {"deletion_id", "uuid null"},
			{"version", "bigint not null"}, {"created_by", "character varying null"},
		} {
			has(each.table, "column", `select from pg_attribute where attrelid = to_regclass('public.' || $1) and attname = $2
				and format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else ' null' end = $3`, each.table, column.name, column.form)
		}
		has(each.table, "check", "select from pg_constraint where conrelid = to_regclass('public.' || $1) and conname = $1 || '_deletion_whole' and convalidated", each.table)
		indexes := []string{"_deletion_idx"}
		if each.table != "organizations" {
			indexes = append(indexes, "_live_idx", "_trash_idx")
			has(each.table, "organization", "select from pg_attribute where attrelid = to_regclass('public.' || $1) and attname = 'organization_id' and attnotnull", each.table)
		}
		for _, index := range indexes {
			has(each.table, "index", "select from pg_index where indexrelid = to_regclass('public.' || $1) and indrelid = to_regclass('public.' || $2) and indisvalid", each.table+index, each.table)
		}
		for _, trigger := range []string{"_guard", "_version", "_audit_insert", "_audit_update", "_audit_delete"} {
			has(each.table, "trigger", "select from pg_trigger where tgrelid = to_regclass('public.' || $1) and tgname = $1 || $2 and tgenabled = 'O'", each.table, trigger)
		}
		has(each.table, "policy", `select from pg_policy p join pg_class c on c.oid = p.polrelid where c.relname = $1 and p.polname = $1 || '_organization'
			and c.relrowsecurity and not c.relforcerowsecurity and polroles @> array['gatehouse_app'::regrole::oid, 'gatehouse_jobs'::regrole::oid]`, each.table)
	}
	assert.Equal(t, int64(len(trashable)), one[int64](t, db, "select cardinality(gatehouse.trashable())"))
	assert.Zero(t, one[int64](t, db, "select count(*) from pg_index where not indisvalid"))
	assert.Zero(t, one[int64](t, db, "select count(*) from pg_constraint where not convalidated"))
}

// Whatever runs with the owner's rights looks nothing up by a path that its caller may set, and only enter and the
// triggers do.
func TestCatalogue_functionsOfTheOwner(t *testing.T) {
	_, admin := migratetest.Database(t)
	db := connect(t, admin)
	count := 0
	each(t, db, `select p.proname, p.prorettype = 'trigger'::regtype, coalesce(array_to_string(p.proconfig, ' '), ''),
			has_function_privilege('public', p.oid, 'execute')
		from pg_proc p where p.pronamespace = 'gatehouse'::regnamespace and p.prosecdef`, func(scan func(...any) error) error {
		var name, config string
		var trigger, public bool
		if err := scan(&name, &trigger, &config, &public); err != nil {
			return err
		}
		count++
		assert.Contains(t, config, "search_path=pg_catalog, pg_temp", name)
		assert.False(t, public, "%s is for everybody", name)
		if !trigger {
			assert.Contains(t, []string{"enter", "prepare_audit_partitions"}, name)
		}
		return nil
	})
	assert.Equal(t, len(trashable)*4+3, count)
	// It runs with the caller's rights, but it decides who is who: only enter calls it.
	assert.False(t, one[bool](t, db, "select bool_or(has_function_privilege('public', oid, 'execute')) from pg_proc where pronamespace = 'gatehouse'::regnamespace and proname = 'link_identity'"))
	assert.Zero(t, one[int64](t, db, "select count(*) from pg_proc where pronamespace = 'gatehouse'::regnamespace and prosrc ~ 'current_user'"), "triggers decide by session_user")
}

// A list's first page and the trash come from their indexes, whole: no sort.
func TestCatalogue_listsReadTheirIndex(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	run(t, owner, "insert into deals (organization_id, owner_id, name, deleted_at, deletion_id) select 'aorg', 'auser', 'D', case when i % 3 = 0 then now() end, case when i % 3 = 0 then gen_random_uuid() end from generate_series(1, 3000) i")
	run(t, owner, "analyze deals")
	tx := begin(t, db, "aorg", "auser")
	for index, list := range map[string]string{
		"deals_live_idx":  "select id from deals where organization_id = 'aorg' and deleted_at is null order by created_at desc, id desc limit 50",
		"deals_trash_idx": "select id from deals where organization_id = 'aorg' and deleted_at is not null order by deleted_at desc, id desc limit 50",
	} {
		plan := one[string](t, tx, "explain (format json) "+list)
		assert.Contains(t, plan, index)
		assert.NotContains(t, plan, `"Sort"`)
	}
}
