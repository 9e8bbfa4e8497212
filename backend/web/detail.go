package web

import (
	"context"
	"net/url"
	"slices"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// relatedSize is how many rows of another kind a detail page shows.
const relatedSize = 5

// detailPage is one row.
type detailPage struct {
	Kind, Title, Singular, Plural string
	Back                          string // to the list
	Badge                         *cell
	Lead                          []cell
	Fields                        []cell
	Long                          []cell // texts, documents
	Facts                         []cell // when and by whom
	History                       string
	Edit, Delete                  string // empty for who may not
	Related                       []related
}

// related are rows of another kind that point to this one.
type related struct {
	ID, Title, Singular string
	All                 string
	New                 string
	List                listPage
	More                bool
}

func detail(e *softdelete.Entity) maker {
	return func(ctx context.Context, v *visit) (view, error) {
		record, err := v.store.Resources[e.Kind].Fetch(ctx, v.tx, v.r.PathValue("id"))
		if err != nil {
			return view{}, err
		}
		return v.detail(ctx, e, record)
	}
}

// settings is the page of the caller's own organization.
func settings(ctx context.Context, v *visit) (view, error) {
	out, err := v.detail(ctx, store.Organizations, v.org)
	out.title = "Settings"
	return out, err
}

func (v *visit) detail(ctx context.Context, e *softdelete.Entity, record softdelete.Record) (view, error) {
	if err := v.know(ctx, e, record); err != nil {
		return view{}, err
	}
	href := v.href(e.Kind, record.Key())
	body := detailPage{Kind: e.Kind, Title: v.label(e, record), Singular: e.Singular, Plural: e.Plural, Back: "/" + e.Kind}
	if e.Root {
		body.Back = ""
		href = "/" + e.Kind + "/" + url.PathEscape(record.Key()) // /settings has no pages below it
	}
	body.History = href + "/history"
	v.fill(&body, e, record)
	if v.mayChange(e, record) {
		body.Edit = href + "/edit"
	}
	if v.mayDelete(e, record) {
		body.Delete = href + "/delete"
	}
	var err error
	body.Related, err = v.related(ctx, e, record)
	return view{look: "detail", title: body.Title, body: body}, err
}

// fill sorts a record's values into the parts of the page.
func (v *visit) fill(body *detailPage, e *softdelete.Entity, record softdelete.Record) {
	s := shapes[e.Kind]
	for _, name := range s.lead {
		if f := e.Field(name); f != nil && name != s.badge {
			body.Lead = append(body.Lead, v.cell(f, record))
		}
	}
	for _, f := range e.Fields {
		c := v.cell(f, record)
		switch {
		case f.Secret || slices.Contains(s.lead, f.Name) && f.Name != s.badge || len(e.Label) == 1 && labels(e, f):
		case f.Name == s.badge:
			body.Badge = &c
		case f.Column == "created_at" || f.Column == "updated_at":
			body.Facts = append(body.Facts, c)
		case f.Long || f.Type == softdelete.Document:
			if c.Kind != "" {
				body.Long = append(body.Long, c)
			}
		case c.Kind != "": // what is not there would only be in the way
			body.Fields = append(body.Fields, c)
		}
	}
	if by := record.Life().CreatedBy; by != nil && v.names.people[*by] != "" {
		body.Facts = append(body.Facts, cell{Label: "By", Kind: "text", Text: v.names.people[*by]})
	}
}

// related lists what points to a row.
func (v *visit) related(ctx context.Context, e *softdelete.Entity, record softdelete.Record) ([]related, error) {
	if e.Root {
		return nil, nil
	}
	var all []related
	for _, ref := range v.references(e) {
		by := map[string]string{ref.by.Name: record.Key()}
		found, err := v.store.Resources[ref.from.Kind].List(ctx, v.tx, softdelete.Query{Filter: by, Limit: relatedSize})
		if err != nil {
			return nil, err
		}
		if len(found.Rows) == 0 && !ref.always {
			continue
		}
		if err := v.know(ctx, ref.from, found.Rows...); err != nil {
			return nil, err
		}
		one := related{
			ID: "related-" + ref.from.Kind + "-" + ref.by.Name, Title: ref.from.Plural, Singular: lower(ref.from.Singular),
			All: "/" + ref.from.Kind + "?" + url.Values{ref.by.Name: {record.Key()}}.Encode(), More: found.Next != "",
		}
		if v.mayCreate(ref.from) {
			one.New = "/new/" + ref.from.Kind + "?" + url.Values{ref.by.Name: {record.Key()}}.Encode()
		}
		one.List.Title = ref.from.Plural
		one.List.Total = total(found.Total, found.Capped)
		v.rows(ref.from, &one.List, found.Rows)
		one.List.drop(titleOf(ref.by)) // the page says it already
		one.List.readOnly()
		all = append(all, one)
	}
	return all, nil
}

// drop leaves a column out.
func (l *listPage) drop(title string) {
	at := slices.IndexFunc(l.Columns, func(c column) bool { return c.Title == title })
	if at <= 0 {
		return
	}
	l.Columns = slices.Delete(l.Columns, at, at+1)
	for i := range l.Rows {
		l.Rows[i].Cells = slices.Delete(l.Rows[i].Cells, at, at+1)
	}
}

// readOnly leaves deleting to the rows' own pages.
func (l *listPage) readOnly() {
	for i := range l.Rows {
		l.Rows[i].Delete = ""
	}
}
