package migrate_test

import (
	"database/sql"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// edge is a foreign key between two of the 25 tables, organizations apart. Domain.md draws them: a cascade edge takes
// the child along, a reference stays.
type edge struct{ child, key, parent, kind string }

var edges = []edge{
	{"contacts", "client_company_id", "client_companies", "cascade"},
	{"deals", "client_company_id", "client_companies", "reference"},
	{"deals", "contact_id", "contacts", "reference"},
	{"proposals", "deal_id", "deals", "reference"},
	{"proposals", "client_company_id", "client_companies", "reference"},
	{"proposals", "contact_id", "contacts", "reference"},
	{"contracts", "proposal_id", "proposals", "reference"},
	{"contracts", "deal_id", "deals", "reference"},
	{"contracts", "client_company_id", "client_companies", "reference"},
	{"contracts", "contact_id", "contacts", "reference"},
	{"engagements", "contract_id", "contracts", "reference"},
	{"engagements", "deal_id", "deals", "reference"},
	{"engagements", "client_company_id", "client_companies", "reference"},
	{"engagements", "contact_id", "contacts", "reference"},
	{"projects", "engagement_id", "engagements", "cascade"},
	{"projects", "template_id", "project_templates", "reference"},
	{"milestones", "project_id", "projects", "cascade"},
	{"tasks", "project_id", "projects", "cascade"},
	{"tasks", "milestone_id", "milestones", "reference"},
	{"file_objects", "engagement_id", "engagements", "cascade"},
	{"threads", "engagement_id", "engagements", "cascade"},
	{"messages", "thread_id", "threads", "cascade"},
	{"invoice_schedules", "engagement_id", "engagements", "cascade"},
	{"invoice_schedules", "contract_id", "contracts", "reference"},
	{"invoices", "engagement_id", "engagements", "cascade"},
	{"invoices", "schedule_id", "invoice_schedules", "reference"},
	{"invoices", "client_company_id", "client_companies", "reference"},
	{"payments", "invoice_id", "invoices", "cascade"},
	{"bills", "engagement_id", "engagements", "reference"},
	{"bills", "vendor_id", "vendors", "reference"},
	{"client_portal_access", "engagement_id", "engagements", "cascade"},
	{"client_portal_access", "contact_id", "contacts", "cascade"},
	{"role_permissions", "role_id", "roles", "cascade"},
	{"user_roles", "role_id", "roles", "cascade"},
	{"invitations", "role_id", "roles", "reference"},
}

// trashable are the 25, with the id of the row that a tree has of each.
var trashable = []struct{ table, row string }{
	{"organizations", "org"}, {"organization_members", "member"}, {"client_companies", "company"}, {"contacts", "contact"},
	{"deals", "deal"}, {"proposals", "proposal"}, {"contracts", "contract"}, {"engagements", "engagement"},
	{"project_templates", "template"}, {"projects", "project"}, {"milestones", "milestone"}, {"tasks", "task"},
	{"file_objects", "file"}, {"threads", "thread"}, {"messages", "message"}, {"invoice_schedules", "schedule"},
	{"invoices", "invoice"}, {"payments", "payment"}, {"vendors", "vendor"}, {"bills", "bill"},
	{"client_portal_access", "access"}, {"roles", "role"}, {"role_permissions", "grant"}, {"user_roles", "userrole"},
	{"invitations", "invitation"},
}

func rowOf(table string) string {
	for _, t := range trashable {
		if t.table == table {
			return t.row
		}
	}
	panic(table)
}

const aDeletion = "00000000-0000-0000-0000-00000000000d"

// trash marks a row as deleted, as the repository does.
func trash(t *testing.T, db execer, table, id string) {
	t.Helper()
	run(t, db, "update "+table+" set deleted_at = now(), deleted_by = 'u', deletion_id = $2 where id = $1", id, aDeletion)
}

func restore(t *testing.T, db execer, table, id string) {
	t.Helper()
	run(t, db, "update "+table+" set deleted_at = null, deleted_by = null, deletion_id = null where id = $1", id)
}

// refused asserts that PostgreSQL refused by this code and constraint, and named no value.
func refused(t *testing.T, err error, code, constraint string) {
	t.Helper()
	var pg *pgconn.PgError
	require.ErrorAs(t, err, &pg)
	assert.Equal(t, code, pg.Code, pg.Message)
	assert.Equal(t, constraint, pg.ConstraintName)
	assert.NotContains(t, pg.Message, "canary")
}

func TestGuard_refusesReferences(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	plant(t, owner, "b")
	run(t, owner, "insert into organizations (id, name, slug) values ('canary-org', 'C', 'c')")

	for _, e := range edges {
		constraint := fmt.Sprintf("%s_%s_live", e.child, e.key)
		t.Run(constraint, func(t *testing.T) {
			child, parent := "a"+rowOf(e.child), "a"+rowOf(e.parent)
			update := fmt.Sprintf("update %s set %s = $1 where id = $2", e.child, e.key)

			for _, give := range []struct{ name, reference string }{
				{"foreign", "b" + rowOf(e.parent)}, {"absent", "canary-absent"},
			} {
				tx := begin(t, db, "aorg", "auser")
				err := attempt(t, tx, update, give.reference, child)
				refused(t, err, "23503", constraint)
				err = attempt(t, owner, update, give.reference, child)
				refused(t, err, "23503", constraint)
			}

			// The child moves away and back again while its parent is in the trash.
			tx, err := owner.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			t.Cleanup(func() { _ = tx.Rollback() })
			trash(t, tx, e.parent, parent)
			run(t, tx, fmt.Sprintf("update %s set %s = %s where id = $1", e.child, e.key, e.key), child) // unchanged: nothing is asked
			copied := clone(t, tx, e.child, child)
			err = attempt(t, tx, copied)
			refused(t, err, "23503", constraint)
		})
	}
}

// clone is the INSERT of a row like the one given, under another id and with its unique values changed.
func clone(t *testing.T, db execer, table, id string) string {
	t.Helper()
	return one[string](t, db, `
		select format('insert into %1$I (%2$s) select %3$s from %1$I where id = %4$L', $1::text,
			string_agg(quote_ident(attname), ', ' order by attnum),
			string_agg(case when attname in ('id', 'access_token', 'token', 'email', 'slug') then quote_literal('clone-' || attname) else quote_ident(attname) end, ', ' order by attnum),
			$2::text)
		from pg_attribute where attrelid = to_regclass('public.' || $1) and attnum > 0 and not attisdropped`, table, id)
}

func TestGuard_fillsOrganizationAndMaker(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	plant(t, owner, "b")
	for _, table := range []string{"milestones", "messages", "payments", "role_permissions"} {
		assert.Equal(t, "aorg", one[string](t, owner, "select organization_id from "+table+" where id = $1", "a"+rowOf(table)), table)
	}
	tx := begin(t, db, "aorg", "auser")
	run(t, tx, "insert into milestones (id, project_id, name) values ('m', 'aproject', 'M')")
	assert.Equal(t, "aorg", one[string](t, tx, "select organization_id from milestones where id = 'm'"))
	assert.Equal(t, "auser", one[string](t, tx, "select created_by from milestones where id = 'm'"))
	run(t, tx, "insert into contacts (id, client_company_id, first_name, last_name, created_by) values ('k', 'acompany', 'A', 'B', 'somebody')")
	assert.Equal(t, "aorg", one[string](t, tx, "select organization_id from contacts where id = 'k'"), "filled where the app left it out")
	assert.Equal(t, "somebody", one[string](t, tx, "select created_by from contacts where id = 'k'"))

	err := attempt(t, tx, "insert into milestones (project_id, organization_id, name) values ('bproject', 'aorg', 'M')")
	refused(t, err, "23503", "milestones_project_id_live")
}

func TestGuard_keepsIDAndOrganization(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	plant(t, owner, "a")
	plant(t, owner, "b")
	for _, each := range trashable {
		id := "a" + each.row
		err := attempt(t, owner, "update "+each.table+" set id = 'other' where id = $1", id)
		refused(t, err, "23514", each.table+"_id_fixed")
		if each.table == "organizations" {
			continue
		}
		err = attempt(t, owner, "update "+each.table+" set organization_id = 'borg' where id = $1", id)
		refused(t, err, "23514", each.table+"_organization_id_fixed")
		run(t, owner, "update "+each.table+" set id = id, organization_id = organization_id where id = $1", id)
	}
}

func TestGuard_letsCascadesAndRestoresPass(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")

	tx := begin(t, db, "aorg", "auser")
	trash(t, tx, "projects", "aproject")
	trash(t, tx, "tasks", "atask")
	trash(t, tx, "milestones", "amilestone")
	restore(t, tx, "tasks", "atask") // while its project is in the trash: the repository decides about that, not the guard
	run(t, tx, "update tasks set name = 'renamed' where id = 'atask'")
	restore(t, tx, "milestones", "amilestone")
	restore(t, tx, "projects", "aproject")
	require.NoError(t, tx.Commit())

	// A row that is written as trashed may refer to trashed rows of its organization, and of no other.
	plant(t, owner, "b")
	trash(t, owner, "projects", "aproject")
	run(t, owner, "insert into tasks (id, organization_id, project_id, name, deleted_at, deletion_id) values ('t', 'aorg', 'aproject', 'T', now(), $1)", aDeletion)
	err := attempt(t, owner, "insert into tasks (organization_id, project_id, name, deleted_at, deletion_id) values ('aorg', 'bproject', 'T', now(), $1)", aDeletion)
	refused(t, err, "23503", "tasks_project_id_live")
}

// A child that comes while its parent is being deleted waits, and is refused when the deletion is there.
func TestGuard_childWaitsForTheDeletionOfItsParent(t *testing.T) {
	d := migratetest.New(t)
	owner, db := connect(t, d.DSN(stack.OwnerLogin)), connect(t, d.DSN(stack.AppLogin))
	plant(t, owner, "a")
	for _, commit := range []bool{false, true} {
		deleting := begin(t, db, "aorg", "auser")
		trash(t, deleting, "projects", "aproject")
		creating := begin(t, db, "aorg", "auser")
		pid := one[int](t, creating, "select pg_backend_pid()")
		done := make(chan error, 1)
		go func() {
			err := attempt(t, creating, "insert into tasks (organization_id, project_id, name) values ('aorg', 'aproject', 'late')")
			done <- err
		}()
		waitForLock(t, owner, pid)
		if commit {
			require.NoError(t, deleting.Commit())
			refused(t, <-done, "23503", "tasks_project_id_live")
		} else {
			require.NoError(t, deleting.Rollback())
			require.NoError(t, <-done)
			require.NoError(t, creating.Rollback())
		}
	}
}

// And a deletion that comes while a child is being created waits, and finds it.
func TestGuard_deletionWaitsForTheChild(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	creating := begin(t, db, "aorg", "auser")
	run(t, creating, "insert into tasks (id, organization_id, project_id, name) values ('late', 'aorg', 'aproject', 'late')")
	deleting := begin(t, db, "aorg", "auser")
	pid := one[int](t, deleting, "select pg_backend_pid()")
	done := make(chan error, 1)
	go func() {
		err := attempt(t, deleting, "update projects set deleted_at = now(), deletion_id = $1 where id = 'aproject'", aDeletion)
		done <- err
	}()
	waitForLock(t, owner, pid)
	require.NoError(t, creating.Commit())
	require.NoError(t, <-done)
	assert.Equal(t, int64(1), one[int64](t, deleting, "select count(*) from tasks where project_id = 'aproject' and id = 'late'"))
}

// waitForLock returns when the session waits for somebody's lock.
func waitForLock(t *testing.T, db *sql.DB, pid int) {
	t.Helper()
	for {
		var waits bool
		err := db.QueryRowContext(t.Context(), "select cardinality(pg_blocking_pids($1)) > 0", pid).Scan(&waits)
		require.NoError(t, err)
		if waits {
			return
		}
	}
}

func TestMarks_areWholeAndCounted(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	for _, each := range trashable {
		id := "a" + each.row
		for _, half := range []string{"deleted_at = now()", "deletion_id = '" + aDeletion + "'"} {
			err := attempt(t, owner, "update "+each.table+" set "+half+" where id = $1", id)
			refused(t, err, "23514", each.table+"_deletion_whole")
		}
		before := one[int64](t, owner, "select version from "+each.table+" where id = $1", id)
		run(t, owner, "update "+each.table+" set version = 4711 where id = $1", id)
		assert.Equal(t, before+1, one[int64](t, owner, "select version from "+each.table+" where id = $1", id), each.table)
	}
	// Ten tables have no updated_at; where there is one, deleting and restoring leave it alone.
	tx := begin(t, db, "aorg", "auser")
	before := one[string](t, tx, "select updated_at::text from deals where id = 'adeal'")
	trash(t, tx, "deals", "adeal")
	restore(t, tx, "deals", "adeal")
	assert.Equal(t, before, one[string](t, tx, "select updated_at::text from deals where id = 'adeal'"))
}

func TestLiveKeys_holdAmongLiveRowsOnly(t *testing.T) {
	_, admin := migratetest.Database(t)
	owner := connect(t, admin)
	plant(t, owner, "a")
	for _, give := range []struct{ key, table, insert string }{
		{"organization_members_user_live_key", "organization_members", "insert into organization_members (organization_id, user_id) values ('aorg', 'auser')"},
		{"roles_name_live_key", "roles", "insert into roles (organization_id, name) values ('aorg', 'Manager')"},
		{"role_permissions_permission_live_key", "role_permissions", "insert into role_permissions (role_id, permission_id) values ('arole', 'apermission')"},
		{"user_roles_role_live_key", "user_roles", "insert into user_roles (organization_id, user_id, role_id) values ('aorg', 'auser', 'arole')"},
		{"invitations_email_live_key", "invitations", "insert into invitations (organization_id, email, token, invited_by_id, expires_at) values ('aorg', 'NEW@example.com', 't', 'auser', now())"},
	} {
		err := attempt(t, owner, give.insert)
		refused(t, err, "23505", give.key)
		tx, err := owner.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		trash(t, tx, give.table, "a"+rowOf(give.table))
		run(t, tx, give.insert)
		err = attempt(t, tx, "update "+give.table+" set deleted_at = null, deletion_id = null where id = $1", "a"+rowOf(give.table))
		refused(t, err, "23505", give.key)
		require.NoError(t, tx.Rollback())
	}
	run(t, owner, "update invitations set status = 'accepted'")
	run(t, owner, "insert into invitations (organization_id, email, token, invited_by_id, expires_at) values ('aorg', 'new@example.com', 't', 'auser', now())")
}
