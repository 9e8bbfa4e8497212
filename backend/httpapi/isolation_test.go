package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// others are the routes that are about no row of an entity, and why they are not in the matrix.
var others = map[string]string{
	"GET /api/trash":                    "tried below",
	"POST /api/trash/restore":           "tried below",
	"GET /api/deletions/{id}":           "tried below",
	"POST /api/deletions/{id}/restore":  "tried below",
	"GET /api/auth/user":                "TestOwn_whoAndWhere",
	"GET /api/users/me":                 "TestOwn_whoAndWhere",
	"GET /api/organizations/settings":   "TestOwn_settingsAndStats",
	"PATCH /api/organizations/settings": "TestOwn_settingsAndStats",
	"PUT /api/organizations/settings":   "TestOwn_settingsAndStats",
	"GET /api/dashboard/stats":          "TestOwn_settingsAndStats",
	"GET /health":                       "public",
	"GET /api/health":                   "public",
	"GET /ready":                        "public",
	"GET /openapi.json":                 "public",
	"GET /openapi.yaml":                 "public",
	"GET /problems/{id}":                "public",
}

// place is where an operation stands in the matrix.
type matrixPlace struct {
	entity *softdelete.Entity
	verb   string // list, create, get, patch, put, delete, deletion-preview, restore, history, trash
}

// placeOf sorts a route by its path alone, so that a route which nobody thought of has no place.
func placeOf(op *operation) (matrixPlace, bool) {
	for _, e := range store.Entities {
		many := "/api/" + e.Kind
		switch op.path {
		case many:
			return matrixPlace{e, map[string]string{"GET": "list", "POST": "create"}[op.method]}, true
		case many + "/{id}":
			return matrixPlace{e, strings.ToLower(op.method)}, true
		case "/api/trash/" + e.Kind + "/{id}":
			return matrixPlace{e, "trash"}, true
		}
		for _, verb := range []string{"deletion-preview", "restore", "history"} {
			if op.path == many+"/{id}/"+verb {
				return matrixPlace{e, verb}, true
			}
		}
	}
	return matrixPlace{}, false
}

// matrixPeople are those who ask: each role of ours, and a member whose own nothing is.
var matrixPeople = []string{"olga", "adam", "mia", "max", "vic"}

// bodyOf is a good body of an operation.
func bodyOf(op *operation) any {
	if op.method == http.MethodPatch || op.method == http.MethodPut {
		return "{}"
	}
	return nil
}

