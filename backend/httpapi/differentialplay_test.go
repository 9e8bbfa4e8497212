package httpapi

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/backend/caller/callertest"
	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

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

// deletes takes every row that is live, parents late, so that they reach rows that are gone already.
func (p *pair) deletes(op *operation, place matrixPlace) {
	for _, r := range p.data.of("ours", place.entity.Kind) {
		if !p.data.gone[r] {
			p.both("olga", op.method, strings.ReplaceAll(op.path, "{id}", r.id), nil)
		}
	}
}
