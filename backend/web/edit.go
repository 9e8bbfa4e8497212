package web

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// rowPath is where a row's own pages are, the settings' too.
func rowPath(e *softdelete.Entity, id string) string { return "/" + e.Kind + "/" + url.PathEscape(id) }

// createForm is the form for a new row. Its address may say what it begins with.
func createForm(e *softdelete.Entity) maker {
	return func(ctx context.Context, v *visit) (view, error) {
		if !v.mayCreate(e) {
			return view{}, softdelete.ErrForbidden
		}
		d := posted(e, "", nil)
		asked := v.r.URL.Query()
		for _, f := range written(e) {
			switch {
			case f.Target != "":
				d.typed[f.Name] = asked.Get(f.Name)
			case f.Enum != nil && !f.Nullable:
				d.typed[f.Name] = f.Enum[0]
				if value, ok := usual[f.Name]; ok {
					d.typed[f.Name] = value
				}
			case f.Own && f.User:
				d.typed[f.Name] = v.tx.Actor
			}
			d.find[f.Name] = asked.Get("find." + f.Name)
		}
		return v.showForm(ctx, e, d, http.StatusOK)
	}
}

// editForm is the form for a row that is there.
func editForm(e *softdelete.Entity) maker {
	return func(ctx context.Context, v *visit) (view, error) {
		record, err := v.store.Resources[e.Kind].Fetch(ctx, v.tx, v.r.PathValue("id"))
		if err != nil {
			return view{}, err
		}
		if !v.mayChange(e, record) {
			return view{}, softdelete.ErrForbidden
		}
		d := posted(e, record.Key(), nil)
		d.version = record.Life().Version
		if d.was, err = v.texts(ctx, e, record); err != nil {
			return view{}, err
		}
		asked := v.r.URL.Query()
		for _, f := range written(e) {
			d.typed[f.Name] = d.was[f.Name]
			if f.Target != "" && asked.Has("find."+f.Name) { // a search while one types; see the script
				d.find[f.Name] = asked.Get("find." + f.Name)
				d.typed[f.Name] = asked.Get(f.Name)
			}
		}
		return v.showForm(ctx, e, d, http.StatusOK)
	}
}

func (v *visit) showForm(ctx context.Context, e *softdelete.Entity, d *draft, status int) (view, error) {
	page, err := v.form(ctx, e, d)
	title := page.Title
	if len(page.Problems) > 0 || page.Alert != "" {
		title = "Not saved: " + title
	}
	return view{status: status, look: "form", title: title, body: page}, err
}

// errForm says that the draft has problems.
var errForm = errors.New("the form has problems")

func (p *Pages) create(e *softdelete.Entity) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.form(w, r) {
			return
		}
		d := posted(e, "", r.PostForm)
		if d.looking {
			p.again(w, r, e, d, http.StatusOK)
			return
		}
		var made string
		err := p.change(r, func(ctx context.Context, tx *softdelete.Tx) error {
			values, err := p.judged(ctx, r, tx, e, d)
			if err != nil {
				return err
			}
			made, err = p.makeOnce(ctx, tx, e, d, values)
			return err
		})
		if err != nil {
			p.notSaved(w, r, e, d, err)
			return
		}
		leave(w, r, p.href(e.Kind, made)+"?notice=created")
	}
}

// makeOnce makes a row, and returns its id. A form that is sent twice with the same in it, by a double click or
// because an answer was lost, makes one.
func (p *Pages) makeOnce(ctx context.Context, tx *softdelete.Tx, e *softdelete.Entity, d *draft, values softdelete.Values) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "%q", e.Kind)
	for _, f := range written(e) {
		fmt.Fprintf(sum, "%q", d.typed[f.Name])
	}
	hash := sum.Sum(nil)
	made, _, err := store.Once(ctx, tx, fmt.Sprintf("form-%s-%x", d.once, hash[:8]), hash, func() (store.Made, error) {
		record, err := p.store.Resources[e.Kind].Create(ctx, tx, values)
		if err != nil {
			return store.Made{}, err
		}
		return store.Made{Kind: e.Kind, ID: record.Key(), Status: http.StatusSeeOther}, nil
	})
	return made.ID, err
}

