package web

import (
	"context"
	"net/url"
	"slices"
	"strconv"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// pageSize is how many rows a list shows.
const pageSize = 25

// maxBack is how many pages a list can be leafed back; before them it begins anew.
const maxBack = 20

// listPage is a list of rows of one kind.
type listPage struct {
	Kind, Title, Singular string
	Note                  string
	Search, SearchHint    string
	Searches              bool
	Filters               []filter
	// Chips are filters that came with the address, such as all deals of one client.
	Chips []chip
	// Filtered says that not all rows are asked for.
	Filtered bool
	Columns  []column
	Rows     []row
	Total    string
	Pages    pager
	New      string // where to add one; empty for who may not
	Clear    string
}

// Deletes reports whether there is a row that the caller may delete.
func (l listPage) Deletes() bool {
	return slices.ContainsFunc(l.Rows, func(r row) bool { return r.Delete != "" })
}

type column struct {
	Title string
	Right bool
}

type row struct {
	Href   string
	Label  string
	Cells  []cell
	Delete string // empty for who may not
}

// filter is a choice that a list offers.
type filter struct {
	ID, Name, Title string
	Value           string
	Options         []option // nil for a text
}

type option struct {
	Value, Title string
	Selected     bool
}

type chip struct{ Title, Text, Name, Value, Remove string }

// pager leads through a list that has no page numbers.
type pager struct{ Newest, Newer, Older string }

// Any reports whether it leads anywhere.
func (p pager) Any() bool { return p.Newest != "" || p.Newer != "" || p.Older != "" }

func list(e *softdelete.Entity) maker {
	return func(ctx context.Context, v *visit) (view, error) {
		asked := v.r.URL.Query()
		query := softdelete.Query{Search: asked.Get("q"), Filter: map[string]string{}, Limit: pageSize, Cursor: asked.Get("cursor")}
		for _, f := range e.Fields {
			if value := asked.Get(f.Name); f.Filter && value != "" {
				query.Filter[f.Name] = value
			}
		}
		found, err := v.store.Resources[e.Kind].List(ctx, v.tx, query)
		if err != nil {
			return view{}, err
		}
		if err := v.know(ctx, e, found.Rows...); err != nil {
			return view{}, err
		}
		body := listPage{
			Kind: e.Kind, Title: e.Plural, Singular: lower(e.Singular), Note: shapes[e.Kind].note,
			Search: query.Search, SearchHint: shapes[e.Kind].search, Filtered: query.Search != "" || len(query.Filter) > 0,
			Clear: "/" + e.Kind, Pages: leaf("/"+e.Kind, asked, found.Next),
		}
		if query.Cursor == "" {
			body.Total = total(found.Total, found.Capped)
		}
		for _, f := range e.Fields {
			body.Searches = body.Searches || f.Search
		}
		if v.mayCreate(e) {
			body.New = "/new/" + e.Kind + prefill(e, query.Filter)
		}
		if err := v.filters(ctx, e, &body, query.Filter, asked); err != nil {
			return view{}, err
		}
		v.rows(e, &body, found.Rows)
		return view{look: "list", title: e.Plural, body: body}, nil
	}
}

// rows fills a list.
func (v *visit) rows(e *softdelete.Entity, body *listPage, records []softdelete.Record) {
	shown := columns(e)
	body.Columns = append(body.Columns, column{Title: leadTitle(e)})
	for _, f := range shown {
		body.Columns = append(body.Columns, column{Title: titleOf(f), Right: f.Type == softdelete.Number || f.Type == softdelete.Integer})
	}
	for _, record := range records {
		body.Rows = append(body.Rows, v.row(e, shown, record))
	}
}

func (v *visit) row(e *softdelete.Entity, shown []*softdelete.Field, record softdelete.Record) row {
	r := row{Href: v.href(e.Kind, record.Key()), Label: v.label(e, record)}
	r.Cells = append(r.Cells, cell{Label: leadTitle(e), Kind: "link", Text: r.Label, Href: r.Href, Lead: true})
	for _, f := range shown {
		r.Cells = append(r.Cells, v.cell(f, record))
	}
	if v.mayDelete(e, record) && !e.Root {
		r.Delete = r.Href + "/delete"
	}
	return r
}

// leadTitle heads the column of labels.
func leadTitle(e *softdelete.Entity) string {
	if len(e.Label) == 1 {
		for _, f := range e.Fields {
			if f.Column == e.Label[0] {
				return titleOf(f)
			}
		}
	}
	if len(e.Label) > 1 {
		return "Name"
	}
	return e.Singular
}

// filters offers the enumerations, the booleans and what the shape adds, and shows as chips what else the
// address filters by.
func (v *visit) filters(ctx context.Context, e *softdelete.Entity, body *listPage, by map[string]string, asked url.Values) error {
	for _, f := range e.Fields {
		value := by[f.Name]
		offered := filter{ID: "filter-" + f.Name, Name: f.Name, Title: titleOf(f), Value: value}
		switch {
		case !f.Filter:
		case f.Enum != nil:
			for _, one := range f.Enum {
				offered.Options = append(offered.Options, option{Value: one, Title: word(one), Selected: one == value})
			}
			body.Filters = append(body.Filters, offered)
		case f.Type == softdelete.Boolean:
			offered.Options = []option{{"true", "Yes", value == "true"}, {"false", "No", value == "false"}}
			body.Filters = append(body.Filters, offered)
		case slices.Contains(shapes[e.Kind].filters, f.Name):
			body.Filters = append(body.Filters, offered)
		case value != "":
			text := value
			switch {
			case f.Target != "":
				if err := v.knowRows(ctx, f.Target, []string{value}); err != nil {
					return err
				}
				if text = v.names.rows[f.Target][value]; text == "" {
					text = "not there any more"
				}
			case f.User:
				if err := v.knowPeople(ctx, []string{value}); err != nil {
					return err
				}
				if text = v.names.people[value]; text == "" {
					text = "a former user"
				}
			}
			body.Chips = append(body.Chips, chip{Title: titleOf(f), Text: text, Name: f.Name, Value: value, Remove: without(body.Clear, asked, f.Name)})
		}
	}
	return nil
}

// prefill carries a list's references over to the form of a new row.
func prefill(e *softdelete.Entity, by map[string]string) string {
	values := url.Values{}
	for name, value := range by {
		if f := e.Field(name); f.Target != "" {
			values.Set(name, value)
		}
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// without is the address of a list without one of its filters, from the newest.
func without(path string, asked url.Values, name string) string {
	return address(path, asked, func(q url.Values) {
		q.Del(name)
		q.Del("cursor")
		q.Del("back")
	})
}

// leaf makes the links of a list whose next page begins at a cursor. The cursors of the pages before are
// in the address: a keyset leads one way only.
func leaf(path string, asked url.Values, next string) pager {
	var p pager
	here, back := asked.Get("cursor"), asked["back"]
	if next != "" {
		p.Older = address(path, asked, func(q url.Values) {
			q.Set("cursor", next)
			q["back"] = append(slices.Clone(back), here)
			if over := len(q["back"]) - maxBack; over > 0 {
				q["back"] = q["back"][over:]
			}
		})
	}
	if here != "" {
		p.Newest = address(path, asked, func(q url.Values) {
			q.Del("cursor")
			q.Del("back")
		})
		p.Newer = p.Newest
		if n := len(back); n > 0 && back[n-1] != "" {
			p.Newer = address(path, asked, func(q url.Values) {
				q.Set("cursor", back[n-1])
				q["back"] = back[:n-1]
			})
		}
	}
	return p
}

// address is that of a list with its query changed, without what only tells of something done.
func address(path string, asked url.Values, change func(url.Values)) string {
	q := url.Values{}
	for name, values := range asked {
		if name != "notice" && name != "deletion" && values[0] != "" || name == "back" {
			q[name] = slices.Clone(values)
		}
	}
	change(q)
	if encoded := q.Encode(); encoded != "" {
		return path + "?" + encoded
	}
	return path
}

// total is how many rows there are, in words.
func total(n int, capped bool) string {
	if capped {
		return "more than " + thousands(strconv.Itoa(softdelete.MaxTotal))
	}
	return thousands(strconv.Itoa(n))
}
