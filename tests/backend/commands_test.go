package backend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

func TestCommands_fromNothingToTheFirstRequest(t *testing.T) {
	pg := stack.PostgresForTest(t)
	d := pg.CreateDatabase(t, stack.EmptyTemplate)
	env := []string{"DATABASE_ADMIN_URL=" + d.DSN(stack.OwnerLogin)}
	said, code := run(t, env, "migrate", "up")
	require.Equal(t, 0, code, said)
	said, code = run(t, env, "migrate", "status")
	require.Equal(t, 0, code, said)
	require.NotContains(t, said, "pending")
	said, code = run(t, env, "seed")
	require.Equal(t, 0, code, said)
	require.Contains(t, said, "olivia")
	said, code = run(t, env, "check", "references")
	require.Equal(t, 0, code, said)
	said, code = run(t, env, "seed")
	require.Equal(t, 1, code)
	require.Contains(t, said, "has organizations already")

	require.NoError(t, pg.ProductLogins(t.Context()))
	h := &house{t: t, database: d, edge: callertest.New(t)}
	b := stack.BackendForTest(t, h.options())
	response, body := h.getAs("mia", b.URL()+"/api/clients?limit=1")
	require.Equal(t, 200, response.StatusCode, body)
	response, body = h.getAs("olivia", b.URL()+"/api/clients?limit=1")
	require.Equal(t, 409, response.StatusCode, "she has two organizations: %s", body)
}

func TestCheckReferences_namesRowsThatPointElsewhere(t *testing.T) {
	d := migratetest.New(t)
	require.NoError(t, d.Exec(t.Context(), business+`
		set session_replication_role = replica; -- as before there were guards
		insert into organizations (id, name, slug) values ('o2', 'Second', 'second');
		insert into contacts (id, organization_id, client_company_id, first_name, last_name) values ('k1', 'o2', 'c1', 'A', 'B'), ('k2', 'o1', 'c1', 'C', 'D');`))
	said, code := run(t, []string{"DATABASE_ADMIN_URL=" + d.DSN(stack.OwnerLogin)}, "check", "references")
	require.Equal(t, 1, code)
	require.Contains(t, said, `contacts.client_company_id: "k1" of organization "o2" refers to client_companies "c1" of organization "o1"`)
	require.NotContains(t, said, "k2")
}

// Before the migrations four tables have no organization of their own: their parent's is theirs.
func TestCheckReferences_readsTheOldSchemaToo(t *testing.T) {
	d := migratetest.New(t)
	require.NoError(t, d.Exec(t.Context(), business+`
		set session_replication_role = replica;
		insert into organizations (id, name, slug) values ('o2', 'Second', 'second');
		insert into engagements (id, organization_id, owner_id, name) values ('e1', 'o1', 'ann', 'E'), ('e2', 'o2', 'ann', 'E');
		insert into projects (id, organization_id, engagement_id, name) values ('p1', 'o1', 'e1', 'P'), ('p2', 'o2', 'e2', 'P');
		insert into milestones (id, project_id, organization_id, name) values ('s1', 'p1', 'o1', 'M');
		insert into tasks (id, organization_id, project_id, milestone_id, name) values ('t1', 'o2', 'p2', 's1', 'T'), ('t2', 'o1', 'p1', 's1', 'T');
		alter table milestones drop column organization_id cascade;`))
	said, code := run(t, []string{"DATABASE_ADMIN_URL=" + d.DSN(stack.OwnerLogin)}, "check", "references")
	require.Equal(t, 1, code, said)
	require.Contains(t, said, `tasks.milestone_id: "t1" of organization "o2" refers to milestones "s1" of organization "o1"`)
	require.NotContains(t, said, `"t2"`)
}

func TestCommands_refuseNonsense(t *testing.T) {
	for _, args := range [][]string{{"nonsense"}, {"serve", "x"}, {"seed", "x"}, {"check"}, {"check", "x"}, {"migrate"}, {"migrate", "x"}, {"seed"}, {"check", "references"}, {"version", "x"}} {
		said, code := run(t, []string{}, args...)
		require.Equal(t, 2, code, "%v: %s", args, said)
		require.Contains(t, said, "backend: ")
	}
	for _, args := range [][]string{{}, {"help"}, {"--help"}, {"version"}} {
		_, code := run(t, []string{}, args...)
		require.Equal(t, 0, code, args)
	}
}
