package migrate_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
)

type entry struct{ status, user, organization, role, choices string }

// enter calls gatehouse.enter; an empty e-mail is one that was not verified.
func enter(t *testing.T, db execer, subject, email, wish string) (e entry) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), `select status, coalesce(user_id, ''), coalesce(organization_id, ''), coalesce(role::text, ''), coalesce(choices::text, '')
		from gatehouse.enter('https://idp.example', $1, nullif($2, ''), $3, 'r-9')`, subject, email, wish).
		Scan(&e.status, &e.user, &e.organization, &e.role, &e.choices))
	return e
}

// scope is what the transaction acts for.
func scope(t *testing.T, tx *sql.Tx) string {
	t.Helper()
	return one[string](t, tx, `select concat_ws('|', coalesce(current_setting('app.organization_id', true), ''),
		coalesce(current_setting('app.actor_id', true), ''), coalesce(current_setting('app.request_id', true), ''))`)
}

func TestEnter(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	for _, prefix := range []string{"a", "b", "c"} {
		plant(t, owner, prefix)
	}
	run(t, owner, `
		insert into users (id, email) values ('nobody', 'nobody@example.com'), ('two', 'two@example.com'), ('former', 'former@example.com'),
			('closed', 'closed@example.com'), ('viewer', 'viewer@example.com'), ('twin1', 'Twin@example.com'), ('twin2', 'twin@EXAMPLE.com'), ('none', null),
			('kin', 'kin@example.com'), ('juerg', 'JÜrg@example.com');
		insert into organization_members (organization_id, user_id, role) values ('aorg', 'two', 'admin'), ('borg', 'two', 'viewer'), ('corg', 'two', 'member'),
			('corg', 'closed', 'owner'), ('corg', 'viewer', 'viewer');
		insert into organization_members (organization_id, user_id, deleted_at, deletion_id) values ('aorg', 'former', now(), gen_random_uuid());
		insert into user_identities (issuer, subject, user_id) select 'https://idp.example', id, id from users where id in ('two', 'former', 'closed', 'viewer', 'nobody');
		update organizations set deleted_at = now(), deletion_id = gen_random_uuid() where id = 'corg'`)
	// An organization whose slug is another one's id: the id is meant.
	run(t, owner, "update organizations set slug = 'aorg' where id = 'borg'")

	for _, give := range []struct {
		name, subject, email, wish string
		want                       entry
		scope                      string
	}{
		{"first sign-in", "s-a", "auser@EXAMPLE.com", "", entry{"ok", "auser", "aorg", "owner", ""}, "aorg|auser|r-9"},
		{"address not verified", "s-x", "", "", entry{status: "no_account"}, "||"},
		{"address of nobody", "s-x", "stranger@example.com", "", entry{status: "no_account"}, "||"},
		{"pattern is no address", "s-x", "%", "", entry{status: "no_account"}, "||"},
		// Letters that lower() makes plain ones are other people's mailboxes: the Kelvin sign, and a dotted capital I.
		{"address that only looks alike", "s-x", "\u212ain@example.com", "", entry{status: "no_account"}, "||"},
		{"another that does", "s-x", "k\u0130n@example.com", "", entry{status: "no_account"}, "||"},
		{"letters beyond ASCII, as they stand", "s-u", "J\u00dcRG@Example.com", "", entry{status: "no_organization", user: "juerg"}, "||"},
		{"nobody's subject", "", "auser@example.com", "", entry{status: "no_account"}, "||"},
		{"address of two", "s-x", "TWIN@example.com", "", entry{status: "ambiguous_account"}, "||"},
		{"known, whatever the address", "two", "auser@example.com", "aorg", entry{"ok", "two", "aorg", "admin", ""}, "aorg|two|r-9"},
		{"by slug", "two", "", "aslug", entry{"ok", "two", "aorg", "admin", ""}, "aorg|two|r-9"},
		{"no membership at all", "nobody", "", "", entry{status: "no_organization", user: "nobody"}, "||"},
		{"no membership at all, with a wish", "nobody", "", "aorg", entry{status: "not_found", user: "nobody"}, "||"},
		{"membership in the trash", "former", "", "", entry{status: "no_organization", user: "former"}, "||"},
		{"membership in the trash, wished for", "former", "", "aorg", entry{status: "not_found", user: "former"}, "||"},
		{"another's organization", "s-a", "", "borg", entry{status: "not_found", user: "auser"}, "||"},
		{"organization of nobody", "s-a", "", "zzz", entry{status: "not_found", user: "auser"}, "||"},
		{"several", "two", "", "", entry{status: "choose_organization", user: "two",
			choices: `[{"id": "aorg", "name": "Org", "role": "admin", "slug": "aslug"}, {"id": "borg", "name": "Org", "role": "viewer", "slug": "aorg"}]`}, "||"},
		{"closed, owner", "closed", "", "", entry{"organization_closed", "closed", "corg", "owner", ""}, "corg|closed|r-9"},
		{"closed, owner's wish", "closed", "", "cslug", entry{"organization_closed", "closed", "corg", "owner", ""}, "corg|closed|r-9"},
		{"closed, viewer", "viewer", "", "", entry{"organization_closed", "viewer", "corg", "viewer", ""}, "||"},
		{"closed, member's wish", "two", "", "corg", entry{"organization_closed", "two", "corg", "member", ""}, "||"},
	} {
		t.Run(give.name, func(t *testing.T) {
			tx := begin(t, db, "borg", "two") // a scope that must not survive
			assert.Equal(t, give.want, enter(t, tx, give.subject, give.email, give.wish))
			assert.Equal(t, give.scope, scope(t, tx))
			require.NoError(t, tx.Commit())
			after := begin(t, db, "", "")
			assert.Equal(t, "||r-1", scope(t, after), "the scope ends with its transaction")
		})
	}

	// What was linked once stays, whatever becomes of the address.
	run(t, owner, "update users set email = 'moved@example.com' where id = 'auser'")
	tx := begin(t, db, "", "")
	assert.Equal(t, "ok", enter(t, tx, "s-a", "", "").status)

	events := trail(t, owner, "user_identities", "auser")
	require.Len(t, events, 1)
	assert.Equal(t, "insert", events[0].Action)
	assert.Equal(t, []string{"auser", "r-9", "gatehouse_app_login"}, []string{events[0].Actor, events[0].Request, events[0].Role})
	assert.Equal(t, `"s-a"`, one[string](t, owner, "select value::text from audit_envelopes where event_id = $1 and column_name = 'subject'", events[0].ID))
	assert.NotContains(t, one[string](t, owner, "select changes::text from audit_events where id = $1", events[0].ID), "s-a")
}

