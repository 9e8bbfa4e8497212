package migrate_test

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// grow fills the tree of an organization up with rows, 100,000 in all, as the old app would have written them.
const grow = `
insert into contacts (id, organization_id, client_company_id, first_name, last_name, notes) select 'big-k' || i, 'aorg', 'acompany', 'A', 'B', 'n' from generate_series(1, 15000) i;
insert into deals (id, organization_id, contact_id, owner_id, name) select 'big-d' || i, 'aorg', 'big-k' || i, 'auser', 'D' from generate_series(1, 10000) i;
insert into projects (id, organization_id, engagement_id, name) select 'big-p' || i, 'aorg', 'aengagement', 'P' from generate_series(1, 1000) i;
insert into milestones (id, project_id, name) select 'big-m' || i, 'big-p' || (1 + i % 1000), 'M' from generate_series(1, 9000) i;
insert into tasks (id, organization_id, project_id, name) select 'big-t' || i, 'aorg', 'big-p' || (1 + i % 1000), 'T' from generate_series(1, 15000) i;
insert into threads (id, organization_id, engagement_id, subject, created_by_id) select 'big-h' || i, 'aorg', 'aengagement', 'H', 'auser' from generate_series(1, 1000) i;
insert into messages (id, thread_id, sender_id, content) select 'big-g' || i, 'big-h' || (1 + i % 1000), 'auser', 'hello' from generate_series(1, 25000) i;
insert into invoices (id, organization_id, engagement_id, invoice_number, amount, total_amount) select 'big-i' || i, 'aorg', 'aengagement', 'I', 1, 1 from generate_series(1, 4000) i;
insert into payments (id, invoice_id, amount) select 'big-y' || i, 'big-i' || (1 + i % 4000), 1 from generate_series(1, 15000) i;
insert into roles (id, organization_id, name) select 'big-r' || i, 'aorg', 'R' || i from generate_series(1, 500) i;
insert into role_permissions (id, role_id, permission_id) select 'big-x' || i, 'big-r' || i, 'apermission' from generate_series(1, 500) i;
insert into activity_events (organization_id, entity_type, entity_id, engagement_id, actor_id, type) select 'aorg', 'deal', 'big-d' || i, 'aengagement', 'auser', 'created' from generate_series(1, 4000) i;
`

// writer is the old app at work: each round inserts, changes and removes rows of its own in several tables, in one
// transaction and outside of one.
type writer struct {
	db     *sql.DB
	name   string
	rounds int
	// longest is the slowest statement, and which it was.
	longest time.Duration
	slowest string
	errs    []error
}

func (w *writer) run(ctx context.Context, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		w.rounds++
		id := fmt.Sprintf("%s-%d", w.name, w.rounds)
		if err := w.round(ctx, id); err != nil {
			w.errs = append(w.errs, fmt.Errorf("round %s: %w", id, err))
			return
		}
	}
}

func (w *writer) round(ctx context.Context, id string) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // After Commit there is nothing to take back.
	for _, statement := range []string{
		"insert into projects (id, organization_id, engagement_id, name) values ($1, 'borg', 'bengagement', 'P')",
		"insert into milestones (id, project_id, name) values ($1, $1, 'M')",
		"insert into tasks (id, organization_id, project_id, milestone_id, name) values ($1, 'borg', $1, $1, 'T')",
		"insert into threads (id, organization_id, engagement_id, subject, created_by_id) values ($1, 'borg', 'bengagement', 'H', 'buser')",
		"insert into messages (id, thread_id, sender_id, content) values ($1, $1, 'buser', 'hello')",
		"insert into activity_events (organization_id, entity_type, entity_id, engagement_id, actor_id, type) values ('borg', 'task', $1, 'bengagement', 'buser', 'created')",
	} {
		if err := w.statement(ctx, tx, statement, id); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, statement := range []string{
		"insert into contacts (id, organization_id, client_company_id, first_name, last_name) values ($1, 'borg', 'bcompany', 'A', 'B')",
		"insert into invoices (id, organization_id, engagement_id, invoice_number, amount, total_amount) values ($1, 'borg', 'bengagement', 'I', 1, 1)",
		"insert into payments (id, invoice_id, amount) values ($1, $1, 1)",
		"update tasks set status = 'review' where id = $1",
		"update contacts set notes = 'called', updated_at = now() where id = $1",
		"update payments set notes = 'late' where id = $1",
		"update messages set content = 'edited' where id = $1",
		"delete from contacts where id = $1",
		"delete from projects where id = $1",
		"delete from invoices where id = $1",
	} {
		if err := w.statement(ctx, w.db, statement, id); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) statement(ctx context.Context, db execer, statement, id string) error {
	begun := time.Now()
	_, err := db.ExecContext(ctx, statement, id)
	if took := time.Since(begun); took > w.longest {
		w.longest, w.slowest = took, statement
	}
	if err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// A production database of 100,000 rows is adopted and migrated up, and down again, while the old app writes: no
// statement of it fails.
func TestUp_whileTheAppWrites(t *testing.T) {
	pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{Config: []string{"log_lock_waits = on", "deadlock_timeout = '10ms'"}})
	d, owner := inherit(t, pg.CreateDatabase(t, ""))
	run(t, owner, grow)
	m := open(t, d, migrate.Options{})
	before := dump(t, d)

	stop := make(chan struct{})
	var group sync.WaitGroup
	writers := make([]*writer, 2)
	for n := range writers {
		writers[n] = &writer{db: owner, name: fmt.Sprintf("w%d", n)}
		group.Go(func() { writers[n].run(t.Context(), stop) })
	}
	begun := time.Now()
	adoptErr := m.Adopt(t.Context())
	upErr := m.Up(t.Context())
	took := time.Since(begun)
	close(stop)
	group.Wait()
	require.NoError(t, adoptErr)
	require.NoError(t, upErr)
	for _, w := range writers {
		require.Empty(t, w.errs)
		assert.Positive(t, w.rounds)
		t.Logf("up took %s; %s wrote %d rounds, its slowest statement took %s: %s", took.Round(time.Millisecond), w.name, w.rounds, w.longest.Round(time.Millisecond), w.slowest)
	}
	t.Logf("longest waits for a lock, of those over 10 ms: %v", lockWaits(pg.Log()))
	for table, want := range map[string]int64{"messages": 25002, "payments": 15002, "milestones": 9002, "role_permissions": 502} {
		assert.GreaterOrEqual(t, one[int64](t, owner, "select count(*) from "+table), want, table)
	}
	for table, parent := range map[string]string{"messages": "threads p on p.id = c.thread_id", "payments": "invoices p on p.id = c.invoice_id",
		"milestones": "projects p on p.id = c.project_id", "role_permissions": "roles p on p.id = c.role_id"} {
		assert.Zero(t, one[int64](t, owner, "select count(*) from "+table+" c join "+parent+" where c.organization_id is distinct from p.organization_id"), table)
	}

	require.NoError(t, m.Down(t.Context(), true))
	assert.Equal(t, before, dump(t, d))
}

// lockWaits are the longest waits that the server has logged, in milliseconds.
func lockWaits(log string) []float64 {
	var waits []float64
	for _, found := range regexp.MustCompile(`acquired \w+ on .* after (\d+\.\d+) ms`).FindAllStringSubmatch(log, -1) {
		wait, _ := strconv.ParseFloat(found[1], 64)
		waits = append(waits, wait)
	}
	slices.Sort(waits)
	slices.Reverse(waits)
	return waits[:min(len(waits), 5)]
}
