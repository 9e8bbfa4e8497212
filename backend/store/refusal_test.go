package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// Each of these alone makes a database that must not be served from. The login is the test's own: roles are shared by
// all databases of the server.
func TestOpen_refuses(t *testing.T) {
	for _, tc := range []struct {
		name, sql string
		want      []string // a part of each reason, in their order
	}{
		{"nothing", ``, nil},
		{"a superuser", `alter role LOGIN superuser`, []string{"is a superuser"}},
		{"bypassrls", `alter role LOGIN bypassrls`, []string{"passes by row-level security"}},
		{"createrole", `alter role LOGIN createrole`, []string{"may make itself a member"}},
		{"replication", `alter role LOGIN replication`, []string{"may copy the whole database"}},
		{"no member of the group", `revoke gatehouse_app from LOGIN`, []string{"is no member of gatehouse_app", "may not read which migrations"}},
		{"no inheritance", `alter role LOGIN noinherit`, []string{"does not inherit", "may not read which migrations"}},
		{"a member of the jobs", `grant gatehouse_jobs to LOGIN`, []string{`a member of "gatehouse_jobs"`, "DELETE on bills, DELETE on client_companies"}},
		{"reads everything", `grant pg_read_all_data to LOGIN`, []string{`a member of "pg_read_all_data"`, "SELECT on outbox", "secrets: users.password_hash, contracts.signature_data"}},
		{"owns a table", `alter table deals owner to LOGIN`, []string{"owns tables: deals"}},
		{"a member of the owner", `grant OWNER to LOGIN`, []string{`is a member of "`, "owns tables: activity_events, audit_envelopes", "can read secrets"}},
		{"the owner's rights alone", `grant OWNER to LOGIN; revoke gatehouse_app from LOGIN`, []string{"is no member of gatehouse_app", `is a member of "`, "owns tables: activity_events", "can read secrets"}},
		{"may delete", `grant delete on deals to LOGIN`, []string{"DELETE on deals"}},
		{"may truncate, by the group", `grant truncate on tasks to gatehouse_app`, []string{"not have: TRUNCATE on tasks"}},
		{"anybody may delete", `grant delete on outbox to public`, []string{"not have: DELETE on outbox"}},
		{"writes the trail", `grant insert on audit_events to LOGIN`, []string{"not have: INSERT on audit_events"}},
		{"reads a partition past the policy", `grant select on audit_events_default to LOGIN`, []string{"not have: SELECT on audit_events_default"}},
		{"writes a password", `grant update (password_hash) on users to LOGIN`, []string{"not have: UPDATE on users"}},
		{"links identities", `grant insert on user_identities to LOGIN`, []string{"not have: INSERT on user_identities"}},
		{"may put our triggers on tables of its own", `grant execute on function gatehouse.deals_audit_insert() to public`, []string{"not have: EXECUTE on gatehouse.deals_audit_insert"}},
		{"may plant functions", `grant create on schema public to public`, []string{"not have: CREATE on schema public"}},
		{"reads a secret", `grant select (access_token) on client_portal_access to LOGIN`, []string{"can read secrets: client_portal_access.access_token"}},
		{"reads all of a table", `grant select on users to LOGIN`, []string{"can read secrets: users.password_hash"}},
		{"lacks a right", `revoke insert on deals from gatehouse_app`, []string{"lacks rights: INSERT on deals"}},
		{"row-level security is off", `alter table deals disable row level security`, []string{"deals has no row-level security"}},
		{"no policy", `drop policy contacts_organization on contacts`, []string{"contacts lacks its policy"}},
		{"a policy of that name", `alter policy contacts_organization on contacts using (true)`, []string{"contacts lacks its policy"}},
		{"writes anywhere", `alter policy contacts_organization on contacts with check (true)`, []string{"contacts lacks its policy"}},
		{"a second policy", `create policy more on deals for select to gatehouse_app using (true)`, []string{"deals has 1 policy for this role beside its own"}},
		{"a policy for another role", `create policy old on deals for select to OWNER using (true)`, nil},
		{"a foreign key that nobody declared", `create table visits (client_id varchar references client_companies (id))`, []string{"visits.client_id points to client_companies"}},
		{"an older schema", `delete from gatehouse_migrations where version_id = 201`, []string{"1 migration missing, the first is 00201"}},
		{"a newer schema", `insert into gatehouse_migrations (version_id, is_applied) values (99999, true)`, nil},
		{"an unknown foreign key", `create table extra (client_id varchar references client_companies (id) on delete cascade)`, []string{"extra.client_id points to client_companies"}},
		{"a cascade that deletions do not follow", `alter table deals drop constraint deals_contact_id_fkey, add foreign key (contact_id) references contacts (id) on delete cascade`, []string{"deals.contact_id is declared as a mere reference"}},
		{"several", `alter role LOGIN bypassrls; alter table deals disable row level security; grant delete on deals to LOGIN`,
			[]string{"passes by", "deals has no row-level security", "DELETE on deals"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			d := migratetest.On(t, stack.PostgresForTest(t))
			login := "login_of_" + d.Name
			sql := strings.NewReplacer("LOGIN", login, "OWNER", stack.OwnerLogin).Replace(tc.sql)
			require.NoError(t, d.Exec(t.Context(), `create role `+login+` login inherit in role gatehouse_app; `+sql))
			t.Cleanup(func() { _ = d.Exec(t.Context(), `drop owned by `+login) })

			s, err := store.Open(t.Context(), store.Options{DSN: d.DSN(login), CursorKey: key})
			if tc.want == nil {
				require.NoError(t, err)
				require.NoError(t, s.Close())
				return
			}
			var refused *store.RefusedError
			require.ErrorAs(t, err, &refused)
			for i, want := range tc.want {
				require.Greater(t, len(refused.Reasons), i, err)
				require.Contains(t, refused.Reasons[i].What, want)
				require.NotEmpty(t, refused.Reasons[i].Cure)
			}
			require.Len(t, refused.Reasons, len(tc.want), err)
		})
	}
}

func TestOpen_refusesADatabaseWithoutMigrations(t *testing.T) {
	d := stack.DatabaseForTest(t, stack.EmptyTemplate)
	_, err := store.Open(t.Context(), store.Options{DSN: d.DSN(stack.AppLogin), CursorKey: key})
	var refused *store.RefusedError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, err.Error(), "backend migrate up")
}

func TestNew_repeatsNoPassword(t *testing.T) {
	for _, dsn := range []string{"postgres://u:canary@host:port/db", "canary", "postgres://u:canary@%zz/db", "host=x password=canary port=abc"} {
		_, err := store.New(store.Options{DSN: dsn})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "canary")
	}
}
