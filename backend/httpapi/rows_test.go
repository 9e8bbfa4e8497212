package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestRows_createReadUpdate(t *testing.T) {
	w := newWorld(t)
	created := w.as("mia", "POST", "/api/clients", map[string]any{"name": "Acme <&>", "country": "DE", "notes": nil}).is(http.StatusCreated).
		has("name", "Acme <&>", "country", "DE", "notes", "", "version", "1", "createdBy", "u-mia", "organizationId", "ours")
	id := created.string("id")
	path := "/api/clients/" + id
	if created.Header().Get("Location") != path || created.Header().Get("ETag") != `"1"` {
		t.Errorf("headers of a creation: %v", created.Header())
	}
	read := w.as("vic", "GET", path, nil).is(http.StatusOK).has("id", id)
	if read.Header().Get("ETag") != `"1"` || read.Header().Get("Cache-Control") != "private, no-store" {
		t.Errorf("headers of a read: %v", read.Header())
	}
	if read.Body.String() != created.Body.String() {
		t.Errorf("created\n%s\nread\n%s", created.Body, read.Body)
	}
	// PATCH and PUT are the same: what is absent stays.
	if w.as("mia", "PATCH", path, `{"notes":"n"}`, "If-Match", `"1"`).is(http.StatusOK).has("notes", "n", "country", "DE", "version", "2").Header().Get("ETag") != `"2"` {
		t.Error("no new ETag")
	}
	w.as("mia", "PUT", path, `{"country":null}`, "Content-Type", "application/json").is(http.StatusUnsupportedMediaType, "unsupported_media_type")
	w.as("mia", "PUT", path, `{"country":null}`).is(http.StatusOK).has("notes", "n", "country", "", "version", "3")
	w.as("mia", "PATCH", path, `{}`).is(http.StatusOK).has("version", "3")
	for _, tag := range []string{`"2"`, `"abc"`, `W/"3"`} {
		w.as("mia", "PATCH", path, `{"notes":"x"}`, "If-Match", tag).is(http.StatusPreconditionFailed, "version_mismatch")
	}
	w.as("mia", "PATCH", path, `{"notes":"x"}`, "If-Match", "*").is(http.StatusOK).has("version", "4")

	// Roles.
	w.as("vic", "POST", "/api/clients", `{"name":"A"}`).is(http.StatusForbidden, "forbidden")
	w.as("vic", "PATCH", path, `{"name":"A"}`).is(http.StatusForbidden, "forbidden")
	w.as("max", "PATCH", path, `{"name":"A"}`).is(http.StatusForbidden, "forbidden")
	w.as("adam", "PATCH", path, `{"name":"A"}`).is(http.StatusOK)
	w.as("mia", "POST", "/api/roles", `{"name":"A"}`).is(http.StatusForbidden, "forbidden")

	// A trashed row is gone for a patch.
	w.as("mia", "DELETE", path, nil).is(http.StatusOK)
	w.as("mia", "PATCH", path, `{"name":"A"}`, "If-Match", `"5"`).is(http.StatusNotFound, "not_found")
}

func TestRows_values(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "a")
	deal := w.as("mia", "POST", "/api/deals", `{"name":"D","value":"1200.5","probability":40,"stage":"won","expectedCloseDate":"2026-03-01T12:00:00+02:00","clientCompanyId":"a-clients"}`).
		is(http.StatusCreated).has("value", "1200.50", "probability", "40", "expectedCloseDate", "2026-03-01T10:00:00Z", "ownerId", "u-mia", "clientCompanyId", "a-clients")
	w.as("mia", "PATCH", "/api/deals/"+deal.string("id"), `{"value":null}`).is(http.StatusOK).has("value", "")
	w.as("mia", "POST", "/api/proposals", `{"name":"P","content":{"b":[1,2.50,"x"],"a":null}}`).is(http.StatusCreated).has("content.b.1", "2.50", "content.b.2", "x")
	// Secrets are made, and never shown.
	portal := w.as("olga", "POST", "/api/portal-access", `{"engagementId":"a-engagements","contactId":"a-contacts"}`).is(http.StatusCreated)
	if strings.Contains(strings.ToLower(portal.Body.String()), "token") {
		t.Errorf("a secret is shown: %s", portal.Body)
	}
	if w.value("select access_token from client_portal_access where id = $1", portal.string("id")) == "" {
		t.Error("no token was made")
	}
}