// TestIsolation_foreignIsAbsent asks every route, as everybody, for a foreign row, a foreign trashed row, and
// one that is nowhere: the answers are the same, byte for byte and header for header.
func TestIsolation_foreignIsAbsent(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "own")
	w.family("theirs", "u-eve", "foreign")
	w.family("theirs", "u-mia", "trashed") // mia belongs to others too, in the columns alone
	for _, e := range store.Entities {
		if !e.Root && !e.Membership {
			w.as("eve", "DELETE", "/api/"+e.Kind+"/trashed-"+e.Kind, nil)
		}
	}
	if n := w.value("select count(*) from client_companies where deleted_at is not null"); n != "1" {
		t.Fatalf("%s trashed clients", n)
	}
	before := w.snapshot("theirs")

	type attempt struct {
		op     *operation
		person string
		ids    []string
	}
	var attempts []attempt
	for _, op := range w.api.operations {
		p, placed := placeOf(op)
		if !placed {
			if others[op.route()] == "" {
				t.Errorf("%s is in no list of this test", op.route())
			}
			continue
		}
		if p.verb == "list" || p.verb == "create" {
			continue // TestIsolation_lists, TestIsolation_creations
		}
		for _, person := range matrixPeople {
			ids := []string{"nowhere", "foreign-" + p.entity.Kind, "trashed-" + p.entity.Kind}
			switch {
			case p.entity.Root:
				ids = []string{"nowhere", "theirs"}
			case p.entity.Membership:
				ids = []string{"nowhere", "m-eve", "m-dora2"}
			}
			attempts = append(attempts, attempt{op, person, ids})
		}
	}
	cases := 0
	var mu sync.Mutex
	parallel(attempts, func(a attempt) {
		var first string
		for _, id := range a.ids {
			got := w.send(a.person, a.op.method, strings.ReplaceAll(a.op.path, "{id}", id), bodyOf(a.op))
			said := said(got.Code, got.Header(), strings.ReplaceAll(got.Body.String(), got.Header().Get("X-Request-Id"), ""))
			mu.Lock()
			cases++
			if first == "" {
				first = said
			}
			if got.Code != http.StatusNotFound || said != first {
				t.Errorf("%s as %s: %s answers\n%s\nand an absent row\n%s", a.op.route(), a.person, id, said, first)
			}
			mu.Unlock()
		}
	})
	if cases < 2000 {
		t.Errorf("only %d cases", cases)
	}
	t.Logf("%d cases", cases)
	if after := w.snapshot("theirs"); after != before {
		t.Errorf("the other organization has changed:\n%s\nbefore:\n%s", after, before)
	}

	// What is about no single row.
	foreign := w.value("select id from deletions where organization_id = 'theirs' limit 1")
	for _, person := range matrixPeople {
		var answers []string
		for _, id := range []string{foreign, uuidText} {
			answers = append(answers,
				strings.ReplaceAll(strip(w.as(person, "GET", "/api/deletions/"+id, nil).is(http.StatusNotFound, "not_found"))+
					strip(w.as(person, "POST", "/api/deletions/"+id+"/restore", nil).is(http.StatusNotFound, "not_found"))+
					strip(w.as(person, "POST", "/api/trash/restore", map[string]any{"deletionIds": []string{id}}).is(http.StatusOK).has("results.0.status", "404")), id, "ID"))
		}
		if answers[0] != answers[1] {
			t.Errorf("a foreign deletion is not as an absent one to %s:\n%s\n%s", person, answers[0], answers[1])
		}
		if trash := w.as(person, "GET", "/api/trash", nil); person != "vic" {
			trash.is(http.StatusOK).has("data", "[]")
		} else {
			trash.is(http.StatusForbidden, "forbidden")
		}
	}
	if after := w.snapshot("theirs"); after != before {
		t.Error("the other organization has changed")
	}
}

// said is all that an answer says, but the request's id.
func said(status int, header http.Header, body string) string {
	header = header.Clone()
	header.Del("X-Request-Id")
	return fmt.Sprint(status, header, body)
}

// parallel runs f for each of them, a few at a time.
func parallel[T any](all []T, f func(T)) {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for one := range queue {
				f(one)
			}
		})
	}
	for _, one := range all {
		queue <- one
	}
	close(queue)
	workers.Wait()
}

// snapshot is everything that the database has of an organization.
func (w *world) snapshot(organization string) string {
	var rows []string
	for _, e := range store.Entities {
		column := "organization_id"
		if e.Root {
			column = "id"
		}
		rows = append(rows, e.Kind+" "+w.value("select md5(string_agg(t::text, '' order by id)) from "+e.Table+" t where "+column+" = $1", organization))
	}
	for _, table := range []string{"deletions", "audit_events"} {
		rows = append(rows, table+" "+w.value("select md5(string_agg(t::text, '' order by id)) from "+table+" t where organization_id = $1", organization))
	}
	return strings.Join(rows, "\n")
}

// TestIsolation_lists: in every list, in both modes, searched and filtered, there are rows of ours alone; a
// filter by a foreign id finds what one by an absent id finds.
func TestIsolation_lists(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "own")
	w.family("theirs", "u-mia", "foreign")
	for _, op := range w.api.operations {
		p, placed := placeOf(op)
		if !placed || p.verb != "list" {
			continue
		}
		for _, person := range matrixPeople {
			for _, parameters := range []string{"", "?limit=1", "?search=o", "?search=foreign", "?page=2"} {
				r := w.as(person, "GET", op.path+parameters, nil)
				if r.Code == http.StatusUnprocessableEntity && strings.HasPrefix(parameters, "?search") && !searched(p.entity) {
					continue
				}
				r.is(http.StatusOK)
				ours(t, op, r)
				if next := r.string("nextCursor"); next != "" {
					ours(t, op, w.as(person, "GET", op.path+strings.ReplaceAll(parameters, "page=2", "")+"&cursor="+next, nil))
				}
			}
		}
		for _, f := range p.entity.Fields {
			if !f.Filter || f.Target == "" {
				continue
			}
			foreign := w.as("olga", "GET", op.path+"?"+f.Name+"=foreign-"+f.Target, nil).is(http.StatusOK)
			absent := w.as("olga", "GET", op.path+"?"+f.Name+"=nowhere", nil).is(http.StatusOK)
			if foreign.Body.String() != absent.Body.String() {
				t.Errorf("%s filtered by a foreign %s: %s", op.path, f.Name, foreign.Body)
			}
			if mine := w.as("olga", "GET", op.path+"?"+f.Name+"=own-"+f.Target, nil).is(http.StatusOK); mine.ids() != "own-"+p.entity.Kind {
				t.Errorf("%s filtered by our %s finds %q", op.path, f.Name, mine.ids())
			}
		}
	}
}

