//go:build bench

package softdelete_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// hundredThousand are some 100,000 rows of three organizations, a third of them ours, with 30 % deleted; after them
// the newest 10,000 of our contacts are deleted as well. The engagement "big" has 10,000 rows below it.
const hundredThousand = `
set session_replication_role = replica;
insert into organizations (id, name, slug) values ('o3', 'Others', 'others');
create function pg_temp.dead(n bigint) returns boolean language sql as 'select n % 10 in (1, 4, 7)';
create function pg_temp.org(n bigint) returns text language sql as $$ select 'o' || 1 + n % 3 $$;
insert into client_companies (id, organization_id, name, created_at, deleted_at, deletion_id)
	select 'c' || n, pg_temp.org(n), 'Client ' || n, timestamp '2025-01-01' + n * interval '1 minute',
		case when pg_temp.dead(n / 3) then timestamptz '2026-01-01' + n * interval '1 second' end, case when pg_temp.dead(n / 3) then gen_random_uuid() end from generate_series(0, 9999) n;
insert into contacts (id, organization_id, client_company_id, first_name, last_name, created_at, deleted_at, deletion_id)
	select 'k' || n, pg_temp.org(n), 'c' || n % 9999, 'First ' || n, 'Last ' || n, timestamp '2025-01-01' + n * interval '1 minute',
		case when pg_temp.dead(n / 3) or n >= 30000 and n % 3 = 0 then timestamptz '2026-01-01' + n * interval '1 second' end,
		case when pg_temp.dead(n / 3) or n >= 30000 and n % 3 = 0 then gen_random_uuid() end from generate_series(0, 59999) n;
insert into deals (id, organization_id, client_company_id, contact_id, owner_id, name, created_at, deleted_at, deletion_id)
	select 'd' || n, pg_temp.org(n), 'c' || n % 9999, 'k' || n % 59997, 'olga', 'Deal ' || n, timestamp '2025-01-01' + n * interval '1 minute',
		case when pg_temp.dead(n / 3) then timestamptz '2026-01-01' + n * interval '1 second' end, case when pg_temp.dead(n / 3) then gen_random_uuid() end from generate_series(0, 19999) n;
insert into deletions (id, organization_id, root_kind, root_id, actor_id, deleted_at, counts, state)
	select deletion_id, organization_id, 'contacts', id, 'olga', deleted_at, '{"contacts": 1}', case when right(id, 1) = '5' then 'restored' else 'trashed' end
	from contacts where deletion_id is not null;
insert into engagements (id, organization_id, owner_id, name) values ('big', 'o1', 'olga', 'Big');
insert into engagements (id, organization_id, owner_id, name) select 'e' || n, 'o1', 'olga', 'E' from generate_series(1, 1000) n;
insert into projects (id, organization_id, engagement_id, name) select 'p' || n, 'o1', case when n <= 100 then 'big' else 'e' || n % 1000 + 1 end, 'P' from generate_series(1, 1000) n;
insert into milestones (id, organization_id, project_id, name) select 's' || n, 'o1', 'p' || n % 1000 + 1, 'S' from generate_series(1, 4000) n;
insert into tasks (id, organization_id, project_id, milestone_id, name) select 't' || n, 'o1', 'p' || case when n <= 5000 then n % 100 else n % 1000 end + 1, 's' || n % 4000 + 1, 'T' from generate_series(1, 10000) n;
insert into threads (id, organization_id, engagement_id, subject, created_by_id) select 'h' || n, 'o1', case when n <= 100 then 'big' else 'e' || n % 1000 + 1 end, 'H', 'olga' from generate_series(1, 1000) n;
insert into messages (id, organization_id, thread_id, sender_id, content) select 'g' || n, 'o1', 'h' || case when n <= 3000 then n % 100 else n % 1000 end + 1, 'olga', 'G' from generate_series(1, 8000) n;
`

// statements records what Bun sends.
type statements struct{ sent []string }

