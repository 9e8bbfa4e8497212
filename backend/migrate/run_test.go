package migrate_test

import (
	"bytes"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/migrations"
)

// open connects as the owner; the migrator is closed with the test.
func open(t *testing.T, d stack.Database, opts migrate.Options) *migrate.Migrator {
	t.Helper()
	if opts.Output == nil {
		opts.Output = t.Output()
	}
	m, err := migrate.Open(t.Context(), d.DSN(stack.OwnerLogin), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// inherited is a database as the app has made it, without a word of ours, and with rows of two organizations.
func inherited(t *testing.T) (stack.Database, *sql.DB) {
	t.Helper()
	return inherit(t, stack.DatabaseForTest(t, ""))
}

func inherit(t *testing.T, d stack.Database) (stack.Database, *sql.DB) {
	t.Helper()
	owner := connect(t, d.DSN(stack.OwnerLogin))
	run(t, owner, baseline(t))
	plant(t, owner, "a")
	plant(t, owner, "b")
	return d, owner
}

// baseline is what the first migration does.
func baseline(t *testing.T) string {
	t.Helper()
	text, err := migrations.FS.ReadFile("00001_baseline.sql")
	require.NoError(t, err)
	_, up, _ := strings.Cut(string(text), "-- +goose Up")
	up, _, _ = strings.Cut(up, "-- +goose Down")
	return up
}

// dump is the schema as pg_dump writes it, without the names of its own runs.
func dump(t *testing.T, d stack.Database, exclude ...string) string {
	t.Helper()
	args := []string{"--schema-only", "--exclude-table=gatehouse_migrations*"}
	for _, table := range exclude {
		args = append(args, "--exclude-table="+table)
	}
	out, err := exec.CommandContext(t.Context(), pgDump(t), append(args, d.DSN(stack.OwnerLogin))...).Output()
	require.NoError(t, err)
	return regexp.MustCompile(`(?m)^\\(un)?restrict .*$`).ReplaceAllString(string(out), "")
}

// pgDump is the one of the server's version: beside postgres, or beside what that is a link to.
func pgDump(t *testing.T) string {
	t.Helper()
	programs, err := stack.PostgresPrograms()
	require.NoError(t, err)
	beside := filepath.Join(programs.Bin, "pg_dump")
	if _, err := os.Stat(beside); err == nil {
		return beside
	}
	postgres, err := filepath.EvalSymlinks(filepath.Join(programs.Bin, "postgres"))
	require.NoError(t, err)
	return filepath.Join(filepath.Dir(postgres), "pg_dump")
}

func TestUp_fromNothingAndAgain(t *testing.T) {
	d := stack.DatabaseForTest(t, "")
	m := open(t, d, migrate.Options{})
	require.NoError(t, m.Up(t.Context()))
	first := dump(t, d)
	require.NoError(t, m.Up(t.Context()))
	assert.Equal(t, first, dump(t, d))
	states, err := m.Status(t.Context())
	require.NoError(t, err)
	for _, s := range states {
		assert.False(t, s.AppliedAt.IsZero(), s.Name)
	}
}

func TestUpAndDown_giveTheBaselineBack(t *testing.T) {
	d, owner := inherited(t)
	before := dump(t, d)
	m := open(t, d, migrate.Options{})
	require.NoError(t, m.Adopt(t.Context()))
	require.NoError(t, m.Up(t.Context()))
	var trail *migrate.TrailError
	run(t, owner, "update deals set name = 'x'")
	require.ErrorAs(t, m.Down(t.Context(), false), &trail)
	assert.Equal(t, int64(2), trail.Events)
	require.NoError(t, m.Down(t.Context(), true))
	assert.Equal(t, before, dump(t, d))
	assert.Equal(t, int64(2), one[int64](t, owner, "select count(*) from messages"), "rows stay")

	require.NoError(t, m.Up(t.Context()), "and up again")
	require.NoError(t, m.Down(t.Context(), true))
	require.NoError(t, m.Down(t.Context(), true), "there is nothing below the baseline")
	assert.Equal(t, before, dump(t, d))
}

func TestDown_refusesWhileRowsAreInTheTrash(t *testing.T) {
	d := migratetest.New(t)
	owner := connect(t, d.DSN(stack.OwnerLogin))
	plant(t, owner, "a")
	trash(t, owner, "deals", "adeal")
	trash(t, owner, "payments", "apayment")
	before := dump(t, d)
	var trashed *migrate.TrashedError
	require.ErrorAs(t, open(t, d, migrate.Options{}).Down(t.Context(), true), &trashed)
	assert.Equal(t, map[string]int64{"deals": 1, "payments": 1}, trashed.Rows)
	assert.Equal(t, before, dump(t, d))
}

func TestUp_asksForAdoption(t *testing.T) {
	d, _ := inherited(t)
	before := dump(t, d)
	require.ErrorIs(t, open(t, d, migrate.Options{}).Up(t.Context()), migrate.ErrNotAdopted)
	assert.Equal(t, before, dump(t, d))
}

func TestUp_stopsAtDuplicates(t *testing.T) {
	d, owner := inherited(t)
	run(t, owner, `
		insert into organization_members (id, organization_id, user_id) values ('twin', 'aorg', 'auser'), ('triplet', 'aorg', 'auser');
		insert into roles (id, organization_id, name) values ('role2', 'aorg', 'Manager'), ('other', 'aorg', 'manager');
		insert into role_permissions (id, role_id, permission_id) values ('grant2', 'arole', 'apermission');
		insert into user_roles (id, user_id, role_id, organization_id) values ('userrole2', 'auser', 'arole', 'aorg');
		insert into invitations (id, organization_id, email, token, invited_by_id, expires_at) values ('inv2', 'aorg', 'NEW@Example.com', 't2', 'auser', now()), ('inv3', 'borg', 'x@example.com', 't3', 'auser', now());
		insert into invitations (id, organization_id, email, token, status, invited_by_id, expires_at) values ('inv4', 'aorg', 'new@example.com', 't4', 'accepted', 'auser', now())`)
	m := open(t, d, migrate.Options{})
	require.NoError(t, m.Adopt(t.Context()))
	before := dump(t, d)
	err := m.Up(t.Context())
	require.Error(t, err)
	for _, group := range []string{
		"organization_members: amember, triplet, twin", "roles: arole, role2", "role_permissions: agrant, grant2",
		"user_roles: auserrole, userrole2", "invitations: ainvitation, inv2",
	} {
		assert.Contains(t, err.Error(), group)
	}
	assert.NotContains(t, err.Error(), "example.com")
	assert.Equal(t, before, dump(t, d), "nothing has changed yet")
	var output bytes.Buffer
	require.NoError(t, open(t, d, migrate.Options{Output: &output}).Plan(t.Context()))
	assert.Contains(t, output.String(), "organization_members: amember, triplet, twin")

	run(t, owner, `delete from organization_members where id in ('twin', 'triplet'); delete from roles where id = 'role2'; delete from role_permissions where id = 'grant2';
		delete from user_roles where id = 'userrole2'; delete from invitations where id = 'inv2'`)
	require.NoError(t, m.Up(t.Context()))
}

// A duplicate that comes while the migrations run stops them at its key, with the ids; when it is gone they go on, and
// the index that the failed build has left behind does not stay.
func TestUp_duplicateWhileItRuns(t *testing.T) {
	d, owner := inherited(t)
	at := &watcher{line: "up   00195", do: func() {
		run(t, owner, "insert into roles (id, organization_id, name) values ('late', 'aorg', 'Manager')")
	}}
	m := open(t, d, migrate.Options{Output: at})
	require.NoError(t, m.Adopt(t.Context()))
	err := m.Up(t.Context())
	var duplicates *migrate.DuplicatesError
	require.ErrorAs(t, err, &duplicates)
	assert.Equal(t, &migrate.DuplicatesError{Table: "roles", Key: "roles_name_live_key", Rows: [][]string{{"arole", "late"}}}, duplicates)

	// As a build that was killed leaves it.
	require.Error(t, attempt(t, owner, "create unique index concurrently roles_name_live_key on roles (organization_id, name) where deleted_at is null"))
	assert.False(t, one[bool](t, owner, "select indisvalid from pg_index where indexrelid = 'roles_name_live_key'::regclass"))
	run(t, owner, "delete from roles where id = 'late'")
	require.NoError(t, m.Up(t.Context()))
	assert.True(t, one[bool](t, owner, "select indisvalid and indisunique from pg_index where indexrelid = 'roles_name_live_key'::regclass"))
}

// watcher does something once, when the migrator says a line.
type watcher struct {
	line string
	do   func()
	log  bytes.Buffer
}

func (w *watcher) Write(p []byte) (int, error) {
	if do := w.do; do != nil && strings.HasPrefix(string(p), w.line) {
		w.do = nil
		do()
	}
	return w.log.Write(p)
}

// Two programs that migrate at once take turns, and both end well.
func TestUp_twoAtOnce(t *testing.T) {
	d := stack.DatabaseForTest(t, "")
	errs := make(chan error, 2)
	for range 2 {
		m := open(t, d, migrate.Options{})
		go func() { errs <- m.Up(t.Context()) }()
	}
	require.NoError(t, errors.Join(<-errs, <-errs))
}

func TestUp_givesUpWhenNobodyLetsItPass(t *testing.T) {
	d, owner := inherited(t)
	blocker, err := owner.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = blocker.Rollback() })
	run(t, blocker, "lock table engagements in row exclusive mode")
	m := open(t, d, migrate.Options{LockTimeout: 5 * time.Millisecond, Patience: time.Nanosecond})
	require.NoError(t, m.Adopt(t.Context()))
	err = m.Up(t.Context())
	require.ErrorContains(t, err, "00003_detach_activity_from_engagements.sql")
	require.ErrorContains(t, err, "pg_stat_activity")
}

