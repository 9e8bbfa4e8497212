package httpapi

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestDeletions_deleteAndUndo walks through http-api.md's own example.
func TestDeletions_deleteAndUndo(t *testing.T) {
	w := newWorld(t)
	w.exec(`
insert into client_companies (id, organization_id, name, created_by) values ('c1', 'ours', 'Acme', 'u-mia');
insert into contacts (id, organization_id, client_company_id, first_name, last_name, created_by) values
	('k1', 'ours', 'c1', 'Ann', 'One', 'u-mia'), ('k2', 'ours', 'c1', 'Bob', 'Two', 'u-mia'), ('k3', 'ours', 'c1', 'Cy', 'Three', 'u-mia');
insert into deals (id, organization_id, client_company_id, contact_id, owner_id, name) values
	('d1', 'ours', 'c1', 'k1', 'u-olga', 'Deal'), ('d2', 'ours', null, 'k2', 'u-olga', 'Deal');
`)
	w.as("mia", "GET", "/api/clients/c1/deletion-preview", nil).is(http.StatusOK).has(
		"root", `{"id":"c1","kind":"clients","label":"Acme"}`, "counts", `{"clients":1,"contacts":3}`, "references", `{"deals":2}`, "total", "4", "blocked", "[]")
	w.as("mia", "DELETE", "/api/clients/c1", nil, "If-Match", `"9"`).is(http.StatusPreconditionFailed, "version_mismatch")
	w.as("max", "DELETE", "/api/clients/c1", nil).is(http.StatusForbidden, "forbidden")
	w.as("vic", "DELETE", "/api/clients/c1", nil).is(http.StatusForbidden, "forbidden")
	w.as("eve", "DELETE", "/api/clients/c1", nil).is(http.StatusNotFound, "not_found")

	deleted := w.as("mia", "DELETE", "/api/clients/c1", `{"reason":"duplicate"}`, "If-Match", `"1"`).is(http.StatusOK).has(
		"deletion.state", "trashed", "deletion.root", `{"id":"c1","kind":"clients","label":"Acme"}`, "deletion.reason", "duplicate",
		"deletion.deletedBy", `{"id":"u-mia","name":"Mia Member"}`, "deletion.counts", `{"clients":1,"contacts":3}`)
	id := deleted.string("deletion.id")
	deleted.has("deletion.restoreUrl", "/api/deletions/"+id+"/restore")
	if !strings.HasSuffix(deleted.string("deletion.deletedAt"), "Z") || deleted.string("deletion.purgeAfter.first") == "" {
		t.Errorf("times of %s", deleted.Body)
	}
	// Again: the same, byte for byte, to who sees it in the Trash; 404 to others.
	for _, who := range []string{"mia", "olga", "adam"} {
		again := w.as(who, "DELETE", "/api/clients/c1", nil).is(http.StatusOK)
		if again.Body.String() != deleted.Body.String() {
			t.Errorf("%s deletes again:\n%s\nfirst:\n%s", who, again.Body, deleted.Body)
		}
	}
	for _, who := range []string{"max", "vic", "eve"} {
		w.as(who, "DELETE", "/api/clients/c1", nil).is(http.StatusNotFound, "not_found")
	}
	// Gone from where live rows are.
	w.as("mia", "GET", "/api/clients/c1", nil).is(http.StatusNotFound, "not_found")
	w.as("mia", "GET", "/api/clients/c1/deletion-preview", nil).is(http.StatusNotFound, "not_found")
	w.as("mia", "GET", "/api/contacts", nil).is(http.StatusOK).has("data", "[]")
	// There in the Trash.
	w.as("mia", "GET", "/api/trash/clients/c1", nil).is(http.StatusOK).has("row.name", "Acme", "deletionId", id, "deletedBy", "u-mia", "restoreUrl", "/api/clients/c1/restore")
	w.as("max", "GET", "/api/trash/clients/c1", nil).is(http.StatusNotFound, "not_found")
	w.as("vic", "GET", "/api/trash/clients/c1", nil).is(http.StatusNotFound, "not_found")
	w.as("vic", "GET", "/api/trash", nil).is(http.StatusForbidden, "forbidden")
	w.as("max", "GET", "/api/trash", nil).is(http.StatusOK).has("data", "[]")
	w.as("eve", "GET", "/api/trash", nil).is(http.StatusOK).has("data", "[]")
	w.as("olga", "GET", "/api/trash?kind=clients&deletedBy=u-mia&search=acme&limit=50&cursor=", nil).is(http.StatusOK).has("data.0.id", id, "nextCursor", "")
	w.as("olga", "GET", "/api/trash?kind=deals", nil).is(http.StatusOK).has("data", "[]")
	w.as("olga", "GET", "/api/trash?deletedBy=u-olga", nil).is(http.StatusOK).has("data", "[]")
	detail := w.as("mia", "GET", "/api/deletions/"+id+"?kind=contacts&limit=2", nil).is(http.StatusOK).has(
		"deletion.remaining", `{"clients":1,"contacts":3}`, "deletion.restored", "{}", "deletion.purged", "{}",
		"items.0", `{"id":"k1","kind":"contacts","label":"Ann One"}`)
	w.as("mia", "GET", "/api/deletions/"+id+"?kind=contacts&limit=2&cursor="+detail.string("nextCursor"), nil).is(http.StatusOK).has(
		"items", `[{"id":"k3","kind":"contacts","label":"Cy Three"}]`, "nextCursor", "")
	for _, who := range []string{"max", "vic", "eve"} {
		w.as(who, "GET", "/api/deletions/"+id, nil).is(http.StatusNotFound, "not_found")
		w.as(who, "POST", "/api/deletions/"+id+"/restore", nil).is(http.StatusNotFound, "not_found")
	}

	// Undo: parts and all.
	w.as("mia", "POST", "/api/contacts/k1/restore", nil).is(http.StatusConflict, "restore_conflict").has(
		"errors.0.code", "parent_deleted", "errors.0.parent.id", "c1", "errors.0.deletionId", id)
	restored := w.as("mia", "POST", "/api/deletions/"+id+"/restore", `{"acceptGaps":false}`).is(http.StatusOK).has(
		"deletion.state", "restored", "restored", `{"clients":1,"contacts":3}`, "notRearmed", "[]")
	if restored.string("deletion.id") != id {
		t.Errorf("another deletion: %s", restored.Body)
	}
	w.as("mia", "POST", "/api/deletions/"+id+"/restore", nil).is(http.StatusConflict, "not_deleted")
	w.as("mia", "POST", "/api/clients/c1/restore", nil).is(http.StatusConflict, "not_deleted")
	w.as("mia", "GET", "/api/clients/c1", nil).is(http.StatusOK)
	w.as("mia", "GET", "/api/deletions/"+id, nil).is(http.StatusOK).has("deletion.state", "restored", "items", "[]", "deletion.restored", `{"clients":1,"contacts":3}`)
	w.as("mia", "GET", "/api/trash", nil).is(http.StatusOK).has("data", "[]")
}