func (s *statements) BeforeQuery(ctx context.Context, event *bun.QueryEvent) context.Context {
	if word, _, _ := strings.Cut(event.Query, " "); word == "SELECT" || word == "WITH" || word == "UPDATE" || word == "INSERT" {
		s.sent = append(s.sent, event.Query)
	}
	return ctx
}

func (s *statements) AfterQuery(context.Context, *bun.QueryEvent) {}

// inTx runs f in a transaction of a person's of our organization, as the app's login, and rolls it back.
func (w *world) inTx(hook bun.QueryHook, f func(context.Context, bun.Tx, *softdelete.Tx)) {
	w.t.Helper()
	ctx := w.t.Context()
	pool, err := sql.Open("pgx", w.base.DSN(stack.AppLogin)+"&default_query_exec_mode=exec&timezone=UTC")
	require.NoError(w.t, err)
	defer pool.Close()
	db := bun.NewDB(pool, pgdialect.New())
	if hook != nil {
		db = db.WithQueryHook(hook)
	}
	tx, err := db.BeginTx(ctx, nil)
	require.NoError(w.t, err)
	defer tx.Rollback() //nolint:errcheck // nothing is to stay
	_, err = tx.ExecContext(ctx, `/* scope */ select set_config('app.organization_id', 'o1', true), set_config('app.actor_id', 'olga', true)`)
	require.NoError(w.t, err)
	f(ctx, tx, softdelete.NewTx(tx, softdelete.Scope{Organization: "o1", Actor: "olga", Role: softdelete.Owner}))
}

// explained is what EXPLAIN (ANALYZE, BUFFERS) says of a statement.
type explained struct {
	Plan struct {
		Hit  int `json:"Shared Hit Blocks"`
		Read int `json:"Shared Read Blocks"`
	}
	Planning float64 `json:"Planning Time"`
	Took     float64 `json:"Execution Time"`
}

// TestPlans shows what the reads and the cascade cost on 100,000 rows: buffers, milliseconds and, with -v, the plans.
// It fails for nothing but errors; docs/performance.md has the figures.
func TestPlans(t *testing.T) {
	w := newWorld(t)
	w.exec(hundredThousand)
	w.exec(`vacuum (analyze)`)
	t.Log("rows:", w.ask(`select sum(n) from (select count(*) n from client_companies union all select count(*) from contacts union all select count(*) from deals union all
		select count(*) from engagements union all select count(*) from projects union all select count(*) from milestones union all select count(*) from tasks union all
		select count(*) from threads union all select count(*) from messages) t`))

	list := func(kind string, q softdelete.Query) func(context.Context, *softdelete.Tx) error {
		return func(ctx context.Context, tx *softdelete.Tx) error {
			_, err := w.resource(kind).List(ctx, tx, q)
			return err
		}
	}
	deep := func(kind string) string {
		var cursor string
		w.inTx(nil, func(ctx context.Context, _ bun.Tx, tx *softdelete.Tx) {
			for range 10 {
				page, err := w.resource(kind).List(ctx, tx, softdelete.Query{Cursor: cursor, Limit: 200})
				require.NoError(t, err)
				cursor = page.Next
			}
		})
		return cursor
	}
	w.show("get a deal", func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := w.resource("deals").Fetch(ctx, tx, "d0")
		return err
	})
	w.show("list clients, first page and count", list("clients", softdelete.Query{}))
	w.show("list contacts, first page and count, the newest 10,000 deleted", list("contacts", softdelete.Query{}))
	w.show("list contacts, deep cursor", list("contacts", softdelete.Query{Cursor: deep("contacts")}))
	w.show("list contacts, page 60", list("contacts", softdelete.Query{Page: 60}))
	w.show("list deals, deep cursor", list("deals", softdelete.Query{Cursor: deep("deals")}))
	w.show("list contacts of a client", list("contacts", softdelete.Query{Filter: map[string]string{"clientCompanyId": "c0"}}))
	w.show("search contacts", list("contacts", softdelete.Query{Search: "Last 99"}))
	w.show("trash list", func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := w.store.Deletions.Trash(ctx, tx, softdelete.TrashQuery{})
		return err
	})
	w.show("preview of the cascade", func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := w.store.Deletions.Preview(ctx, tx, w.entity("engagements"), "big")
		return err
	})
	remove := func(ctx context.Context, tx *softdelete.Tx) error {
		deletion, err := w.store.Deletions.SoftDelete(ctx, tx, w.entity("engagements"), "big", 0, "")
		t.Log(deletion.Counts, err)
		return err
	}
	w.show("cascade", remove)
	start := time.Now()
	deletion, err := w.delete("olga", "engagements", "big")
	require.NoError(t, err)
	t.Logf("cascade of %d rows, end to end: %v", deletion.Counts.Total(), time.Since(start))
	w.exec(`vacuum (analyze)`)
	w.show("restore", func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := w.store.Deletions.Restore(ctx, tx, deletion.ID, false)
		return err
	})
	start = time.Now()
	_, err = w.restore("olga", deletion.ID, false)
	require.NoError(t, err)
	t.Logf("restore, end to end: %v", time.Since(start))
}