func TestUp_writesTriggersAgainForNewColumns(t *testing.T) {
	d := migratetest.New(t)
	owner := connect(t, d.DSN(stack.OwnerLogin))
	plant(t, owner, "a")
	run(t, owner, "alter table deals add column colour text, add column shape point, drop column closed_at")
	require.NoError(t, open(t, d, migrate.Options{}).Up(t.Context()))
	run(t, owner, "update deals set colour = 'red', shape = '(1,2)'")
	e := trail(t, owner, "deals", "adeal")
	assert.Equal(t, map[string]any{"from": nil, "to": "red"}, e[len(e)-1].Changes["colour"])
	assert.Equal(t, map[string]any{"from": nil, "to": "(1,2)"}, e[len(e)-1].Changes["shape"])
}

func TestPlan_changesNothing(t *testing.T) {
	d, _ := inherited(t)
	before := dump(t, d)
	var output bytes.Buffer
	require.NoError(t, open(t, d, migrate.Options{Output: &output}).Plan(t.Context()))
	assert.Contains(t, output.String(), "stop: "+migrate.ErrNotAdopted.Error())
	assert.Contains(t, output.String(), "locks: ACCESS EXCLUSIVE on activity_events and engagements")
	assert.Equal(t, before, dump(t, d))
	assert.False(t, one[bool](t, connect(t, d.DSN(stack.OwnerLogin)), "select to_regclass('gatehouse_migrations') is not null"))
}

