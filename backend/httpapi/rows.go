package httpapi

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// rowOperations are the operations on the live rows of one entity.
func (a *api) rowOperations(e *softdelete.Entity) []*operation {
	many, one := "/api/"+e.Kind, "/api/"+e.Kind+"/{id}"
	n := namesOf(e)
	operations := []*operation{
		{
			method: http.MethodGet, path: many, name: "list" + n.many, tag: e.Plural,
			summary: "List " + n.people, description: "The newest first. Rows that are in the Trash are not in lists.",
			query: listParameters(e), answers: ref(n.one + "List"), problems: []string{"use_cursor"},
			reads: a.list(e),
		},
		{
			method: http.MethodGet, path: one, name: "get" + n.one, tag: e.Plural,
			summary: "Read one of the " + n.people,
			answers: ref(n.one), tagged: true,
			reads: a.get(e),
		},
	}
	if !e.Root {
		operations = append(operations, &operation{
			method: http.MethodPost, path: many, name: "create" + n.one, tag: e.Plural,
			summary: "Create one of the " + n.people,
			body:    &bodyRule{schema: ref(n.one + "Create"), entity: e}, keyed: true,
			answers: ref(n.one), tagged: true, status: http.StatusCreated,
			problems: []string{"forbidden", "reference_not_found", "duplicate"},
			writes:   a.create(e), replay: a.recreate(e),
		})
	}
	return append(operations, a.updateOperations(e, one, a.update(e))...)
}

// updateOperations are PATCH and PUT of a path, which are the same.
func (a *api) updateOperations(e *softdelete.Entity, path string, serve func(context.Context, *softdelete.Tx, *call) (*answer, error)) []*operation {
	var operations []*operation
	n := namesOf(e)
	for method, verb := range map[string]string{http.MethodPatch: "update", http.MethodPut: "put"} {
		name, summary := verb+n.one, "Change one of the "+n.people
		if path == settingsPath {
			name, summary = verb+"Settings", "Change the organization's settings"
		}
		operations = append(operations, &operation{
			method: method, path: path, name: name, tag: e.Plural, summary: summary,
			description: "A merge patch (RFC 7396), for PATCH and PUT alike: a member that is absent stays as it is. " +
				"null for a reference whose target is in the Trash changes nothing.",
			body: &bodyRule{schema: ref(n.one + "Update"), entity: e, patch: true}, versioned: true,
			answers: ref(n.one), tagged: true,
			problems: []string{"forbidden", "version_mismatch", "reference_not_found", "duplicate", "last_owner"},
			writes:   serve,
		})
	}
	return operations
}

func (a *api) list(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		q := softdelete.Query{
			Search: c.text("search"), Filter: map[string]string{}, Limit: limit(c), Cursor: c.text("cursor"), Page: c.number("page"),
		}
		if q.Cursor != "" && q.Page != 0 {
			return nil, fail("invalid_parameter", at("query.cursor", "excludes_page"))
		}
		if q.Cursor == "" && q.Page == 0 {
			q.Page = 1
		}
		for _, f := range e.Fields {
			switch value := c.query[f.Name].(type) {
			case string:
				q.Filter[f.Name] = value
			case bool:
				q.Filter[f.Name] = strconv.FormatBool(value)
			}
		}
		page, err := a.resources[e.Kind].List(ctx, tx, q)
		if err != nil {
			return nil, err
		}
		body := listBody{Data: page.Rows, NextCursor: cursorOf(page.Next)}
		if page.Rows == nil {
			body.Data = []softdelete.Record{}
		}
		if q.Cursor == "" {
			body.Pagination = paginate(page, q)
		}
		return ok(body), nil
	}
}

func paginate(page softdelete.Page[softdelete.Record], q softdelete.Query) *pagination {
	pages := (page.Total + q.Limit - 1) / q.Limit
	return &pagination{
		Total: page.Total, TotalCapped: page.Capped, Page: q.Page, Limit: q.Limit, TotalPages: pages,
		HasNext: page.Next != "", HasPrev: q.Page > 1,
	}
}

// defaultLimit is how many rows a page has when the request does not say, maxLimit the most.
const (
	defaultLimit = 50
	maxLimit     = 200
)

func limit(c *call) int {
	if n := c.number("limit"); n != 0 {
		return n
	}
	return defaultLimit
}

// listParameters are those that a list of the entity takes.
func listParameters(e *softdelete.Entity) []*huma.Param {
	parameters := []*huma.Param{
		query("search", "Only rows that have this text in one of their searched fields.", &huma.Schema{Type: huma.TypeString, MaxLength: new(softdelete.MaxSearch)}),
		limitParameter(),
		cursorParameter(),
		query("page", "A page of limit rows, counted from 1, within the first 10,000 rows; with a total. Not together with cursor.",
			&huma.Schema{Type: huma.TypeInteger, Minimum: new(1.0), Maximum: new(1e9)}),
	}
	for _, f := range e.Fields {
		if f.Filter {
			parameters = append(parameters, query(f.Name, "Only rows whose "+f.Name+" is this.", filterSchema(f)))
		}
	}
	return parameters
}

func (a *api) get(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		row, err := a.resources[e.Kind].Fetch(ctx, tx, c.id)
		if err != nil {
			return nil, err
		}
		return rowAnswer(http.StatusOK, row), nil
	}
}

func (a *api) create(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		row, err := a.resources[e.Kind].Create(ctx, tx, c.values)
		if err != nil {
			return nil, err
		}
		return created(e, row), nil
	}
}

// recreate renders again what a keyed request has created, as it is now.
func (a *api) recreate(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call, store.Made) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, _ *call, made store.Made) (*answer, error) {
		row, err := a.resources[e.Kind].Fetch(ctx, tx, made.ID)
		if err != nil {
			return nil, err
		}
		return created(e, row), nil
	}
}

func created(e *softdelete.Entity, row softdelete.Record) *answer {
	good := rowAnswer(http.StatusCreated, row)
	good.location = "/api/" + e.Kind + "/" + url.PathEscape(row.Key())
	good.made = store.Made{Kind: e.Kind, ID: row.Key(), Status: good.status}
	return good
}

func (a *api) update(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		row, err := a.resources[e.Kind].Update(ctx, tx, c.id, c.version, c.values)
		if err != nil {
			return nil, err
		}
		return rowAnswer(http.StatusOK, row), nil
	}
}

func rowAnswer(status int, row softdelete.Record) *answer {
	return &answer{status: status, body: row, version: row.Life().Version}
}