// show runs f once to learn its statements, and again with each of them explained.
func (w *world) show(name string, f func(context.Context, *softdelete.Tx) error) {
	w.t.Helper()
	var s statements
	w.inTx(&s, func(ctx context.Context, _ bun.Tx, tx *softdelete.Tx) {
		require.NoError(w.t, f(ctx, tx))
	})
	var plans []string
	buffers, took, planning := 0, 0.0, 0.0
	w.inTx(nil, func(ctx context.Context, tx bun.Tx, _ *softdelete.Tx) {
		for _, statement := range s.sent {
			if strings.HasPrefix(statement, "SAVEPOINT") {
				continue
			}
			plan, e, err := explain(ctx, tx, statement)
			require.NoError(w.t, err, statement)
			buffers, took, planning = buffers+e.Plan.Hit+e.Plan.Read, took+e.Took, planning+e.Planning
			plans = append(plans, fmt.Sprintf("-- %d buffers, %.2f ms\n%s\n%s", e.Plan.Hit+e.Plan.Read, e.Took, statement, plan))
		}
	})
	fmt.Printf("%s: %d statements, %d buffers, planned in %.2f ms, run in %.2f ms\n", name, len(s.sent), buffers, planning, took)
	w.t.Log(strings.Join(plans, "\n"))
}

// explain runs a statement and tells what it cost, in JSON and, of those that change nothing, as text as well.
func explain(ctx context.Context, tx bun.Tx, statement string) (plan string, e explained, err error) {
	var raw string
	if err := tx.QueryRowContext(ctx, "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+statement).Scan(&raw); err != nil {
		return "", e, err
	}
	var all []explained
	if err := json.Unmarshal([]byte(raw), &all); err != nil {
		return "", e, err
	}
	if len(all) != 1 {
		return "", e, errors.New("not one plan")
	}
	return outline(raw), all[0], nil
}

// outline draws the nodes of a plan.
func outline(raw string) string {
	var all []struct{ Plan map[string]any }
	if json.Unmarshal([]byte(raw), &all) != nil {
		return ""
	}
	var lines []string
	var draw func(node map[string]any, depth int)
	draw = func(node map[string]any, depth int) {
		line := strings.Repeat("  ", depth) + fmt.Sprint(node["Node Type"])
		for _, name := range []string{"Operation", "Subplan Name", "Relation Name", "Index Name"} {
			if node[name] != nil {
				line += fmt.Sprintf(" %v", node[name])
			}
		}
		hit, _ := node["Shared Hit Blocks"].(float64)
		read, _ := node["Shared Read Blocks"].(float64)
		lines = append(lines, fmt.Sprintf("%s (rows %v, loops %v, buffers %.0f)", line, node["Actual Rows"], node["Actual Loops"], hit+read))
		children, _ := node["Plans"].([]any)
		for _, child := range children {
			if inner, ok := child.(map[string]any); ok {
				draw(inner, depth+1)
			}
		}
	}
	for _, plan := range all {
		draw(plan.Plan, 0)
	}
	return strings.Join(lines, "\n")
}
