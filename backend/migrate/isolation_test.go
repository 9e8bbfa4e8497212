package migrate_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// begin starts a transaction of the app's that has entered an organization; an empty one is none.
func begin(t *testing.T, db *sql.DB, organization, actor string) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	run(t, tx, "select set_config('app.organization_id', $1, true), set_config('app.actor_id', $2, true), set_config('app.request_id', 'r-1', true)", organization, actor)
	return tx
}

// own writes rows of our own tables for an organization.
func own(t *testing.T, owner *sql.DB, prefix string) {
	t.Helper()
	run(t, owner, "insert into deletions (id, organization_id, root_kind, root_id, actor_id, deleted_at, counts, state) values (gen_random_uuid(), $1, 'deals', 'x', 'u', now(), '{}', 'trashed')", prefix+"org")
	run(t, owner, "insert into idempotency_keys (organization_id, actor_id, key, request_hash) values ($1, 'u', 'k', '')", prefix+"org")
	run(t, owner, "insert into user_identities (issuer, subject, user_id) values ('i', $1::text, $1::text)", prefix+"user")
}

var isolated = []string{"deletions", "idempotency_keys", "audit_events", "audit_envelopes", "users", "user_identities"}

func TestIsolation_everyTable(t *testing.T) {
	d := migratetest.New(t)
	owner, db := connect(t, d.DSN(stack.OwnerLogin)), connect(t, d.DSN(stack.AppLogin))
	for _, prefix := range []string{"a", "b"} {
		plant(t, owner, prefix)
		own(t, owner, prefix)
	}
	tables := isolated
	for _, each := range trashable {
		tables = append(tables, each.table)
	}
	for _, table := range tables {
		id := "organization_id"
		switch table {
		case "organizations", "users":
			id = "id"
		case "user_identities":
			id = "user_id"
		}
		for _, nobody := range []struct{ organization, actor string }{{"", ""}, {"absent", "absent"}, {"%", "%"}, {"a", "a"}} {
			tx := begin(t, db, nobody.organization, nobody.actor)
			assert.Zero(t, one[int64](t, tx, "select count("+id+") from "+table), "%s for %+v", table, nobody)
			require.NoError(t, tx.Rollback())
		}
		tx := begin(t, db, "aorg", "auser")
		assert.Positive(t, one[int64](t, tx, "select count("+id+") from "+table), table)
		assert.Zero(t, one[int64](t, tx, "select count("+id+") from "+table+" where "+id+" not in ('aorg', 'auser')"), table)
		require.NoError(t, tx.Rollback())
	}
	// Never set at all, as on a connection that is new.
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	for _, each := range trashable {
		assert.Zero(t, one[int64](t, tx, "select count(id) from "+each.table), each.table)
	}
	require.NoError(t, tx.Rollback())
}

func TestIsolation_writes(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	plant(t, owner, "b")
	for _, each := range trashable {
		tx := begin(t, db, "aorg", "auser")
		assert.Zero(t, one[int64](t, tx, "with hit as (update "+each.table+" set deleted_at = now(), deletion_id = gen_random_uuid() where id = $1 returning id) select count(*) from hit", "b"+each.row), each.table)
		err := attempt(t, tx, "delete from "+each.table+" where id = $1", "a"+each.row)
		refused(t, err, "42501", "")
		require.NoError(t, tx.Rollback())

		// A row of another organization can be neither written nor moved there.
		if each.table == "organizations" {
			continue
		}
		insert := clone(t, owner, each.table, "b"+each.row)
		tx = begin(t, db, "aorg", "auser")
		err = attempt(t, tx, values(t, owner, each.table, insert))
		refused(t, err, "42501", "")
		require.NoError(t, tx.Rollback())
	}
	tx := begin(t, db, "aorg", "auser")
	err := attempt(t, tx, "insert into organizations (id, name, slug) values ('new', 'New', 'new')")
	refused(t, err, "42501", "")
}

// values turns INSERT … SELECT from a row into INSERT … VALUES, for a login that does not see that row.
func values(t *testing.T, owner *sql.DB, table, insert string) string {
	t.Helper()
	tx, err := owner.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	defer tx.Rollback() //nolint:errcheck // Nothing is kept.
	run(t, tx, "alter table "+table+" disable trigger user")
	if table == "organization_members" || table == "roles" || table == "role_permissions" || table == "user_roles" || table == "invitations" {
		run(t, tx, "update "+table+" set deleted_at = now(), deletion_id = gen_random_uuid()")
	}
	run(t, tx, insert)
	return one[string](t, tx, fmt.Sprintf(`select format('insert into %[1]s (id, organization_id, %%s) values (%%L, %%L, %%s)',
			string_agg(quote_ident(k.key), ', '), min(r.id), min(r.organization_id), string_agg(coalesce(quote_literal(k.value), 'null'), ', '))
		from %[1]s r cross join lateral jsonb_each_text(to_jsonb(r) - 'id' - 'organization_id') k where r.id = 'clone-id'`, table))
}

