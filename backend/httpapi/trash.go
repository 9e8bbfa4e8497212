package httpapi

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// maxRestores is how many deletions one request restores.
const maxRestores = 100

// trashOperations are those of the Trash and of deletions.
func (a *api) trashOperations() []*operation {
	const one = "/api/deletions/{id}"
	kind := func(says string) *huma.Param {
		return query("kind", says, &huma.Schema{Type: huma.TypeString, Enum: kinds()})
	}
	return []*operation{
		{
			method: http.MethodGet, path: "/api/trash", name: "listTrash", tag: "Trash",
			summary: "List deletions, the newest first", closed: true,
			description: "A member sees what it deleted itself; owners and admins see all; a viewer has no Trash.",
			query: []*huma.Param{
				kind("Only deletions of a row of this kind."),
				query("deletedBy", "Only what this user deleted.", &huma.Schema{Type: huma.TypeString, MaxLength: new(maxID)}),
				query("search", "Only deletions of a row that has this text in its label.", &huma.Schema{Type: huma.TypeString, MaxLength: new(softdelete.MaxSearch)}),
				limitParameter(), cursorParameter(),
			},
			answers: listSchema(a.schemaOf(deletionBody{}), false), problems: []string{"forbidden"},
			reads: a.listTrash,
		},
		{
			method: http.MethodPost, path: "/api/trash/restore", name: "restoreDeletions", tag: "Trash",
			summary: "Restore several deletions", closed: true,
			description: "Each by itself: one that cannot be restored does not stop the others.",
			body: &bodyRule{schema: object(map[string]*huma.Schema{"deletionIds": {
				Type: huma.TypeArray, Items: uuidSchema(), MinItems: new(1), MaxItems: new(maxRestores),
			}}, "deletionIds")}, keyed: true,
			answers: a.schemaOf(restoredAll{}),
			serves:  a.restoreAll, replay: goOn,
		},
		{
			method: http.MethodGet, path: one, name: "getDeletion", tag: "Trash",
			summary: "Read a deletion, and list what is still trashed of it", closed: true,
			query:   []*huma.Param{kind("Only items of this kind."), limitParameter(), cursorParameter()},
			answers: a.schemaOf(itemsBody{}), problems: []string{"forbidden"},
			reads: a.getDeletion,
		},
		{
			method: http.MethodPost, path: one + "/restore", name: "restoreDeletion", tag: "Trash",
			summary: "Restore all that is still trashed of a deletion", closed: true,
			body: &bodyRule{schema: object(map[string]*huma.Schema{"acceptGaps": {
				Type: huma.TypeBoolean, Description: "Restore the rest where rows are gone for good.",
			}}), optional: true}, keyed: true,
			answers: a.schemaOf(restoredBody{}), problems: []string{"forbidden", "restore_conflict", "not_deleted"},
			writes: a.restoreDeletion, replay: a.restoredAgain,
		},
	}
}

func (a *api) listTrash(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
	page, err := a.deletions.Trash(ctx, tx, softdelete.TrashQuery{
		Kind: c.text("kind"), DeletedBy: c.text("deletedBy"), Search: c.text("search"), Limit: limit(c), Cursor: c.text("cursor"),
	})
	data := make([]deletionBody, len(page.Rows))
	for i, d := range page.Rows {
		data[i] = newDeletionBody(d)
	}
	return ok(pageBody{data, cursorOf(page.Next)}), err
}

func (a *api) getDeletion(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
	id, err := deletionID(c.id)
	if err != nil {
		return nil, err
	}
	d, err := a.deletions.Deletion(ctx, tx, id)
	if err != nil {
		return nil, err
	}
	items, err := a.deletions.Items(ctx, tx, id, c.text("kind"), limit(c), c.text("cursor"))
	body := itemsBody{Deletion: newDeletionDetail(d), Items: items.Rows, NextCursor: cursorOf(items.Next)}
	if body.Items == nil {
		body.Items = []softdelete.Ref{}
	}
	return ok(body), err
}