func TestOpen_stopsWithWhatToRunWhenItMayNot(t *testing.T) {
	pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{})
	d := pg.CreateDatabase(t, "")
	ctx := t.Context()
	require.NoError(t, pg.Login(ctx, "weak"))
	require.NoError(t, d.Exec(ctx, "grant create on schema public to weak"))
	m, err := migrate.Open(ctx, d.DSN("weak"), migrate.Options{Output: t.Output()})
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })

	var notReady *migrate.NotReadyError
	require.ErrorAs(t, m.Up(ctx), &notReady)
	assert.Contains(t, notReady.SQL, "grant create on database")
	require.NoError(t, d.Exec(ctx, notReady.SQL))
	require.ErrorAs(t, m.Up(ctx), &notReady)
	assert.Equal(t, migrate.RolesSQL(), notReady.SQL)
	require.NoError(t, d.Exec(ctx, notReady.SQL))
	require.NoError(t, m.Up(ctx))

	require.NoError(t, pg.Login(ctx, "stranger"))
	require.NoError(t, d.Exec(ctx, "grant create on schema public to stranger; do $$ begin execute format('grant create on database %I to stranger', current_database()); end $$"))
	other, err := migrate.Open(ctx, d.DSN("stranger"), migrate.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = other.Close() })
	require.ErrorContains(t, other.Down(ctx, true), "permission denied")
}

func TestCommand(t *testing.T) {
	var output bytes.Buffer
	var usage *migrate.UsageError
	for _, args := range [][]string{{}, {"sideways"}, {"up", "--force"}, {"up", "now"}, {"status", "--discard-audit"}, {"up", "--old-role", "app", "--drop-old-role"}, {"down", "--old-role", "app"}} {
		require.ErrorAs(t, migrate.Command(t.Context(), args, &output, "postgres://nowhere"), &usage, args)
	}
	require.ErrorContains(t, migrate.Command(t.Context(), []string{"up"}, &output, ""), "DATABASE_ADMIN_URL")
	require.NoError(t, migrate.Command(t.Context(), []string{"roles"}, &output, ""))
	assert.Contains(t, output.String(), "create role gatehouse_app nologin;")

	dsn := stack.DatabaseForTest(t, "").DSN(stack.OwnerLogin)
	for _, args := range [][]string{{"plan"}, {"up"}, {"status"}, {"down"}, {"status"}} {
		output.Reset()
		require.NoError(t, migrate.Command(t.Context(), args, &output, dsn), args)
	}
	assert.Regexp(t, `(?m)^00001  \d{4}-\d\d-\d\dT.*Z  baseline$`, output.String())
	assert.Regexp(t, `(?m)^00202  pending +grant_rights$`, output.String())
	err := migrate.Command(t.Context(), []string{"up"}, &output, "postgres://u:canary-password@127.0.0.1:1/x?connect_timeout=1")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "canary")
}
