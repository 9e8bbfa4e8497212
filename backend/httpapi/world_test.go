package httpapi

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the tests' own connection
	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// people are two organizations: ours with somebody in each role, and theirs. Dora belongs to both, nobody to none.
const people = `
insert into users (id, email, first_name, last_name, password_hash) values
	('u-olga', 'olga@example.test', 'Olga', 'Owner', 'hash'), ('u-adam', 'adam@example.test', 'Adam', 'Admin', 'hash'),
	('u-mia', 'mia@example.test', 'Mia', 'Member', 'hash'), ('u-max', 'max@example.test', 'Max', 'Member', 'hash'),
	('u-vic', 'vic@example.test', 'Vic', 'Viewer', 'hash'), ('u-eve', 'eve@example.test', 'Eve', 'Elsewhere', 'hash'),
	('u-dora', 'dora@example.test', 'Dora', 'Double', 'hash'), ('u-nobody', 'nobody@example.test', 'No', 'Body', 'hash'),
	('u-twin1', 'twin@example.test', 'Twin', 'One', 'hash'), ('u-twin2', 'TWIN@example.test', 'Twin', 'Two', 'hash');
insert into organizations (id, name, slug, created_at, updated_at) values
	('ours', 'Ours', 'our-slug', '2020-01-01', '2020-01-01'), ('theirs', 'Theirs', 'their-slug', '2020-01-01', '2020-01-01');
insert into organization_members (id, organization_id, user_id, role, created_at) values
	('m-olga', 'ours', 'u-olga', 'owner', '2020-01-01'), ('m-adam', 'ours', 'u-adam', 'admin', '2020-01-01'),
	('m-mia', 'ours', 'u-mia', 'member', '2020-01-01'), ('m-max', 'ours', 'u-max', 'member', '2020-01-01'),
	('m-vic', 'ours', 'u-vic', 'viewer', '2020-01-01'), ('m-eve', 'theirs', 'u-eve', 'owner', '2020-01-01'),
	('m-dora1', 'ours', 'u-dora', 'member', '2020-01-01'), ('m-dora2', 'theirs', 'u-dora', 'admin', '2020-01-01');
update users set created_at = '2020-01-01', updated_at = '2020-01-01';
insert into permissions (id, feature_area, permission_type) values ('perm-1', 'deals', 'view'), ('perm-2', 'deals', 'edit'), ('perm-3', 'deals', 'delete');
`

var cursorKey = []byte("0123456789abcdef0123456789abcdef")

// world is a migrated database with people in it, and the handler that serves it behind an edge.
type world struct {
	t       testing.TB
	edge    *callertest.Edge
	handler http.Handler
	api     *api
	store   *store.Store
	admin   *sql.DB // the owner of the tables, who sees all rows
	tokens  map[string]string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	base := migratetest.New(t)
	w := &world{t: t, edge: callertest.New(t), tokens: map[string]string{}}
	var err error
	if w.admin, err = sql.Open("pgx", base.DSN(stack.OwnerLogin)+"&timezone=UTC"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.admin.Close() })
	w.exec(people)
	w.store, err = store.Open(t.Context(), store.Options{DSN: base.DSN(stack.AppLogin), CursorKey: cursorKey, MaxConns: 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.store.Close() })
	w.api = New(Options{Store: w.store, Logger: zap.NewNop(), Verify: caller.Verify(caller.Options{Verifier: w.edge.Verifier})}).(*api)
	w.handler = caller.Log(caller.LogOptions{Logger: zap.NewNop()})(w.api)
	return w
}

// exec runs SQL as the owner of the tables; without arguments it may be several statements.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	if len(args) > 0 {
		if _, err := w.admin.ExecContext(w.t.Context(), query, args...); err != nil {
			w.t.Fatalf("%v\n%s", err, query)
		}
		return
	}
	for statement := range strings.SplitSeq(query, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := w.admin.ExecContext(context.WithoutCancel(w.t.Context()), statement); err != nil {
			w.t.Fatalf("%v\n%s", err, statement)
		}
	}
}

// value asks one thing as the owner of the tables.
func (w *world) value(query string, args ...any) string {
	w.t.Helper()
	var answer sql.NullString
	if err := w.admin.QueryRowContext(w.t.Context(), query, args...).Scan(&answer); err != nil {
		w.t.Fatalf("%v\n%s", err, query)
	}
	return answer.String
}

// reply is what came back.
type reply struct {
	*httptest.ResponseRecorder
	t testing.TB
}

