package migrate_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// killer ends the migrator's sessions after every n-th step.
type killer struct {
	d     stack.Database
	every int
	count int
	kills int
}

func (k *killer) Write(p []byte) (int, error) {
	k.count++
	if k.count%k.every == 0 {
		k.kills++
		killMigrator(k.d)
	}
	return len(p), nil
}

func killMigrator(d stack.Database) {
	_ = d.Exec(context.Background(), "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'gatehouse migrate' and datname = current_database()")
}

// Killed after every seventh step, up and down come to the same end as without.
func TestUpAndDown_killedBetweenSteps(t *testing.T) {
	want := dump(t, migratetest.New(t))
	d, _ := inherited(t)
	before := dump(t, d)
	require.NoError(t, open(t, d, migrate.Options{}).Adopt(t.Context()))
	for _, direction := range []string{"up", "down"} {
		k := &killer{d: d, every: 7}
		for tries := 0; ; tries++ {
			require.Less(t, tries, 200)
			m, err := migrate.Open(t.Context(), d.DSN(stack.OwnerLogin), migrate.Options{Output: k})
			require.NoError(t, err)
			if direction == "up" {
				err = m.Up(t.Context())
			} else {
				err = m.Down(t.Context(), true)
			}
			require.NoError(t, m.Close())
			if err == nil {
				break
			}
		}
		assert.Greater(t, k.kills, 15)
		if direction == "up" {
			assert.Equal(t, want, dump(t, d))
		} else {
			assert.Equal(t, before, dump(t, d))
		}
	}
}

// Killed in the middle of a step, up and down resume: between the tables of one that goes from table to table, in the
// build of an index, and when what was half undone is done again instead.
func TestUpAndDown_killedWithinSteps(t *testing.T) {
	want := dump(t, migratetest.New(t))
	d, owner := inherited(t)
	before := dump(t, d)
	require.NoError(t, open(t, d, migrate.Options{}).Adopt(t.Context()))
	crash := func(after, table string) { interrupt(t, d, owner, after, table) }
	crash("up   00002", "engagements")
	crash("up   00004", "outbox")
	crash("up   00006", "threads")
	crash("up   00008", "payments")
	crash("up   00010", "projects")
	crash("up   00012", "messages")
	crash("up   00018", "deals")
	crash("up   00136", "invoices")
	crash("up   00194", "organization_members")
	crash("up   00200", "users")
	require.NoError(t, open(t, d, migrate.Options{}).Up(t.Context()))
	crash("down 00202", "contacts")
	require.NoError(t, open(t, d, migrate.Options{}).Up(t.Context()))
	crash("down 00020", "tasks")
	crash("down 00008", "vendors")
	crash("up   00010", "bills")
	crash("down 00008", "roles")
	m := open(t, d, migrate.Options{})
	require.NoError(t, m.Up(t.Context()))
	assert.Equal(t, want, dump(t, d))
	require.NoError(t, m.Down(t.Context(), true))
	assert.Equal(t, before, dump(t, d))
}

// interrupt runs until the step after the one that is named waits for the table, and ends its sessions there.
func interrupt(t *testing.T, d stack.Database, owner *sql.DB, after, table string) {
	t.Helper()
	blocker, err := owner.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	killed := make(chan struct{})
	w := &watcher{line: after, do: func() {
		run(t, blocker, "lock table "+table+" in row exclusive mode")
		go func() {
			defer close(killed)
			for blocked := false; !blocked; {
				err := owner.QueryRowContext(t.Context(), `select exists (select from pg_stat_activity
					where application_name = 'gatehouse migrate' and datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0)`).Scan(&blocked)
				if err != nil {
					return
				}
			}
			killMigrator(d)
		}()
	}}
	m, err := migrate.Open(t.Context(), d.DSN(stack.OwnerLogin), migrate.Options{Output: w, LockTimeout: time.Hour})
	require.NoError(t, err)
	t.Logf("crash after %s, at %s", after, table)
	if strings.HasPrefix(after, "up") {
		err = m.Up(t.Context())
	} else {
		err = m.Down(t.Context(), true)
	}
	require.Error(t, err, "after %s on %s", after, table)
	require.Nil(t, w.do, "never came to %s: %v", after, err)
	<-killed
	require.NoError(t, blocker.Rollback())
	require.NoError(t, m.Close())
}
