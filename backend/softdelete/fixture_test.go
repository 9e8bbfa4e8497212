package softdelete_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// people are an organization with somebody in each role and two in some, and a foreign one.
const people = `
insert into users (id, email, first_name, last_name) values
	('olga', 'olga@example.com', 'Olga', 'Owner'), ('adam', 'adam@example.com', 'Adam', 'Admin'), ('mia', 'mia@example.com', 'Mia', null),
	('max', 'max@example.com', null, null), ('vic', 'vic@example.com', 'Vic', 'Viewer'), ('eve', 'eve@example.com', 'Eve', 'Elsewhere');
insert into organizations (id, name, slug) values ('o1', 'Ours', 'ours'), ('o2', 'Theirs', 'theirs');
insert into organization_members (id, organization_id, user_id, role) values ('m-olga', 'o1', 'olga', 'owner'), ('m-adam', 'o1', 'adam', 'admin'),
	('m-mia', 'o1', 'mia', 'member'), ('m-max', 'o1', 'max', 'member'), ('m-vic', 'o1', 'vic', 'viewer'), ('m-eve', 'o2', 'eve', 'owner');
`

// key signs cursors.
var key = []byte("0123456789abcdef0123456789abcdef")

// world is a migrated database with people in it, and the store that serves it.
type world struct {
	t     testing.TB
	base  stack.Database
	store *store.Store
	admin *sql.DB // the owner of the tables, who sees all rows
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, base: migratetest.New(t)}
	w.exec(people)
	var err error
	w.store, err = store.Open(t.Context(), store.Options{DSN: w.base.DSN(stack.AppLogin), CursorKey: key, MaxConns: 60})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	w.admin, err = sql.Open("pgx", w.base.DSN(stack.OwnerLogin)+"&timezone=UTC")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.admin.Close()) })
	return w
}

// exec runs SQL as the superuser.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	require.NoError(w.t, w.base.Exec(context.WithoutCancel(w.t.Context()), sql, args...))
}

// put runs one statement as the owner of the tables, without a connection of its own.
func (w *world) put(statement string, args ...any) {
	w.t.Helper()
	_, err := w.admin.ExecContext(w.t.Context(), statement, args...)
	require.NoError(w.t, err)
}

// ask asks one thing as the owner of the tables.
func (w *world) ask(query string, args ...any) string {
	w.t.Helper()
	var answer sql.NullString
	require.NoError(w.t, w.admin.QueryRowContext(w.t.Context(), query, args...).Scan(&answer))
	return answer.String
}

// as runs f in a transaction of a person.
func (w *world) as(person string, f func(context.Context, *softdelete.Tx) error) error {
	return w.store.Do(w.t.Context(), request(person), f)
}

func request(person string) store.Request {
	return store.Request{
		Person:    store.Person{Issuer: "https://idp.example.com", Subject: person, Email: person + "@example.com"},
		RequestID: "request-of-" + person,
	}
}

// must runs f in a transaction of a person, and returns what it finds.
func must[T any](w *world, person string, f func(context.Context, *softdelete.Tx) (T, error)) T {
	w.t.Helper()
	found, err := try(w, person, f)
	require.NoError(w.t, err)
	return found
}

func try[T any](w *world, person string, f func(context.Context, *softdelete.Tx) (T, error)) (found T, err error) {
	err = w.as(person, func(ctx context.Context, tx *softdelete.Tx) error {
		var err error
		found, err = f(ctx, tx)
		return err
	})
	return found, err
}

// get reads a row of a kind as JSON says it.
func (w *world) get(person, kind, id string) (map[string]any, error) {
	row, err := try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Record, error) {
		return w.resource(kind).Fetch(ctx, tx, id)
	})
	if err != nil {
		return nil, err
	}
	return fields(w.t, w.entity(kind), row), nil
}

// fields are a record's values by JSON name.
func fields(t testing.TB, e *softdelete.Entity, row softdelete.Record) map[string]any {
	t.Helper()
	values := map[string]any{"id": row.Key()}
	for _, f := range e.Fields {
		values[f.Name] = f.Value(row)
	}
	return values
}

func (w *world) entity(kind string) *softdelete.Entity {
	for _, e := range store.Entities {
		if e.Kind == kind {
			return e
		}
	}
	w.t.Fatalf("no kind %q", kind)
	return nil
}

func (w *world) resource(kind string) softdelete.Resource {
	r, ok := store.Resources(key)[kind]
	require.True(w.t, ok, kind)
	return r
}

// delete deletes as a person.
func (w *world) delete(person, kind, id string) (softdelete.Deletion, error) {
	return try(w, person, func(ctx context.Context, tx *softdelete.Tx) (softdelete.Deletion, error) {
		return w.store.Deletions.SoftDelete(ctx, tx, w.entity(kind), id, 0, "")
	})
}

// object decodes JSON as requests are decoded.
func object(t testing.TB, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var decoded map[string]any
	require.NoError(t, decoder.Decode(&decoded))
	return decoded
}

// tree is a client of our organization with contacts, and an engagement with all that hangs on it; ids begin with the prefix.
func (w *world) tree(prefix string) {
	w.t.Helper()
	script := `
insert into client_companies (id, organization_id, name, created_by) values ('P-c', 'o1', 'Acme', 'mia');
insert into contacts (id, organization_id, client_company_id, first_name, last_name) values ('P-k1', 'o1', 'P-c', 'Ann', 'One'), ('P-k2', 'o1', 'P-c', 'Bob', 'Two');
insert into deals (id, organization_id, client_company_id, contact_id, owner_id, name, value) values ('P-d', 'o1', 'P-c', 'P-k1', 'olga', 'Deal', 1200.5);
insert into engagements (id, organization_id, client_company_id, contact_id, deal_id, owner_id, name) values ('P-e', 'o1', 'P-c', 'P-k1', 'P-d', 'olga', 'Work');
insert into projects (id, organization_id, engagement_id, name) values ('P-p1', 'o1', 'P-e', 'One'), ('P-p2', 'o1', 'P-e', 'Two');
insert into milestones (id, organization_id, project_id, name) values ('P-s', 'o1', 'P-p1', 'Stone');
insert into tasks (id, organization_id, project_id, milestone_id, name) values ('P-t1', 'o1', 'P-p1', 'P-s', 'First'), ('P-t2', 'o1', 'P-p2', null, 'Second');
insert into threads (id, organization_id, engagement_id, subject, created_by_id) values ('P-h', 'o1', 'P-e', 'Talk', 'olga');
insert into messages (id, organization_id, thread_id, sender_id, content) values ('P-g', 'o1', 'P-h', 'olga', 'Hello');
insert into invoices (id, organization_id, engagement_id, client_company_id, invoice_number, amount, total_amount) values ('P-i', 'o1', 'P-e', 'P-c', 'P-001', 10, 12);
insert into payments (id, organization_id, invoice_id, amount) values ('P-y', 'o1', 'P-i', 12);
insert into client_portal_access (id, organization_id, engagement_id, contact_id, access_token) values ('P-a', 'o1', 'P-e', 'P-k1', 'secret-of-P-a');
`
	w.exec(strings.ReplaceAll(script, "P-", prefix+"-"))
}
