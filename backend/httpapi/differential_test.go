package httpapi

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// apart are the routes whose answers may tell of what is trashed. So may, of a trashed row and to who sees it in the
// Trash, an entity's own trash, restore, history and delete; all else must be as if the row had never been.
var apart = map[string]bool{
	"GET /api/trash":                   true,
	"POST /api/trash/restore":          true,
	"GET /api/deletions/{id}":          true,
	"POST /api/deletions/{id}/restore": true,
}

// seeds is how many sets are tried. The first is the one of every day; others send more requests.
var seeds = flag.Uint64("differential.seeds", 1, "sets of rows for TestDifferential_trashedIsAbsent")

// TestDifferential_trashedIsAbsent: a database of which rows were deleted answers as one that never had them.
func TestDifferential_trashedIsAbsent(t *testing.T) {
	for seed := range *seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := newPair(t, seed+1)
			p.play(seed%2 == 0)
			t.Logf("%d requests", p.requests)
			if p.requests < 1500 {
				t.Errorf("only %d requests", p.requests)
			}
			for _, difference := range p.differences {
				t.Error(difference)
			}
		})
	}
}

// elsewhere are routes that the play does not send, and why.
var elsewhere = map[string]string{
	"PATCH /api/organizations/settings": "PATCH /api/organizations/{id} does the same",
	"PUT /api/organizations/settings":   "PUT /api/organizations/{id} does the same",
	"GET /problems/{id}":                "a page that knows no rows",
}

// TestDifferential_knowsEveryRoute: a route that is new is played, apart, or explained.
func TestDifferential_knowsEveryRoute(t *testing.T) {
	verbs := []string{"list", "create", "get", "patch", "put", "delete", "deletion-preview", "restore", "history", "trash"}
	for _, op := range build(Options{}).operations {
		place, placed := placeOf(op)
		played := slices.Contains(verbs, place.verb) || !placed && op.method == http.MethodGet && !strings.Contains(op.path, "{id}")
		if !played && !apart[op.route()] && elsewhere[op.route()] == "" {
			t.Errorf("%s is in no list of the differential test", op.route())
		}
	}
}

// pair are two databases: of one the rows were deleted, the other never had them.
type pair struct {
	deleted, never *world
	data           *dataset
	requests       int
	differences    []string
	// enough is how many differences end the play.
	enough int
}

func newPair(t *testing.T, seed uint64) *pair {
	t.Helper()
	p := &pair{deleted: newWorld(t), never: newWorld(t), data: makeDataset(seed), enough: 10}
	p.deleted.load(p.data, false)
	p.deleted.deleteAll(p.data)
	p.never.load(p.data, true)
	p.requests = 0
	return p
}

// both sends one request to both, and compares the answers. It returns that of the database which never had
// the rows.
func (p *pair) both(person, method, target string, body any, headers ...string) reply {
	if len(p.differences) >= p.enough {
		return reply{}
	}
	p.requests++
	headers = append(headers, "X-Request-Id", fmt.Sprintf("request-%d", p.requests))
	var one reply
	var first sync.WaitGroup
	first.Go(func() { one = p.deleted.as(person, method, target, body, headers...) })
	other := p.never.as(person, method, target, body, headers...)
	first.Wait()
	if a, b := tell(one), tell(other); a != b {
		p.differences = append(p.differences, fmt.Sprintf("%s %s %v as %s\nrows were deleted: %s\nrows never were:   %s", method, target, body, person, a, b))
	}
	return other
}

// What two databases cannot have in common: the clock, and the ids that they make.
var (
	madeNow = regexp.MustCompile(`"20[2-9][0-9]-[01][0-9]-[0-3][0-9]T[0-9:.]+Z"`)
	madeID  = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	// cursors that begin at a row that was just made.
	madeCursor = regexp.MustCompile(`"nextCursor":"[^"]+"`)
)

// tell is all that an answer says. Where it tells of something that the database has just made, the names of
// that are left out; all else is compared as it is.
func tell(r reply) string {
	body := r.Body.String()
	location := r.Header().Get("Location")
	if madeID.MatchString(body) {
		body = madeID.ReplaceAllString(body, "ID")
		body = madeCursor.ReplaceAllString(body, `"nextCursor":"CURSOR"`)
		location = madeID.ReplaceAllString(location, "ID")
	}
	body = madeNow.ReplaceAllStringFunc(body, func(at string) string {
		if strings.HasPrefix(at, `"2020-`) { // the dataset's
			return at
		}
		return `"NOW"`
	})
	header := r.Header().Clone()
	header.Set("Location", location)
	return fmt.Sprint(r.Code, header, body)
}

// play sends all requests; thin leaves out repetitions that only differ in who asks.
func (p *pair) play(thin bool) {
	p.reading(thin)
	p.writing(thin)
}

