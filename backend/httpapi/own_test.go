package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

func TestOwn_whoAndWhere(t *testing.T) {
	w := newWorld(t)
	w.as("mia", "GET", "/api/auth/user", nil).is(http.StatusOK).has("id", "u-mia", "email", "mia@example.test",
		"organization.id", "ours", "organization.role", "member", "organizations.0.slug", "our-slug")
	w.as("dora", "GET", "/api/auth/user", nil).is(http.StatusOK).has("id", "", "organization", "", "organizations.0.id", "ours", "organizations.1.id", "theirs")
	w.as("dora", "GET", "/api/auth/user", nil, "Gatehouse-Organization", "their-slug").is(http.StatusOK).has("id", "u-dora", "organization.role", "admin")
	w.as("nobody", "GET", "/api/auth/user", nil).is(http.StatusOK).has("organizations", "[]", "organization", "")
	w.as("stranger", "GET", "/api/auth/user", nil).is(http.StatusForbidden, "no_account")
	w.as("twin", "GET", "/api/auth/user", nil).is(http.StatusForbidden, "ambiguous_account")

	me := w.as("mia", "GET", "/api/users/me", nil).is(http.StatusOK).has("id", "u-mia", "firstName", "Mia")
	if strings.Contains(me.Body.String(), "hash") {
		t.Errorf("the password's hash is shown: %s", me.Body)
	}
}

func TestOwn_wishes(t *testing.T) {
	w := newWorld(t)
	w.exec("insert into client_companies (id, organization_id, name) values ('c1', 'ours', 'Acme'), ('c2', 'theirs', 'Acme')")
	w.as("stranger", "GET", "/api/clients", nil).is(http.StatusForbidden, "no_account")
	w.as("twin", "GET", "/api/clients", nil).is(http.StatusForbidden, "ambiguous_account")
	w.as("nobody", "GET", "/api/clients", nil).is(http.StatusForbidden, "no_organization")
	w.as("dora", "GET", "/api/clients", nil).is(http.StatusConflict, "choose_organization").has(
		"choices.0", `{"id":"ours","name":"Ours","role":"member","slug":"our-slug"}`, "choices.1.id", "theirs")
	w.as("dora", "POST", "/api/trash/restore", map[string]any{"deletionIds": []string{uuidText}}).is(http.StatusConflict, "choose_organization")
	for wish, want := range map[string]string{"ours": "c1", "our-slug": "c1", "theirs": "c2", "their-slug": "c2"} {
		if got := w.as("dora", "GET", "/api/clients", nil, "Gatehouse-Organization", wish).is(http.StatusOK).ids(); got != want {
			t.Errorf("the wish for %s shows %s", wish, got)
		}
		if got := w.as("dora", "GET", "/api/clients", nil, "Cookie", "org="+wish).is(http.StatusOK).ids(); got != want {
			t.Errorf("the cookie for %s shows %s", wish, got)
		}
	}
	// A wish without a membership, and one for nothing, are answered alike.
	foreign := w.as("mia", "GET", "/api/clients", nil, "Gatehouse-Organization", "theirs").is(http.StatusNotFound, "not_found")
	absent := w.as("mia", "GET", "/api/clients", nil, "Gatehouse-Organization", "' or true --").is(http.StatusNotFound, "not_found")
	if strip(foreign) != strip(absent) {
		t.Errorf("a foreign wish: %s\nan absent one: %s", foreign.Body, absent.Body)
	}
	w.as("dora", "GET", "/api/clients/c2", nil, "Gatehouse-Organization", "ours").is(http.StatusNotFound, "not_found")
}

// strip is a reply without what differs from one to the next.
func strip(r reply) string {
	return strings.ReplaceAll(r.Body.String(), r.Header().Get("X-Request-Id"), "")
}