func TestDeletions_conflictsAndParts(t *testing.T) {
	w := newWorld(t)
	w.exec(`
insert into roles (id, organization_id, name) values ('r1', 'ours', 'Manager');
insert into role_permissions (id, organization_id, role_id, permission_id) values ('rp1', 'ours', 'r1', 'perm-1');
insert into client_companies (id, organization_id, name) values ('c1', 'ours', 'Acme');
insert into contacts (id, organization_id, client_company_id, first_name, last_name) values ('k1', 'ours', 'c1', 'Ann', 'One');
insert into invitations (id, organization_id, email, token, invited_by_id, expires_at) values ('i1', 'ours', 'x@example.test', 'tok', 'u-olga', '2030-01-01');
`)
	role := w.as("olga", "DELETE", "/api/roles/r1", nil).is(http.StatusOK).has("deletion.counts", `{"role-permissions":1,"roles":1}`).string("deletion.id")
	twin := w.as("olga", "POST", "/api/roles", `{"name":"Manager"}`).is(http.StatusCreated).string("id")
	w.as("olga", "POST", "/api/roles/r1/restore", nil).is(http.StatusConflict, "restore_conflict").has(
		"errors.0.code", "live_twin", "errors.0.kind", "roles", "errors.0.id", "r1", "errors.0.key", `["name"]`,
		"errors.0.twin", `{"id":"`+twin+`","kind":"roles","label":"Manager"}`)
	w.as("mia", "POST", "/api/roles/r1/restore", nil).is(http.StatusNotFound, "not_found") // not mia's deletion

	// A contact by itself, then its client: the client's deletion does not have it.
	first := w.as("olga", "DELETE", "/api/contacts/k1", nil).is(http.StatusOK).string("deletion.id")
	second := w.as("olga", "DELETE", "/api/clients/c1", nil).is(http.StatusOK).has("deletion.counts", `{"clients":1}`).string("deletion.id")
	w.as("olga", "POST", "/api/deletions/"+first+"/restore", nil).is(http.StatusConflict, "restore_conflict").has("errors.0.deletionId", second)
	invited := w.as("olga", "DELETE", "/api/invitations/i1", nil).is(http.StatusOK).string("deletion.id")
	w.as("olga", "POST", "/api/trash/restore", map[string]any{"deletionIds": []string{role, second, first, invited, uuidText, "no-uuid"}}).is(http.StatusUnprocessableEntity, "invalid_body")
	w.as("olga", "POST", "/api/trash/restore", map[string]any{"deletionIds": []string{role, second, first, invited, uuidText}}).is(http.StatusOK).has(
		"results.0.id", role, "results.0.status", "409", "results.0.problem.code", "restore_conflict",
		"results.1.status", "200", "results.2.status", "200", "results.3.status", "200",
		"results.4.status", "404", "results.4.problem.code", "not_found")
	w.as("olga", "GET", "/api/contacts/k1", nil).is(http.StatusOK)
	w.as("olga", "GET", "/api/invitations/i1", nil).is(http.StatusOK).has("status", "revoked")

	// What does not come back armed is told.
	again := w.as("olga", "DELETE", "/api/invitations/i1", nil).is(http.StatusOK).string("deletion.id")
	w.as("olga", "POST", "/api/deletions/"+again+"/restore", nil).is(http.StatusOK).has("notRearmed", `[{"count":1,"kind":"invitations"}]`)

	// One row of a deletion alone: partial until nothing of it is trashed.
	w.exec("insert into engagements (id, organization_id, owner_id, name) values ('e1', 'ours', 'u-olga', 'E');\n" +
		"insert into projects (id, organization_id, engagement_id, name) values ('p1', 'ours', 'e1', 'P'), ('p2', 'ours', 'e1', 'P');\n" +
		"insert into tasks (id, organization_id, project_id, name) values ('t1', 'ours', 'p1', 'T')")
	tree := w.as("olga", "DELETE", "/api/engagements/e1", nil).is(http.StatusOK).has("deletion.counts", `{"engagements":1,"projects":2,"tasks":1}`).string("deletion.id")
	w.as("olga", "POST", "/api/engagements/e1/restore", nil).is(http.StatusOK).has("restored", `{"engagements":1,"projects":2,"tasks":1}`)
	tree2 := w.as("olga", "DELETE", "/api/projects/p1", nil).is(http.StatusOK).string("deletion.id")
	w.as("olga", "POST", "/api/projects/p1/restore", nil).is(http.StatusOK).has("deletion.state", "restored", "restored", `{"projects":1,"tasks":1}`)
	if tree == tree2 {
		t.Error("two deletions have one id")
	}
}