// An address that its provider has given to somebody else since then is no way into the account of who had it.
func TestEnter_addressGivenToAnother(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	tx := begin(t, db, "", "")
	assert.Equal(t, "ok", enter(t, tx, "first", "auser@example.com", "").status)
	assert.Equal(t, entry{status: "no_account"}, enter(t, tx, "second", "auser@example.com", ""))
	assert.Equal(t, "ok", enter(t, tx, "first", "", "").status)
	assert.Equal(t, "ok auser", one[string](t, tx, "select status || ' ' || user_id from gatehouse.enter('https://other.example', 'second', 'auser@example.com', '', '')"),
		"the same person, by another provider that vouches for the address")
	require.NoError(t, tx.Commit())
	assert.Len(t, trail(t, owner, "user_identities", "auser"), 2)
}

// Two first sign-ins of one person at once are one link: the second waits for the first, and finds it.
func TestEnter_raceOfFirstSignIns(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	first, second := begin(t, db, "", ""), begin(t, db, "", "")
	pid := one[int](t, second, "select pg_backend_pid()")
	assert.Equal(t, "ok", enter(t, first, "s", "auser@example.com", "").status)
	done := make(chan string, 1)
	go func() {
		var status string
		_ = second.QueryRowContext(t.Context(), "select status || ' ' || user_id from gatehouse.enter('https://idp.example', 's', 'auser@example.com', '', '')").Scan(&status)
		done <- status
	}()
	waitForLock(t, owner, pid)
	require.NoError(t, first.Commit())
	assert.Equal(t, "ok auser", <-done)
	require.NoError(t, second.Commit())
	assert.Equal(t, int64(1), one[int64](t, owner, "select count(*) from user_identities"))
	assert.Len(t, trail(t, owner, "user_identities", "auser"), 1)
}

// A person who may not be found is not found by tables planted on the way either.
func TestEnter_searchPathIsPinned(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	tx := begin(t, db, "", "")
	run(t, tx, "create temporary table user_identities (issuer text, subject text, user_id varchar); insert into user_identities values ('https://idp.example', 'evil', 'auser')")
	run(t, tx, "create function pg_temp.lower(text) returns text language sql as $$ select 'auser@example.com' $$")
	run(t, tx, "set local search_path = pg_temp, public")
	assert.Equal(t, "no_account", enter(t, tx, "evil", "evil@example.com", "").status)
}
