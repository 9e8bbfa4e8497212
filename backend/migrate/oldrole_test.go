package migrate_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

const oldApp = "old_app_of_tests"

// besides is a database whose app logs in by a role of its own, which owns nothing.
func besides(t *testing.T) stack.Database {
	t.Helper()
	d, owner := inherited(t)
	require.NoError(t, d.Postgres().Login(t.Context(), oldApp))
	run(t, owner, "grant select, insert, update, delete, truncate on all tables in schema public to "+oldApp)
	return d
}

func TestUp_doesNotBlindTheOldApp(t *testing.T) {
	d := besides(t)
	m := open(t, d, migrate.Options{})
	require.NoError(t, m.Adopt(t.Context()))
	var blind *migrate.BlindError
	require.ErrorAs(t, m.Up(t.Context()), &blind)
	assert.Equal(t, []string{oldApp}, blind.Roles)
	var output bytes.Buffer
	require.NoError(t, open(t, d, migrate.Options{Output: &output}).Plan(t.Context()))
	assert.Contains(t, output.String(), "stop: "+blind.Error())
	require.NoError(t, open(t, d, migrate.Options{Blind: []string{oldApp}}).Up(t.Context()))
	assert.Zero(t, one[int64](t, connect(t, d.DSN(oldApp)), "select count(*) from deals"), "as was asked for")
}

func TestUp_oldAppWorksOn(t *testing.T) {
	d := besides(t)
	owner, old := connect(t, d.DSN(stack.OwnerLogin)), connect(t, d.DSN(oldApp))
	m := open(t, d, migrate.Options{OldRole: oldApp})
	require.NoError(t, m.Adopt(t.Context()))
	before := dump(t, d)
	require.NoError(t, m.Up(t.Context()))
	require.NoError(t, m.Up(t.Context()), "and again")

	assert.Equal(t, int64(2), one[int64](t, old, "select count(*) from deals"))
	assert.Equal(t, int64(2), one[int64](t, old, "select count(*) from users"))
	run(t, old, "insert into tasks (id, organization_id, project_id, name) values ('new', 'aorg', 'aproject', 'N')")
	run(t, old, "update tasks set name = 'changed' where id = 'new'")
	refused(t, attempt(t, old, "truncate tasks"), "42501", "")

	run(t, old, "delete from engagements where id = 'aengagement'")
	assert.Zero(t, one[int64](t, old, "select count(*) from engagements where id = 'aengagement'"))
	assert.Equal(t, int64(1), one[int64](t, old, "select count(*) from tasks"), "the cascade is gone from its sight")
	counts := `{"tasks": 2, "files": 1, "threads": 1, "invoices": 1, "messages": 1, "payments": 1, "projects": 1, "milestones": 1, "engagements": 1, "portal-access": 1, "invoice-schedules": 1}`
	assert.JSONEq(t, counts, one[string](t, owner, "select counts::text from deletions where root_kind = 'engagements' and root_id = 'aengagement' and organization_id = 'aorg' and actor_id = $1", oldApp))
	assert.Equal(t, int64(13-1), one[int64](t, owner, "select count(*) from audit_events where action = 'soft_delete'"))
	assert.Equal(t, int64(13-1), one[int64](t, owner, "select count(*) from audit_events where action = 'soft_delete' and session_role = $1 and deletion_id = (select id from deletions)", oldApp))
	assert.Regexp(t, "^revoked-", one[string](t, owner, "select access_token from client_portal_access where id = 'aaccess'"))
	assert.Equal(t, "baccess", one[string](t, owner, "select string_agg(id, ',') from client_portal_access where deleted_at is null"))

	run(t, old, "delete from invitations where id = 'ainvitation'")
	assert.Equal(t, "revoked", one[string](t, owner, "select status from invitations where id = 'ainvitation'"))
	run(t, old, "delete from organizations where id = 'borg'")
	assert.Equal(t, int64(1), one[int64](t, owner, "select count(*) from deals where organization_id = 'borg' and deleted_at is null"), "an organization is a gate")
	assert.Equal(t, "borg", one[string](t, owner, "select organization_id from deletions where root_kind = 'organizations'"))

	// What belongs to a row by either of its two parents is marked once; what was deleted before keeps its own deletion.
	run(t, old, "delete from client_companies where id = 'bcompany'")
	assert.JSONEq(t, `{"clients": 1, "contacts": 1, "portal-access": 1}`, one[string](t, owner, "select counts::text from deletions where root_id = 'bcompany'"))

	// The owner still removes for good.
	run(t, owner, "delete from payments where id = 'bpayment'")
	assert.Zero(t, one[int64](t, owner, "select count(*) from payments where id = 'bpayment'"))

	require.NoError(t, m.DropOldRole(t.Context()))
	assert.Zero(t, one[int64](t, old, "select count(*) from deals"))
	for _, each := range trashable {
		run(t, owner, "update "+each.table+" set deleted_at = null, deleted_by = null, deletion_id = null where deleted_at is not null")
	}
	require.NoError(t, m.Up(t.Context()), "installed again")
	require.NoError(t, m.Down(t.Context(), true))
	assert.Equal(t, before, dumpAfterTruncateIsGranted(t, d))
	run(t, old, "delete from organization_members where id = 'amember'")
	assert.Zero(t, one[int64](t, owner, "select count(*) from organization_members where id = 'amember'"), "for good, as before")
}

// dumpAfterTruncateIsGranted gives back the one right that is not: TRUNCATE, which the old app had no business with.
func dumpAfterTruncateIsGranted(t *testing.T, d stack.Database) string {
	t.Helper()
	run(t, connect(t, d.DSN(stack.OwnerLogin)), "grant truncate on all tables in schema public to "+oldApp)
	return dump(t, d)
}

func TestUp_oldRoleIsALoginOfItsOwn(t *testing.T) {
	d, _ := inherited(t)
	require.NoError(t, open(t, d, migrate.Options{}).Adopt(t.Context()))
	var notReady *migrate.NotReadyError
	require.ErrorAs(t, open(t, d, migrate.Options{OldRole: stack.OwnerLogin}).Up(t.Context()), &notReady)
	assert.Contains(t, notReady.SQL, `create role "gatehouse_owner_app" login`)
	require.ErrorContains(t, open(t, d, migrate.Options{OldRole: "nobody"}).Up(t.Context()), "nobody")
}