// TestDeletions_members: a member takes along only what is its own and no financial record.
func TestDeletions_members(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "a")
	w.as("mia", "GET", "/api/engagements/a-engagements/deletion-preview", nil).is(http.StatusOK).has("blocked.0.code", "cascade_not_own")
	w.as("mia", "DELETE", "/api/engagements/a-engagements", nil).is(http.StatusForbidden, "forbidden").has("errors.0.code", "cascade_not_own")
	w.as("mia", "DELETE", "/api/projects/a-projects", nil).is(http.StatusOK)
	w.as("adam", "DELETE", "/api/engagements/a-engagements", nil).is(http.StatusOK)
	// Owners' memberships, and the last owner.
	w.as("adam", "DELETE", "/api/members/m-olga", nil).is(http.StatusForbidden, "forbidden")
	w.as("olga", "DELETE", "/api/members/m-olga", nil).is(http.StatusConflict, "last_owner")
	w.as("olga", "PATCH", "/api/members/m-olga", `{"role":"admin"}`).is(http.StatusConflict, "last_owner")
	w.as("adam", "PATCH", "/api/members/m-adam", `{"role":"owner"}`).is(http.StatusForbidden, "forbidden")
	// The next request of who has no membership any more finds nothing.
	w.as("olga", "DELETE", "/api/members/m-vic", nil).is(http.StatusOK)
	w.as("vic", "GET", "/api/clients", nil).is(http.StatusForbidden, "no_organization")
}