func (a *api) restoreDeletion(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
	id, err := deletionID(c.id)
	if err != nil {
		return nil, err
	}
	acceptGaps, _ := c.body["acceptGaps"].(bool)
	outcome, err := a.deletions.Restore(ctx, tx, id, acceptGaps)
	return restored(outcome), err
}

// restoredAgain renders again what a keyed restore has restored, as it is now.
func (a *api) restoredAgain(ctx context.Context, tx *softdelete.Tx, _ *call, made store.Made) (*answer, error) {
	id, err := deletionID(made.ID)
	if err != nil {
		return nil, err
	}
	d, err := a.deletions.Deletion(ctx, tx, id)
	return ok(restoredBody{Deletion: newDeletionBody(d), Restored: whole(d.Restored)}), err
}

// restoreAll restores each deletion in a transaction of its own. A key holds for the request and for each
// of its deletions, so that a repeated request goes on where the first broke off.
func (a *api) restoreAll(ctx context.Context, c *call) (*answer, error) {
	err := a.store.Do(ctx, c.who, func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := a.enter(ctx, tx, c, func(context.Context, *softdelete.Tx, *call) (*answer, error) { return ok(nil), nil })
		return err
	})
	if err != nil { // what would be so for each of them
		return nil, err
	}
	ids, _ := c.body["deletionIds"].([]any)
	body := restoredAll{Results: make([]restoreResult, len(ids))}
	for i, element := range ids {
		id, _ := element.(string)
		result, err := a.restoreOne(ctx, c, id)
		if err != nil {
			return nil, err
		}
		body.Results[i] = result
	}
	return ok(body), nil
}

// goOn is the replay of a request that looks at each of its parts anyway.
func goOn(context.Context, *softdelete.Tx, *call, store.Made) (*answer, error) { return ok(nil), nil }

// restoreOne is the result of one of several restores; an error is one that ends them all.
func (a *api) restoreOne(ctx context.Context, c *call, id string) (restoreResult, error) {
	single := *c
	single.id, single.body = id, map[string]any{}
	single.op = &operation{method: c.op.method, path: c.op.path, closed: c.op.closed, replay: a.restoredAgain}
	if c.key != "" {
		single.key = c.key + " " + id // no client can send a key with a space
	}
	err := a.store.Do(ctx, c.who, func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := a.enter(ctx, tx, &single, a.restoreDeletion)
		return err
	})
	if err == nil {
		return restoreResult{ID: id, Status: http.StatusOK}, nil
	}
	p := problemOf(err)
	if p == nil || p.Status >= http.StatusInternalServerError {
		return restoreResult{}, err
	}
	return restoreResult{ID: id, Status: p.Status, Problem: p}, nil
}

func restored(o softdelete.Outcome) *answer {
	body := restoredBody{Deletion: newDeletionBody(o.Deletion), Restored: whole(o.Restored), NotRearmed: []notRearmed{}}
	for _, kind := range slices.Sorted(maps.Keys(o.NotRearmed)) {
		if n := o.NotRearmed[kind]; n > 0 {
			body.NotRearmed = append(body.NotRearmed, notRearmed{Kind: kind, Count: n})
		}
	}
	good := ok(body)
	good.made = store.Made{Kind: "deletions", ID: o.Deletion.ID.String(), Status: good.status}
	return good
}

// deletionID reads the id of a deletion; one that is not of their form is no deletion's.
func deletionID(text string) (uuid.UUID, error) {
	id, err := uuid.Parse(text)
	if err != nil || id.String() != text {
		return uuid.Nil, softdelete.ErrNotFound
	}
	return id, nil
}

func kinds() []any {
	names := make([]any, len(store.Entities))
	for i, e := range store.Entities {
		names[i] = e.Kind
	}
	return names
}