// placed are the operations of a verb.
func (p *pair) placed(verb string) iter.Seq2[*operation, matrixPlace] {
	return func(yield func(*operation, matrixPlace) bool) {
		for _, op := range p.deleted.api.operations {
			if place, ok := placeOf(op); ok && place.verb == verb && !yield(op, place) {
				return
			}
		}
	}
}

func (p *pair) reading(thin bool) {
	people := []string{"olga", "mia", "vic"}
	if thin {
		people = people[:1]
	}
	for _, op := range p.deleted.api.operations {
		_, placed := placeOf(op)
		if placed || apart[op.route()] || op.method != http.MethodGet || strings.Contains(op.path, "{id}") {
			continue
		}
		for _, person := range people {
			p.both(person, op.method, op.path, nil)
		}
	}
	for _, place := range p.placed("list") {
		p.lists(place.entity, people)
	}
	for _, verb := range []string{"get", "deletion-preview"} {
		for op, place := range p.placed(verb) {
			p.reads(op, place, people)
		}
	}
	p.labels()
	p.stale()
}

func (p *pair) writing(thin bool) {
	p.keys()
	for _, place := range p.placed("create") {
		p.creations(place.entity)
	}
	for _, verb := range []string{"patch", "put"} {
		for op, place := range p.placed(verb) {
			p.updates(op, place, thin)
		}
	}
	for op, place := range p.placed("delete") {
		p.deletes(op, place)
	}
	for _, place := range p.placed("list") { // and what has become of it
		p.both("olga", "GET", "/api/"+place.entity.Kind+"?limit=200", nil)
	}
}

func (p *pair) lists(e *softdelete.Entity, people []string) {
	path := "/api/" + e.Kind
	for _, person := range people {
		p.both(person, "GET", path, nil)
		p.both(person, "GET", path+"?page=2&limit=2", nil)
		for next, parts := p.both(person, "GET", path+"?limit=2", nil), 0; next.ResponseRecorder != nil && next.string("nextCursor") != "" && parts < 10; parts++ {
			next = p.both(person, "GET", path+"?limit=2&cursor="+next.string("nextCursor"), nil)
		}
		if searched(e) {
			p.both(person, "GET", path+"?search="+e.Kind, nil)
			p.both(person, "GET", path+"?search=-1", nil)
		}
	}
	for _, f := range e.Fields {
		switch {
		case !f.Filter:
		case f.Target != "":
			for _, target := range p.data.of("ours", f.Target) {
				p.both("olga", "GET", path+"?"+f.Name+"="+target.id, nil)
			}
		case f.User:
			p.both("olga", "GET", path+"?"+f.Name+"=u-mia", nil)
		default:
			for _, value := range f.Enum {
				p.both("olga", "GET", path+"?"+f.Name+"="+value, nil)
			}
		}
	}
}

// reads asks for every row, and for those that are trashed or foreign.
func (p *pair) reads(op *operation, place matrixPlace, people []string) {
	for _, r := range p.data.rows {
		if r.entity != place.entity {
			continue
		}
		for _, person := range people {
			p.both(person, op.method, strings.ReplaceAll(op.path, "{id}", r.id), nil)
		}
	}
}

// labels asks for the names of all rows, as pages do.
func (p *pair) labels() {
	who := store.Request{Person: store.Person{Issuer: callertest.Provider, Subject: "olga", Email: "olga@example.test"}}
	for _, e := range store.Entities {
		var ids []string
		for _, r := range p.data.of("ours", e.Kind) {
			ids = append(ids, r.id)
		}
		if ids == nil {
			continue
		}
		var told [2]string
		for i, w := range []*world{p.deleted, p.never} {
			err := w.store.Read(w.t.Context(), who, func(ctx context.Context, tx *softdelete.Tx) error {
				names, err := w.store.Deletions.Labels(ctx, tx, e, ids)
				told[i] = fmt.Sprint(names)
				return err
			})
			if err != nil {
				w.t.Fatal(err)
			}
		}
		if told[0] != told[1] {
			p.differences = append(p.differences, fmt.Sprintf("labels of %s: %s and %s", e.Kind, told[0], told[1]))
		}
	}
}

// stale changes rows by a version that they do not have, and as somebody who may not.
func (p *pair) stale() {
	for _, r := range p.data.rows {
		path := "/api/" + r.entity.Kind + "/" + r.id
		p.both("olga", "PATCH", path, "{}", "If-Match", `"99"`)
		p.both("vic", "PUT", path, "{}")
		if !p.data.gone[r] {
			p.both("olga", "DELETE", path, nil, "If-Match", `"99"`)
			p.both("olga", "POST", path+"/restore", nil)
			p.both("olga", "GET", "/api/trash/"+r.entity.Kind+"/"+r.id, nil)
		}
		for _, other := range []string{"max", "vic"} { // who sees nothing of it in the Trash
			if p.data.gone[r] {
				p.both(other, "GET", "/api/trash/"+r.entity.Kind+"/"+r.id, nil)
				p.both(other, "DELETE", path, nil)
				p.both(other, "GET", path+"/history", nil)
				p.both(other, "POST", path+"/restore", nil)
			}
		}
	}
}