func TestDeletions_tooLarge(t *testing.T) {
	w := newWorld(t)
	w.exec("insert into client_companies (id, organization_id, name) values ('c1', 'ours', 'Acme');\n" +
		"insert into contacts (id, organization_id, client_company_id, first_name, last_name) select 'k' || i, 'ours', 'c1', 'A', 'B' from generate_series(1, 20000) i")
	w.as("olga", "DELETE", "/api/clients/c1", nil).is(http.StatusUnprocessableEntity, "too_large").has("preview.total", "20001", "preview.blocked.0.code", "too_large")
	w.as("olga", "GET", "/api/clients/c1", nil).is(http.StatusOK)
}

func TestDeletions_ofTheOrganization(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "a")
	w.as("mia", "DELETE", "/api/organizations/ours", nil).is(http.StatusForbidden, "forbidden")
	id := w.as("olga", "DELETE", "/api/organizations/ours", nil).is(http.StatusOK).has("deletion.counts", `{"organizations":1}`, "deletion.purgeAfter", "").string("deletion.id")
	for _, path := range []string{"/api/clients", "/api/organizations/ours", "/api/dashboard/stats", "/api/organizations/settings", "/api/clients/a-clients/history", "/api/trash/clients/x"} {
		w.as("olga", "GET", path, nil).is(http.StatusForbidden, "organization_closed")
		w.as("mia", "GET", path, nil).is(http.StatusForbidden, "organization_closed")
	}
	w.as("olga", "POST", "/api/clients", `{"name":"x"}`).is(http.StatusForbidden, "organization_closed")
	w.as("mia", "GET", "/api/trash", nil).is(http.StatusForbidden, "organization_closed")
	w.as("olga", "GET", "/api/trash", nil).is(http.StatusOK).has("data.0.id", id)
	w.as("olga", "GET", "/api/trash/organizations/ours", nil).is(http.StatusOK).has("row.name", "Ours")
	w.as("eve", "GET", "/api/trash/organizations/ours", nil).is(http.StatusNotFound, "not_found")
	w.as("adam", "POST", "/api/organizations/ours/restore", nil).is(http.StatusForbidden, "organization_closed")
	w.as("olga", "POST", "/api/organizations/ours/restore", nil).is(http.StatusOK).has("restored", `{"organizations":1}`)
	w.as("mia", "GET", "/api/clients", nil).is(http.StatusOK).has("pagination.total", "1")
}

// TestDeletions_inParallel: many delete one row, and all get the one deletion; many restore it, and one does.
func TestDeletions_inParallel(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "a")
	const many = 12
	for range 3 {
		deleted, undone := make([]reply, many), make([]reply, many)
		var together sync.WaitGroup
		for i := range many {
			together.Go(func() { deleted[i] = reply{w.send("olga", "DELETE", "/api/clients/a-clients", nil), t} })
		}
		together.Wait()
		for _, r := range deleted {
			if r.is(http.StatusOK).Body.String() != deleted[0].Body.String() {
				t.Errorf("two deletions of one row:\n%s\n%s", r.Body, deleted[0].Body)
			}
		}
		for i := range many {
			together.Go(func() { undone[i] = reply{w.send("olga", "POST", deleted[0].string("deletion.restoreUrl"), nil), t} })
		}
		together.Wait()
		did := 0
		for _, r := range undone {
			if r.Code == http.StatusOK {
				did++
				continue
			}
			r.is(http.StatusConflict, "not_deleted")
		}
		if did != 1 {
			t.Errorf("%d of %d restores restored it", did, many)
		}
	}
	if n := w.value("select count(*) from deletions"); n != "3" {
		t.Errorf("%s deletions", n)
	}
}
