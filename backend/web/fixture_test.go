package web

import (
	"database/sql"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap/zaptest"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
	"github.com/gatehouse-proxy/gatehouse/identity"
)

// people are an organization with somebody in each role, and one that nobody here may learn of. Eve belongs
// to both, max to the foreign one alone.
const people = `
insert into users (id, email, first_name, last_name) values
	('olga', 'olga@example.com', 'Olga', 'Owner'), ('adam', 'adam@example.com', 'Adam', 'Admin'), ('mia', 'mia@example.com', 'Mia', 'Member'),
	('vic', 'vic@example.com', 'Vic', 'Viewer'), ('eve', 'eve@example.com', 'Eve', 'Everywhere'), ('max', 'max@example.com', 'Foreign', 'Max'),
	('nora', 'nora@example.com', 'Nora', 'Nowhere');
insert into organizations (id, name, slug, currency, timezone) values ('o1', 'Ours & Co', 'ours', 'EUR', 'Europe/Berlin'), ('o2', 'Foreign Ltd', 'theirs', 'USD', 'UTC');
insert into organization_members (id, organization_id, user_id, role) values ('m-olga', 'o1', 'olga', 'owner'), ('m-adam', 'o1', 'adam', 'admin'),
	('m-mia', 'o1', 'mia', 'member'), ('m-vic', 'o1', 'vic', 'viewer'), ('m-eve1', 'o1', 'eve', 'viewer'), ('m-eve2', 'o2', 'eve', 'admin'), ('foreign-m', 'o2', 'max', 'owner');
`

// records are some rows of both organizations. Everything foreign has the word in its id or name.
const records = `
insert into client_companies (id, organization_id, name, created_by) values ('blue', 'o1', 'Blue Door', 'olga'), ('foreign-c', 'o2', 'Foreign Client', 'max');
insert into client_companies (id, organization_id, name, website, industry, city, country, notes, created_by) values
	('acme', 'o1', 'Acme', 'acme.example', 'Rockets', 'Berlin', 'DE', E'First line\nSecond line', 'mia');
insert into contacts (id, organization_id, client_company_id, first_name, last_name, email, created_by) values
	('ann', 'o1', 'acme', 'Ann', 'Able', 'ann@acme.example', 'mia'), ('ben', 'o1', 'acme', 'Ben', 'Baker', null, 'mia'), ('foreign-k', 'o2', 'foreign-c', 'Foreign', 'Contact', null, 'max');
insert into deals (id, organization_id, client_company_id, contact_id, owner_id, name, value, stage, probability, expected_close_date, created_by) values
	('rocket', 'o1', 'acme', 'ann', 'mia', 'Rocket fuel', 12500.5, 'negotiation', 60, '2026-12-31', 'mia'), ('boots', 'o1', 'blue', null, 'olga', 'Boots', 99, 'lead', 10, '2027-01-31', 'olga'),
	('foreign-d', 'o2', 'foreign-c', null, 'max', 'Foreign deal', 1, 'lead', 0, null, 'max');
insert into engagements (id, organization_id, client_company_id, owner_id, name, status, total_value, start_date, created_by) values
	('launch', 'o1', 'acme', 'olga', 'Launch support', 'active', 8000, '2026-01-15', 'olga'), ('foreign-e', 'o2', 'foreign-c', 'max', 'Foreign engagement', 'active', 1, null, 'max');
insert into invoices (id, organization_id, engagement_id, client_company_id, invoice_number, status, amount, tax, total_amount, due_date, line_items, created_by) values
	('inv1', 'o1', 'launch', 'acme', 'INV-001', 'overdue', 1000, 190, 1190, '2026-02-01', '[{"description":"Fuel","quantity":2,"unitPrice":"500.00"}]', 'olga'),
	('foreign-i', 'o2', 'foreign-e', 'foreign-c', 'FOREIGN-1', 'draft', 1, 0, 1, '2026-02-01', null, 'max');
insert into payments (id, organization_id, invoice_id, amount, created_by) values ('pay1', 'o1', 'inv1', 100, 'olga'), ('foreign-p', 'o2', 'foreign-i', 1, 'max');
insert into roles (id, organization_id, name, created_by) values ('r1', 'o1', 'Manager', 'olga'), ('foreign-r', 'o2', 'Foreign role', 'max');
insert into client_portal_access (id, organization_id, engagement_id, contact_id, access_token, created_by) values ('door', 'o1', 'launch', 'ann', 'secret-token', 'olga');
`

var key = []byte("0123456789abcdef0123456789abcdef")

// at is when tests take place.
var at = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// world is a migrated database with rows in it, and the pages that show them.
type world struct {
	t     *testing.T
	base  stack.Database
	store *store.Store
	pages *Pages
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, base: migratetest.New(t)}
	w.exec(people)
	w.exec(records)
	var err error
	w.store, err = store.Open(t.Context(), store.Options{DSN: w.base.DSN(stack.AppLogin), CursorKey: key})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.store.Close()) })
	w.pages, err = New(Options{Store: w.store, Logger: zaptest.NewLogger(t), Now: func() time.Time { return at }, SignOut: []string{"https://login.example.com"}})
	require.NoError(t, err)
	return w
}

// exec runs SQL as the superuser.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	require.NoError(w.t, w.base.Exec(w.t.Context(), sql, args...))
}

// answer is what a page was answered with.
type answered struct {
	*http.Response

	body string
}

// do sends a request of a person, as if the edge had let it pass.
func (w *world) do(person, method, path string, form url.Values, header ...string) answered {
	w.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, body)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	id := identity.Identity{Subject: "dev:" + person, IDP: "https://idp.example.com", IDPSubject: person, Claims: map[string]any{"name": strings.ToUpper(person[:1]) + person[1:]}}
	c := caller.Caller{
		Person:   store.Person{Issuer: "https://idp.example.com", Subject: person, Email: person + "@example.com"},
		Identity: id, RequestID: "request-of-" + person,
	}
	recorder := httptest.NewRecorder()
	w.pages.ServeHTTP(recorder, r.WithContext(caller.NewContext(r.Context(), c)))
	result := recorder.Result()
	return answered{result, recorder.Body.String()}
}

func (w *world) get(person, path string, header ...string) answered {
	w.t.Helper()
	return w.do(person, http.MethodGet, path, nil, header...)
}

func (w *world) post(person, path string, form url.Values, header ...string) answered {
	w.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	return w.do(person, http.MethodPost, path, form, header...)
}

// follow posts, and gets what it leads to.
func (w *world) follow(person, path string, form url.Values) answered {
	w.t.Helper()
	a := w.post(person, path, form)
	require.Equal(w.t, http.StatusSeeOther, a.StatusCode, a.body)
	return w.get(person, a.Header.Get("Location"))
}

// ask asks one thing as the owner of the tables.
func ask(t *testing.T, base stack.Database, query string) string {
	t.Helper()
	db, err := sql.Open("pgx", base.DSN(stack.OwnerLogin)+"&timezone=UTC")
	require.NoError(t, err)
	defer db.Close()
	var answer sql.NullString
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&answer))
	return answer.String
}
