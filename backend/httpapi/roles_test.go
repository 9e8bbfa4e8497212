package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// TestRoles_onOnesOwnOrganization asks every route about a row, as every role, for a row of the own
// organization that mia has made: what is allowed follows from the declarations.
func TestRoles_onOnesOwnOrganization(t *testing.T) {
	w := newWorld(t)
	w.family("ours", "u-mia", "own")
	cases := 0
	for _, op := range w.api.operations {
		p, placed := placeOf(op)
		if !placed || p.verb == "list" || p.verb == "create" {
			continue
		}
		id := "own-" + p.entity.Kind
		switch {
		case p.entity.Root:
			id = "ours"
		case p.entity.Membership:
			id = "m-dora1" // of no owner
		}
		path := strings.ReplaceAll(op.path, "{id}", id)
		for _, person := range matrixPeople {
			if p.entity.Root && p.verb == "delete" && person != "vic" && person != "mia" && person != "max" {
				continue // TestDeletions_ofTheOrganization
			}
			cases++
			want := allowed(p, person)
			got := w.as(person, op.method, path, bodyOf(op))
			if got.Code != want {
				t.Errorf("%s as %s: %d %s, want %d", op.route(), person, got.Code, got.Body, want)
			}
			if op.method != http.MethodDelete || got.Code != http.StatusOK {
				continue
			}
			// Undone by who has done it, and by nobody who does not see it.
			for _, other := range []string{"vic", "max"} {
				w.as(other, "POST", path+"/restore", nil).is(http.StatusNotFound, "not_found")
			}
			w.as(person, "POST", got.string("deletion.restoreUrl"), nil).is(http.StatusOK).has("deletion.state", "restored")
		}
	}
	if cases < 900 {
		t.Errorf("only %d cases", cases)
	}
	t.Logf("%d cases", cases)
}

// allowed is the status that the specification asks for.
func allowed(p matrixPlace, person string) int {
	manager := person == "olga" || person == "adam"
	writes := manager || person == "mia" && !p.entity.ManagersOnly
	switch p.verb {
	case "get", "history":
		return http.StatusOK
	case "trash": // it is live
		return http.StatusNotFound
	case "restore":
		if person == "vic" {
			return http.StatusForbidden
		}
		return http.StatusConflict
	case "delete":
		if !writes || !manager && takesAlongMore(p.entity) {
			return http.StatusForbidden
		}
	case "patch", "put", "deletion-preview":
		if !writes {
			return http.StatusForbidden
		}
	}
	return http.StatusOK
}

// takesAlongMore reports whether a deletion takes along rows that a member must not: financial records,
// and what managers alone write.
func takesAlongMore(e *softdelete.Entity) bool {
	for _, child := range store.Entities {
		for _, f := range child.Fields {
			if f.Cascade && f.Target == e.Kind &&
				(child.Class == softdelete.Financial || child.ManagersOnly || takesAlongMore(child)) {
				return true
			}
		}
	}
	return false
}