func searched(e *softdelete.Entity) bool {
	return slices.ContainsFunc(e.Fields, func(f *softdelete.Field) bool { return f.Search })
}

// ours fails the test when a list has a row of another organization.
func ours(t *testing.T, op *operation, r reply) {
	t.Helper()
	rows, _ := r.at("data").([]any)
	for _, row := range rows {
		object, _ := row.(map[string]any)
		if object["organizationId"] != "ours" && object["id"] != "ours" {
			t.Errorf("%s shows %v", op.route(), object)
		}
	}
}

// TestIsolation_creations: what is created belongs to us, and refers to nothing foreign. Nobody can tell a
// foreign target from an absent one.
func TestIsolation_creations(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "own")
	w.family("theirs", "u-eve", "foreign")
	before := w.snapshot("theirs")
	for _, e := range store.Entities {
		if e.Root {
			continue
		}
		good := goodBody(e, "own")
		for person, status := range map[string]int{"olga": 201, "adam": 201, "mia": 201, "vic": 403} {
			if person == "mia" && e.ManagersOnly {
				status = http.StatusForbidden
			}
			w.tidy(e)
			if got := w.send(person, "POST", "/api/"+e.Kind, good); got.Code != status {
				t.Errorf("%s creates one of %s: %d %s, want %d", person, e.Kind, got.Code, got.Body, status)
			}
		}
		w.tidy(e)
		for _, f := range e.Fields {
			if f.Target == "" || f.ReadOnly {
				continue
			}
			for method, path := range map[string]string{"POST": "/api/" + e.Kind, "PATCH": "/api/" + e.Kind + "/own-" + e.Kind} {
				var answers []string
				for _, target := range []string{"foreign-" + f.Target, "nowhere"} {
					body := map[string]any{}
					if method == http.MethodPost {
						body = goodBody(e, "own")
					}
					body[f.Name] = target
					answers = append(answers, strip(w.as("olga", method, path, body).is(http.StatusUnprocessableEntity, "reference_not_found").has("errors.0.location", "body."+f.Name)))
				}
				if answers[0] != answers[1] {
					t.Errorf("%s %s: a foreign %s is answered\n%s\nand an absent one\n%s", method, path, f.Name, answers[0], answers[1])
				}
			}
		}
	}
	if after := w.snapshot("theirs"); after != before {
		t.Error("the other organization has changed")
	}
}

// tidy makes room for another row with the same key.
func (w *world) tidy(e *softdelete.Entity) {
	w.t.Helper()
	if len(e.Unique) > 0 && !e.Membership {
		w.exec("update " + e.Table + " set deleted_at = now(), deletion_id = gen_random_uuid() where organization_id = 'ours' and id not like 'own-%'")
	}
	if e.Membership {
		w.exec("delete from organization_members where user_id = 'u-new'")
	}
}

// goodBody creates a row that refers to those of a family.
func goodBody(e *softdelete.Entity, prefix string) map[string]any {
	body := map[string]any{}
	for _, f := range e.Fields {
		if f.ReadOnly || f.Secret {
			continue
		}
		value := sample(f, "new", "u-new", func(f *softdelete.Field) any { return prefix + "-" + f.Target })
		if text, ok := value.(string); ok && f.Type == softdelete.Document {
			value = json.RawMessage(text)
		}
		body[f.Name] = value
	}
	if e.Membership {
		body["role"] = "viewer" // an owner's only an owner makes
	}
	if body["permissionId"] != nil {
		body["permissionId"] = "perm-2" // the family has perm-1
	}
	return body
}