// as sends a request of a person's through the edge's signature; nil is no body, everything else JSON.
func (w *world) as(person, method, target string, body any, headers ...string) reply {
	w.t.Helper()
	return reply{w.send(person, method, target, body, headers...), w.t}
}

func (w *world) send(person, method, target string, body any, headers ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		if raw, err = json.Marshal(b); err != nil {
			w.t.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, target, bytes.NewReader(raw)).WithContext(w.t.Context())
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Add(pair[0], pair[1])
	}
	w.edge.As(w.t, r, person)
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

// is fails the test unless the status, and for problems the code, are these.
func (r reply) is(status int, code ...string) reply {
	r.t.Helper()
	got := r.string("code")
	if r.Code != status || len(code) > 0 && got != code[0] {
		r.t.Fatalf("got %d %s, want %d %v", r.Code, r.Body, status, code)
	}
	if len(code) == 0 && r.Code >= http.StatusBadRequest {
		r.t.Fatalf("the code of a problem is not asked for: %s", r.Body)
	}
	return r
}

// at walks into the answer: "deletion.root.id", "data.0.id".
func (r reply) at(path string) any {
	r.t.Helper()
	var value any
	decoder := json.NewDecoder(bytes.NewReader(r.Body.Bytes()))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil
	}
	for step := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			var i int
			if _, err := fmt.Sscanf(step, "%d", &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func (r reply) string(path string) string {
	r.t.Helper()
	switch v := r.at(path).(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		text, err := json.Marshal(v)
		if err != nil {
			r.t.Fatal(err)
		}
		return string(text)
	}
}

// has fails the test unless the answer has these values: path, value, path, value…
func (r reply) has(pairs ...string) reply {
	r.t.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		if got := r.string(pair[0]); got != pair[1] {
			r.t.Errorf("%s is %s, want %s, in %s", pair[0], got, pair[1], r.Body)
		}
	}
	return r
}

// ids are those of the answer's data.
func (r reply) ids() string {
	r.t.Helper()
	var ids []string
	rows, _ := r.at("data").([]any)
	for _, row := range rows {
		object, _ := row.(map[string]any)
		ids = append(ids, fmt.Sprint(object["id"]))
	}
	return strings.Join(ids, " ")
}

// family inserts one row of every kind but organizations and members, owned by a user, with ids <prefix>-<kind>;
// each refers to those before it.
func (w *world) family(organization, owner, prefix string) {
	w.t.Helper()
	for _, e := range store.Entities {
		if !e.Root && !e.Membership {
			w.insert(e, organization, owner, prefix+"-"+e.Kind, func(f *softdelete.Field) any { return prefix + "-" + f.Target })
		}
	}
}

// insert inserts a row; reference gives the values of its references.
func (w *world) insert(e *softdelete.Entity, organization, owner, id string, reference func(*softdelete.Field) any) {
	w.t.Helper()
	columns, values := []string{"id", "organization_id", "created_by"}, []any{id, organization, owner}
	for _, f := range e.Fields {
		if value := sample(f, id, owner, reference); value != nil {
			columns, values = append(columns, f.Column), append(values, value)
		}
	}
	places := make([]string, len(columns))
	for i := range columns {
		places[i] = fmt.Sprintf("$%d", i+1)
	}
	w.exec(fmt.Sprintf("insert into %s (%s) values (%s)", e.Table, strings.Join(columns, ", "), strings.Join(places, ", ")), values...)
}

// sample is a value of a field; nil leaves the column out.
func sample(f *softdelete.Field, id, owner string, reference func(*softdelete.Field) any) any {
	switch {
	case f.Target != "":
		return reference(f)
	case f.Secret && f.Nullable:
		return nil
	case f.Secret:
		return "secret of " + id
	case f.User:
		return owner
	case f.Name == "permissionId":
		return "perm-1"
	case f.Enum != nil:
		return f.Enum[0]
	case f.Type == softdelete.Number:
		return "12.50"
	case f.Type == softdelete.Integer:
		return 7
	case f.Type == softdelete.Boolean:
		return true
	case f.Type == softdelete.Timestamp:
		return "2026-01-02T03:04:05Z"
	case f.Type == softdelete.Document:
		return `{"a": ["` + id + `"]}`
	case f.Name == "status": // of invitations, which has no enum
		return "pending"
	case f.Max > 0 && f.Max < 60:
		return id[:min(len(id), f.Max)]
	default:
		return f.Name + " of " + id
	}
}
