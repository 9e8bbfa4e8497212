package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// A trigger function works with its owner's rights for whoever may put it on a table, and everybody may make a temporary
// one: the app, whose SQL somebody else may have written, must not borrow ours.
func TestRights_triggersAreNotBorrowed(t *testing.T) {
	d := migratetest.New(t)
	owner := connect(t, d.DSN(stack.OwnerLogin))
	plant(t, owner, "a")
	plant(t, owner, "b")
	events := "select count(*) from audit_events"
	before := one[int64](t, owner, events)
	for _, login := range []string{stack.AppLogin, stack.JobsLogin} {
		db := connect(t, d.DSN(login))
		for _, give := range []struct{ name, sql string }{
			{"forge the trail", `
				create temporary table deals (like public.deals);
				create trigger forge after insert on deals referencing new table as new_rows for each statement execute function gatehouse.deals_audit_insert();
				insert into deals (id, organization_id, owner_id, name, stage, version, created_at, updated_at)
					values ('forged', 'borg', 'buser', 'never was', 'lead', 1, now(), now())`},
			{"delete what is another's", `
				create temporary table engagements (id varchar, organization_id varchar, deleted_at timestamptz);
				create trigger steal before delete on engagements for each row execute function gatehouse.old_app_delete('` + login + `');
				insert into engagements values ('bengagement', 'borg');
				delete from engagements`},
			{"learn whose a row is", `
				create temporary table contacts (id varchar, organization_id varchar, client_company_id varchar, created_by varchar, deleted_at timestamptz);
				create trigger learn before insert or update on contacts for each row execute function gatehouse.contacts_guard();
				insert into contacts (id, client_company_id) values ('x', 'bcompany')`},
		} {
			tx := begin(t, db, "aorg", "auser")
			err := attempt(t, tx, give.sql)
			if assert.Error(t, err, "%s: %s", login, give.name) {
				refused(t, err, "42501", "")
			}
			_ = tx.Commit()
		}
	}
	assert.Equal(t, before, one[int64](t, owner, events))
	assert.Zero(t, one[int64](t, owner, "select count(*) from deletions"))
}

// What the app may call is what its policies and its way in need; a function that is added is nobody's until it is granted.
func TestRights_functions(t *testing.T) {
	d := migratetest.New(t)
	owner := connect(t, d.DSN(stack.OwnerLogin))
	for login, want := range map[string]string{
		stack.AppLogin:  "actor, enter, organization",
		stack.JobsLogin: "actor, organization, prepare_audit_partitions",
	} {
		assert.Equal(t, want, one[string](t, owner, `select string_agg(p.proname, ', ' order by p.proname) from pg_proc p
			where p.pronamespace = 'gatehouse'::regnamespace and has_function_privilege($1, p.oid, 'execute')`, login), login)
	}
	require.Zero(t, one[int64](t, owner, `select count(*) from pg_proc p
		where p.pronamespace = 'gatehouse'::regnamespace and has_function_privilege('public', p.oid, 'execute')`))
}