func TestOwn_settingsAndStats(t *testing.T) {
	w := newWorld(t)
	w.family("theirs", "u-eve", "b")
	settings := w.as("vic", "GET", "/api/organizations/settings", nil).is(http.StatusOK).has("id", "ours", "currency", "USD")
	same := w.as("vic", "GET", "/api/organizations/ours", nil).is(http.StatusOK)
	if settings.Body.String() != same.Body.String() || settings.Header().Get("ETag") != same.Header().Get("ETag") {
		t.Errorf("settings\n%s\norganization\n%s", settings.Body, same.Body)
	}
	w.as("mia", "PATCH", "/api/organizations/settings", `{"currency":"EUR"}`).is(http.StatusForbidden, "forbidden")
	w.as("adam", "PUT", "/api/organizations/settings", `{"currency":"EUR"}`, "If-Match", settings.Header().Get("ETag")).is(http.StatusOK).has("currency", "EUR", "version", "2")
	w.as("adam", "PATCH", "/api/organizations/settings", `{"currency":"EURO"}`).is(http.StatusUnprocessableEntity, "invalid_body").has("errors.0.code", "too_long")
	w.as("adam", "PATCH", "/api/organizations/settings", `{"slug":"their-slug"}`).is(http.StatusConflict, "duplicate")
	w.as("vic", "GET", "/api/organizations", nil).is(http.StatusOK).has("data.0.id", "ours", "pagination.total", "1")
	w.as("vic", "GET", "/api/organizations/theirs", nil).is(http.StatusNotFound, "not_found")

	zero := w.as("vic", "GET", "/api/dashboard/stats", nil).is(http.StatusOK).has("clients", "0", "openDeals", `{"count":0,"total":"0.00"}`)
	w.family("ours", "u-mia", "a")
	w.as("mia", "POST", "/api/deals", `{"name":"D","value":"0.50"}`).is(http.StatusCreated)
	w.as("vic", "GET", "/api/dashboard/stats", nil).is(http.StatusOK).has("clients", "1", "contacts", "1", "openDeals", `{"count":2,"total":"13.00"}`, "engagements", "1", "openTasks", "1", "owed.total", "12.50")
	for _, kind := range []string{"clients", "deals", "engagements", "bills"} {
		rows, _ := w.as("olga", "GET", "/api/"+kind, nil).is(http.StatusOK).at("data").([]any)
		for _, row := range rows {
			object, _ := row.(map[string]any)
			id, _ := object["id"].(string)
			w.as("olga", "DELETE", "/api/"+kind+"/"+id, nil).is(http.StatusOK)
		}
	}
	if now := w.as("vic", "GET", "/api/dashboard/stats", nil).is(http.StatusOK); now.Body.String() != zero.Body.String() {
		t.Errorf("with everything deleted: %s\nbefore: %s", now.Body, zero.Body)
	}
}

func TestHistory(t *testing.T) {
	w := newWorld(t)
	id := w.as("mia", "POST", "/api/contacts", `{"firstName":"Ann","lastName":"One","email":"ann@one.test"}`, "X-Request-Id", "req-1").is(http.StatusCreated).string("id")
	path := "/api/contacts/" + id
	w.as("olga", "PATCH", path, `{"firstName":"Anna","isPrimary":true}`, "X-Request-Id", "req-2").is(http.StatusOK)
	w.as("mia", "DELETE", path, nil).is(http.StatusOK)
	w.as("max", "GET", path+"/history", nil).is(http.StatusNotFound, "not_found")
	w.as("vic", "GET", path+"/history", nil).is(http.StatusNotFound, "not_found")
	w.as("eve", "GET", path+"/history", nil).is(http.StatusNotFound, "not_found")
	w.as("mia", "GET", path+"/history", nil).is(http.StatusOK).has("data.0.action", "soft_delete", "data.1.action", "update", "data.2.action", "insert")
	w.as("mia", "POST", path+"/restore", nil).is(http.StatusOK)
	all := w.as("vic", "GET", path+"/history", nil).is(http.StatusOK).has(
		"data.0.action", "restore", "data.2.requestId", "req-2", "data.2.actor", `{"id":"u-olga","name":"Olga Owner"}`,
		"data.2.changes.firstName", `{"from":"Ann","to":"Anna"}`, "data.2.changes.isPrimary.to", "true", "data.3.changes.email.to", "ann@one.test", "nextCursor", "")
	first := w.as("vic", "GET", path+"/history?limit=3", nil).is(http.StatusOK)
	rest := w.as("vic", "GET", path+"/history?limit=3&cursor="+first.string("nextCursor"), nil).is(http.StatusOK).has("nextCursor", "")
	if first.ids()+" "+rest.ids() != all.ids() {
		t.Errorf("in parts %s and %s, at once %s", first.ids(), rest.ids(), all.ids())
	}
	w.as("vic", "GET", path+"/history?cursor=zzzz", nil).is(http.StatusUnprocessableEntity, "invalid_parameter")
	// What is erased is gone, and the event stands.
	w.exec("delete from audit_envelopes")
	w.as("vic", "GET", path+"/history", nil).is(http.StatusOK).has("data.2.changes.firstName", `{"erased":true}`)
	// Secrets are never told.
	w.family("ours", "u-olga", "a")
	if body := w.as("olga", "GET", "/api/portal-access/a-portal-access/history", nil).is(http.StatusOK).has("data.0.changes.accessToken", `{"secret":true}`).Body.String(); strings.Contains(body, "secret of") {
		t.Errorf("a secret is told: %s", body)
	}
}