// creations creates rows that refer to what is live, and to what is not.
func (p *pair) creations(e *softdelete.Entity) {
	good := func() map[string]any {
		body := goodBody(e, "none")
		for _, f := range e.Fields {
			if f.Target != "" {
				delete(body, f.Name)
				if live := p.live(f.Target); live != "" {
					body[f.Name] = live
				}
			}
		}
		if body["permissionId"] != nil {
			body["permissionId"] = "perm-3"
		}
		return body
	}
	p.both("olga", "POST", "/api/"+e.Kind, good())
	p.both("mia", "POST", "/api/"+e.Kind, good())
	for _, f := range e.Fields {
		if f.Target == "" || f.ReadOnly {
			continue
		}
		for _, target := range p.data.of("ours", f.Target) {
			if p.data.gone[target] {
				body := good()
				body[f.Name] = target.id
				p.both("olga", "POST", "/api/"+e.Kind, body)
			}
		}
	}
}

// live is a row of ours that is there.
func (p *pair) live(kind string) string {
	for _, r := range p.data.of("ours", kind) {
		if !p.data.gone[r] {
			return r.id
		}
	}
	return ""
}

// updates changes every row: nothing, text, and each reference to null, to a live row and to a trashed one.
func (p *pair) updates(op *operation, place matrixPlace, thin bool) {
	for i, r := range p.data.of("ours", place.entity.Kind) {
		path := strings.ReplaceAll(op.path, "{id}", r.id)
		p.both("olga", op.method, path, "{}")
		if thin && (i > 1 && !p.data.gone[r] || op.method == http.MethodPut) {
			continue
		}
		for _, f := range place.entity.Fields {
			switch {
			case f.ReadOnly || f.Secret || f.User:
			case f.Target != "":
				if f.Nullable && op.method == http.MethodPatch {
					p.both("olga", op.method, path, map[string]any{f.Name: nil})
				}
				for _, target := range p.data.of("ours", f.Target)[:2] {
					p.both("olga", op.method, path, map[string]any{f.Name: target.id})
				}
			case f.Type == softdelete.Text && f.Enum == nil && !place.entity.Membership:
				p.both("mia", op.method, path, map[string]any{f.Name: strings.Repeat("x", i+1)})
			}
		}
	}
}

// keys takes the keys that rows in the Trash had: they are free. What is deleted and restored again meets no
// twin that is not live. Of two owners one was deleted, so that the other is the last.
func (p *pair) keys() {
	for _, r := range p.data.rows {
		if !p.data.gone[r] || r.organization != "ours" || len(r.entity.Unique) == 0 {
			continue
		}
		body := goodBody(r.entity, "none")
		complete := true
		for _, f := range r.entity.Fields {
			_, wanted := body[f.Name]
			if target := r.references[f.Name]; wanted && f.Target != "" {
				delete(body, f.Name)
				if target != "" && !p.data.isGone(target) {
					body[f.Name] = target
				} else if f.Required {
					complete = false
				}
			} else if value, known := r.columns[f.Column]; wanted && known && f.Type == softdelete.Text {
				body[f.Name] = value
			}
		}
		if !complete {
			continue
		}
		if r.entity.Membership {
			body["role"] = "viewer"
		}
		path := "/api/" + r.entity.Kind
		one := p.deleted.as("olga", "POST", path, body)
		other := p.never.as("olga", "POST", path, body)
		p.compare("create a twin of "+r.id, one, other)
		if one.Code != http.StatusCreated || other.Code != http.StatusCreated {
			continue
		}
		for _, step := range []struct{ method, suffix string }{{"DELETE", ""}, {"POST", "/restore"}} {
			p.compare(step.method+" a twin of "+r.id,
				p.deleted.as("olga", step.method, path+"/"+one.string("id")+step.suffix, nil),
				p.never.as("olga", step.method, path+"/"+other.string("id")+step.suffix, nil))
		}
	}
	p.both("olga", "PATCH", "/api/members/m-olga", `{"role":"admin"}`)
	p.both("olga", "DELETE", "/api/members/m-olga", nil)
}

func (p *pair) compare(what string, one, other reply) {
	p.requests++
	strip := func(r reply) string {
		return strings.ReplaceAll(tell(r), r.Header().Get("X-Request-Id"), "")
	}
	if a, b := strip(one), strip(other); a != b {
		p.differences = append(p.differences, fmt.Sprintf("%s\nrows were deleted: %s\nrows never were:   %s", what, a, b))
	}
}

// deletes takes every row that is live, parents late, so that they reach rows that are gone already.
func (p *pair) deletes(op *operation, place matrixPlace) {
	for _, r := range p.data.of("ours", place.entity.Kind) {
		if !p.data.gone[r] {
			p.both("olga", op.method, strings.ReplaceAll(op.path, "{id}", r.id), nil)
		}
	}
}