func (p *Pages) update(e *softdelete.Entity) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.form(w, r) {
			return
		}
		id := r.PathValue("id")
		d := posted(e, id, r.PostForm)
		if d.version < 1 {
			p.odd(w, r, oddity{http.StatusBadRequest, "bad_form"}) // 0 would mean any version
			return
		}
		if d.looking {
			p.again(w, r, e, d, http.StatusOK)
			return
		}
		notice := "saved"
		err := p.change(r, func(ctx context.Context, tx *softdelete.Tx) error {
			values, err := p.judged(ctx, r, tx, e, d)
			if err != nil {
				return err
			}
			if len(values) == 0 {
				notice = "same"
				_, err = p.store.Resources[e.Kind].Fetch(ctx, tx, id)
				return err
			}
			notice = "saved"
			_, err = p.store.Resources[e.Kind].Update(ctx, tx, id, d.version, values)
			return err
		})
		if err != nil {
			p.notSaved(w, r, e, d, err)
			return
		}
		leave(w, r, p.href(e.Kind, id)+"?notice="+notice)
	}
}

// judged are the values of a draft when nothing is wrong with them. All that is wrong is left in the draft,
// not only the first.
func (p *Pages) judged(ctx context.Context, r *http.Request, tx *softdelete.Tx, e *softdelete.Entity, d *draft) (softdelete.Values, error) {
	v, err := p.visit(ctx, r, tx)
	if err != nil {
		return nil, err
	}
	clear(d.problems)
	values := d.values(e, v.format)
	checked, err := e.Check(values, d.id == "")
	d.take(e, err)
	switch {
	case len(d.problems) > 0:
		return nil, errForm
	case err != nil:
		return nil, err
	}
	return checked, nil
}

// take keeps the problems that the store has found, beside those that are known already.
func (d *draft) take(e *softdelete.Entity, err error) {
	var fields *softdelete.FieldError
	if !errors.As(err, &fields) {
		return
	}
	for _, problem := range fields.Fields {
		f := e.Field(problem.Name)
		if f == nil || f.ReadOnly || f.Secret {
			d.alert = "It was not saved: something is wrong with it that this form does not show."
		} else if d.problems[problem.Name] == "" {
			d.problems[problem.Name] = explainField(f, problem.Code)
		}
	}
}

// notSaved shows a form again, with all that was typed and why it was not saved.
func (p *Pages) notSaved(w http.ResponseWriter, r *http.Request, e *softdelete.Entity, d *draft, err error) {
	var fields *softdelete.FieldError
	switch {
	case errors.Is(err, errForm), errors.As(err, &fields):
		d.take(e, err)
		p.again(w, r, e, d, http.StatusUnprocessableEntity)
	case errors.Is(err, softdelete.ErrVersion):
		p.show(w, r, func(ctx context.Context, v *visit) (view, error) {
			record, err := v.store.Resources[e.Kind].Fetch(ctx, v.tx, d.id)
			if errors.Is(err, softdelete.ErrNotFound) {
				return v.vanished(ctx, e, d)
			}
			if err != nil {
				return view{}, err
			}
			d.alert = "Somebody else has changed this while you were editing, so nothing was saved. What you had not touched is up to date below. Look at it, and save again."
			if err := v.rebase(ctx, e, d, record); err != nil {
				return view{}, err
			}
			return v.showForm(ctx, e, d, http.StatusPreconditionFailed)
		})
	case errors.Is(err, softdelete.ErrNotFound) && d.id != "":
		p.show(w, r, func(ctx context.Context, v *visit) (view, error) { return v.vanished(ctx, e, d) })
	case errors.Is(err, softdelete.ErrLastOwner):
		d.problems["role"] = "This is the last owner. Make somebody else an owner first."
		p.again(w, r, e, d, http.StatusConflict)
	default:
		p.fail(w, r, err)
	}
}

// vanished shows what was typed for a row that has been deleted meanwhile. It says the same for one that
// never was.
func (v *visit) vanished(ctx context.Context, e *softdelete.Entity, d *draft) (view, error) {
	if v.tx.Role == softdelete.Viewer {
		return view{}, softdelete.ErrNotFound
	}
	d.alert = "This " + lower(e.Singular) + " is not there any more, so nothing was saved. If it is in the Trash, bring it back in another window, and then save again. What you have typed is still below."
	return v.showForm(ctx, e, d, http.StatusNotFound)
}

func (p *Pages) again(w http.ResponseWriter, r *http.Request, e *softdelete.Entity, d *draft, status int) {
	p.show(w, r, func(ctx context.Context, v *visit) (view, error) {
		if d.id == "" && !v.mayCreate(e) || v.tx.Role == softdelete.Viewer {
			return view{}, softdelete.ErrForbidden
		}
		return v.showForm(ctx, e, d, status)
	})
}