func TestIsolation_people(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	plant(t, owner, "b")
	run(t, owner, "insert into users (id, email) values ('colleague', 'c@example.com'), ('former', 'f@example.com')")
	run(t, owner, "insert into organization_members (organization_id, user_id) values ('aorg', 'colleague'), ('aorg', 'former')")
	run(t, owner, "update organization_members set deleted_at = now(), deletion_id = gen_random_uuid() where user_id = 'former'")
	tx := begin(t, db, "aorg", "auser")
	assert.Equal(t, "auser,colleague", one[string](t, tx, "select string_agg(id, ',' order by id) from users"))
	self := begin(t, db, "", "buser")
	assert.Equal(t, "buser", one[string](t, self, "select string_agg(id, ',' order by id) from users"), "oneself, also before an organization is chosen")
}

func TestRights_ofTheApp(t *testing.T) {
	d := migratetest.New(t)
	owner := connect(t, d.DSN(stack.OwnerLogin))
	plant(t, owner, "a")
	own(t, owner, "a")
	for _, login := range []string{stack.AppLogin, stack.JobsLogin} {
		db := connect(t, d.DSN(login))
		for _, statement := range []string{
			"select signature_data from contracts", "select * from contracts", "select access_token from client_portal_access",
			"select token from invitations", "select password_hash from users", "update contracts set name = 'x' returning signature_data",
			"select id from invitations where token = 'x'", "update users set email = 'x'", "insert into users (email) values ('x')",
			"truncate deals", "truncate audit_events", "delete from audit_events", "update audit_events set actor_id = 'x'",
			"insert into audit_events (id, occurred_at, session_role, action, table_name, row_id, changes) values (gen_random_uuid(), now(), 'x', 'insert', 't', 'r', '{}')",
			"insert into audit_envelopes (event_id, occurred_at, column_name, side, salt, value) values (gen_random_uuid(), now(), 'c', 'to', '', '1')",
			"insert into user_identities values ('i', 's', 'auser')", "update user_identities set user_id = 'auser'",
			"select gatehouse.link_identity('i', 's', 'auser@example.com', '')", "select * from outbox", "select * from activity_events",
			"update permissions set feature_area = 'x'", "insert into gatehouse_migrations (version_id, is_applied) values (999, true)",
			"alter table deals disable row level security", "alter table deals disable trigger user", "drop trigger deals_guard on deals",
			"create table t (id int)", "create function gatehouse.f() returns int language sql as 'select 1'", "set session_replication_role = replica",
			"set role gatehouse_owner", "select gatehouse.install_guard('deals')",
		} {
			tx := begin(t, db, "aorg", "auser")
			err := attempt(t, tx, statement)
			if assert.Error(t, err, "%s: %s", login, statement) {
				refused(t, err, "42501", "")
			}
			require.NoError(t, tx.Rollback())
		}
	}
	db := connect(t, d.DSN(stack.AppLogin))
	tx := begin(t, db, "aorg", "auser")
	for _, statement := range []string{
		"update client_portal_access set access_token = 'revoked-x' where id = 'aaccess'", "update invitations set token = 'revoked-x', status = 'revoked' where id = 'ainvitation'",
		"insert into deletions (id, organization_id, root_kind, root_id, actor_id, deleted_at, counts, state) values (gen_random_uuid(), 'aorg', 'deals', 'adeal', 'auser', now(), '{}', 'trashed')",
		"update deletions set state = 'restored'", "insert into idempotency_keys (organization_id, actor_id, key, request_hash) values ('aorg', 'auser', 'x', '')",
		"delete from idempotency_keys", "select id, email from users", "select id from permissions", "select count(*) from audit_events", "select count(*) from gatehouse_migrations",
	} {
		run(t, tx, statement)
	}
	require.NoError(t, tx.Rollback())
	jobs := connect(t, d.DSN(stack.JobsLogin))
	tx = begin(t, jobs, "aorg", "auser")
	run(t, tx, "delete from payments where id = 'apayment'")
	run(t, tx, "delete from audit_envelopes where organization_id = 'aorg'")
	run(t, tx, "select gatehouse.prepare_audit_partitions()")
	err := attempt(t, tx, "select gatehouse.enter('i', 'auser', '', '', '')")
	refused(t, err, "42501", "")
}

func TestRights_ofTheAuditor(t *testing.T) {
	d := migratetest.New(t)
	owner := connect(t, d.DSN(stack.OwnerLogin))
	plant(t, owner, "a")
	plant(t, owner, "b")
	require.NoError(t, d.Postgres().Login(t.Context(), "auditor_of_tests", "gatehouse_auditor"))
	auditor := connect(t, d.DSN("auditor_of_tests"))
	assert.Equal(t, int64(2), one[int64](t, auditor, "select count(distinct organization_id) from audit_events"))
	assert.Equal(t, int64(2), one[int64](t, auditor, "select count(distinct organization_id) from audit_envelopes"))
	err := attempt(t, auditor, "select id from deals")
	refused(t, err, "42501", "")
}