// TestRows_references: a trashed, a foreign and an absent target are answered alike.
func TestRows_references(t *testing.T) {
	w := newWorld(t)
	w.family("theirs", "u-eve", "b")
	w.family("ours", "u-mia", "a")
	w.as("olga", "DELETE", "/api/clients/a-clients", nil).is(http.StatusOK)
	var answers []string
	for _, id := range []string{"a-clients", "b-clients", "nowhere"} {
		r := w.as("mia", "POST", "/api/contacts", map[string]any{"firstName": "A", "lastName": "B", "clientCompanyId": id}).
			is(http.StatusUnprocessableEntity, "reference_not_found").has("errors.0.location", "body.clientCompanyId")
		answers = append(answers, strings.ReplaceAll(r.Body.String(), r.string("requestId"), ""))
	}
	if answers[0] != answers[1] || answers[1] != answers[2] {
		t.Errorf("trashed, foreign and absent targets differ:\n%s", strings.Join(answers, "\n"))
	}
	// A reference to what is trashed is shown as null; null keeps it.
	w.as("mia", "GET", "/api/deals/a-deals", nil).is(http.StatusOK).has("clientCompanyId", "")
	w.as("mia", "PATCH", "/api/deals/a-deals", `{"clientCompanyId":null,"name":"x"}`).is(http.StatusOK).has("clientCompanyId", "")
	if got := w.value("select client_company_id from deals where id = 'a-deals'"); got != "a-clients" {
		t.Errorf("the stored reference became %q", got)
	}
	// A key that is unique among live rows.
	w.as("olga", "POST", "/api/roles", `{"name":"Manager"}`).is(http.StatusCreated)
	w.as("olga", "POST", "/api/roles", `{"name":"Manager"}`).is(http.StatusConflict, "duplicate").has("errors.0.location", "body.name")
}

func TestRows_listPages(t *testing.T) {
	w := newWorld(t)
	for i := range 7 {
		w.exec("insert into client_companies (id, organization_id, name, industry, created_at) values ($1, 'ours', $2, $3, $4)",
			"c"+string(rune('1'+i)), "Client "+string(rune('A'+i)), []string{"steel", "glass"}[i%2], "2026-01-0"+string(rune('1'+i))+"T00:00:00Z")
	}
	w.family("theirs", "u-eve", "b")
	first := w.as("vic", "GET", "/api/clients?limit=3", nil).is(http.StatusOK).
		has("pagination", `{"hasNext":true,"hasPrev":false,"limit":3,"page":1,"total":7,"totalCapped":false,"totalPages":3}`)
	if first.ids() != "c7 c6 c5" {
		t.Errorf("the first page has %s", first.ids())
	}
	last := w.as("vic", "GET", "/api/clients?limit=3&page=3", nil).is(http.StatusOK).has("nextCursor", "", "pagination.hasNext", "false", "pagination.hasPrev", "true")
	if last.ids() != "c1" {
		t.Errorf("the last page has %s", last.ids())
	}
	w.as("vic", "GET", "/api/clients?limit=3&page=4", nil).is(http.StatusOK).has("data", "[]", "pagination.total", "7")

	// By cursor, while rows come and go: nothing twice, nothing left out.
	cursor := first.string("nextCursor")
	w.exec("insert into client_companies (id, organization_id, name) values ('new', 'ours', 'New')")
	second := w.as("vic", "GET", "/api/clients?limit=3&cursor="+cursor, nil).is(http.StatusOK).has("pagination", "")
	if second.ids() != "c4 c3 c2" {
		t.Errorf("the second part has %s", second.ids())
	}
	w.as("olga", "DELETE", "/api/clients/c2", nil).is(http.StatusOK)
	third := w.as("vic", "GET", "/api/clients?limit=3&cursor="+second.string("nextCursor"), nil).is(http.StatusOK).has("nextCursor", "")
	if third.ids() != "c1" {
		t.Errorf("the third part has %s", third.ids())
	}

	// Search and filters.
	if got := w.as("vic", "GET", "/api/clients?search=client+c", nil).is(http.StatusOK).has("pagination.total", "1").ids(); got != "c3" {
		t.Errorf("the search finds %s", got)
	}
	if got := w.as("vic", "GET", "/api/clients?industry=steel&limit=2", nil).is(http.StatusOK).has("pagination.total", "4").ids(); got != "c7 c5" {
		t.Errorf("the filter finds %s", got)
	}
	w.as("vic", "GET", "/api/clients?search=%25", nil).is(http.StatusOK).has("pagination.total", "0")

	// What cannot be.
	w.as("vic", "GET", "/api/clients?page=1&cursor="+cursor, nil).is(http.StatusUnprocessableEntity, "invalid_parameter")
	w.as("vic", "GET", "/api/clients?cursor=x"+cursor, nil).is(http.StatusUnprocessableEntity, "invalid_parameter").has("errors.0.location", "query.cursor")
	w.as("vic", "GET", "/api/contacts?cursor="+cursor, nil).is(http.StatusUnprocessableEntity, "invalid_parameter")
	w.as("vic", "GET", "/api/clients?industry=steel&cursor="+cursor, nil).is(http.StatusUnprocessableEntity, "invalid_parameter")
	w.as("olga", "GET", "/api/clients?cursor="+cursor, nil).is(http.StatusUnprocessableEntity, "invalid_parameter")
	w.as("vic", "GET", "/api/clients?limit=50&page=201", nil).is(http.StatusUnprocessableEntity, "use_cursor")
	w.as("vic", "GET", "/api/clients?limit=50&page=200", nil).is(http.StatusOK)
}
