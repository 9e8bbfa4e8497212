package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

func TestDecide(t *testing.T) {
	const app, owner = "postgres://app@db/x", "postgres://owner@db/x"
	good := found{sameDatabase: true}
	for _, tc := range []struct {
		name    string
		given   given
		found   found
		want    plan
		notice  string
		wantErr string
	}{
		{name: "nothing given", want: plan{own: true, prepare: true}},
		{name: "nothing given but leave to change it", given: given{mine: "1"}, want: plan{own: true, prepare: true}},
		{name: "empty", given: given{url: app, adminURL: owner}, found: good, want: plan{prepare: true}},
		{name: "in use", given: given{url: app, adminURL: owner}, found: found{tables: 3, sameDatabase: true}, notice: "in use (tables: 3)"},
		{name: "in use, owner unknown", given: given{url: app}, found: found{tables: 1}, notice: mineEnv + "=1"},
		{name: "in use, owner elsewhere", given: given{url: app, adminURL: owner}, found: found{tables: 1}, notice: "takes it as it is"},
		{name: "in use, and may be changed", given: given{url: app, adminURL: owner, mine: "1"}, found: found{tables: 3, sameDatabase: true}, want: plan{prepare: true}},
		{name: "in use, may be changed, by nobody", given: given{url: app, mine: "1"}, found: found{tables: 3}, wantErr: "set DATABASE_ADMIN_URL"},
		{name: "empty, owner unknown", given: given{url: app}, wantErr: "set DATABASE_ADMIN_URL"},
		{name: "two databases", given: given{url: app, adminURL: owner}, wantErr: "two databases"},
		{name: "two databases, and may be changed", given: given{url: app, adminURL: owner, mine: "1"}, found: found{tables: 1}, wantErr: "two databases"},
		{name: "one login", given: given{url: owner, adminURL: owner}, found: found{sameDatabase: true, sameLogin: true}, wantErr: "own no table"},
		{name: "owner alone", given: given{adminURL: owner}, wantErr: "set both"},
		{name: "neither yes nor no", given: given{url: app, adminURL: owner, mine: "true"}, found: good, wantErr: mineEnv + "=true"},
		{name: "a no that is none", given: given{url: app, adminURL: owner, mine: "0"}, found: found{tables: 3, sameDatabase: true}, wantErr: mineEnv + "=0"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := decide(tc.given, tc.found)
			if tc.wantErr != "" {
				require.ErrorContains(t, err, tc.wantErr)
				require.Empty(t, got, "whoever overlooks the error does nothing")
				return
			}
			require.NoError(t, err)
			require.Contains(t, got.notice, tc.notice)
			got.notice = ""
			require.Equal(t, tc.want, got)
		})
	}
}

func TestLookAt_seesWhatIsThereAndWhereTheURLsLead(t *testing.T) {
	one, two := stack.DatabaseForTest(t, ""), stack.DatabaseForTest(t, "")
	app, owner := one.DSN(stack.AppLogin), one.DSN(stack.OwnerLogin)
	look := func(g given) found {
		t.Helper()
		f, err := lookAt(t.Context(), g)
		require.NoError(t, err)
		return f
	}
	require.Equal(t, found{}, look(given{}))
	require.Equal(t, found{}, look(given{url: app}), "the catalogue's own tables are nobody's")
	require.Equal(t, found{sameDatabase: true}, look(given{url: app, adminURL: owner}))
	require.Equal(t, found{sameDatabase: true, sameLogin: true}, look(given{url: owner, adminURL: owner}))

	// Also what the login that serves may not read, in any schema.
	require.NoError(t, two.Exec(t.Context(), "CREATE SCHEMA hidden; CREATE TABLE hidden.t (); CREATE VIEW v AS SELECT 1 AS one; REVOKE USAGE ON SCHEMA hidden FROM PUBLIC"))
	require.Equal(t, found{tables: 2}, look(given{url: two.DSN(stack.AppLogin)}))
	require.Equal(t, found{tables: 2}, look(given{url: app, adminURL: two.DSN(stack.OwnerLogin)}), "an owner's URL that leads elsewhere")

	for _, wrong := range []string{"127.0.0.1:1", "[::1"} {
		_, err := lookAt(t.Context(), given{url: "postgres://app:" + "s3cret" + "@" + wrong + "/x"})
		require.ErrorContains(t, err, "DATABASE_URL")
		require.NotContains(t, err.Error(), "s3cret")
	}
}
