package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// deletionOperations delete and restore the rows of one entity.
func (a *api) deletionOperations(e *softdelete.Entity) []*operation {
	one, n := "/api/"+e.Kind+"/{id}", namesOf(e)
	reason := object(map[string]*huma.Schema{"reason": {
		Type: huma.TypeString, MaxLength: new(500), Description: "Why, for whoever looks into the Trash.",
	}})
	return []*operation{
		{
			method: http.MethodDelete, path: one, name: "delete" + n.one, tag: e.Plural,
			summary:     "Delete one of the " + n.people + ", with what depends on it",
			description: "It goes to the Trash, with its whole tree, as one unit that can be undone. Deleting it again gives the same deletion again, to who may see it in the Trash.",
			body:        &bodyRule{schema: reason, optional: true}, versioned: true, closed: e.Root,
			answers: a.schemaOf(deletedBody{}), problems: []string{"forbidden", "version_mismatch", "too_large", "last_owner"},
			serves: a.delete(e),
		},
		{
			method: http.MethodGet, path: one + "/deletion-preview", name: "preview" + n.one + "Deletion", tag: e.Plural,
			summary: "What deleting it would take along",
			answers: a.schemaOf(previewBody{}), problems: []string{"forbidden"},
			reads: a.preview(e),
		},
		{
			method: http.MethodPost, path: one + "/restore", name: "restore" + n.one, tag: e.Plural,
			summary: "Restore one of the " + n.people + " from the Trash, with what it had taken along",
			body:    &bodyRule{schema: object(nil), optional: true}, keyed: true, closed: e.Root,
			answers: a.schemaOf(restoredBody{}), problems: []string{"forbidden", "restore_conflict", "not_deleted"},
			writes: a.restoreRow(e), replay: a.restoredAgain,
		},
		{
			method: http.MethodGet, path: "/api/trash/" + e.Kind + "/{id}", name: "getTrashed" + n.one, tag: "Trash",
			summary: "Read one of the " + n.people + " that is in the Trash", closed: e.Root,
			answers: trashedSchema(n.one),
			reads:   a.trashed(e),
		},
	}
}

func (a *api) delete(e *softdelete.Entity) func(context.Context, *call) (*answer, error) {
	return func(ctx context.Context, c *call) (good *answer, err error) {
		reason, _ := c.body["reason"].(string)
		err = a.store.Do(ctx, c.who, func(ctx context.Context, tx *softdelete.Tx) error {
			good, err = a.enter(ctx, tx, c, func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
				d, err := a.deletions.SoftDelete(ctx, tx, e, c.id, c.version, reason)
				return ok(deletedBody{newDeletionBody(d)}), err
			})
			return err
		})
		if errors.Is(err, softdelete.ErrTooLarge) {
			return nil, a.tooLarge(ctx, c, e)
		}
		return good, err
	}
}

// tooLarge is the problem of a deletion that takes along too much, with what it would take.
func (a *api) tooLarge(ctx context.Context, c *call, e *softdelete.Entity) error {
	p := fail("too_large")
	err := a.store.Read(ctx, c.who, func(ctx context.Context, tx *softdelete.Tx) error {
		preview, err := a.deletions.Preview(ctx, tx, e, c.id)
		body := newPreviewBody(preview)
		p.Preview = &body
		return err
	})
	return errors.Join(err, p)
}

func (a *api) preview(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		p, err := a.deletions.Preview(ctx, tx, e, c.id)
		return ok(newPreviewBody(p)), err
	}
}

func (a *api) restoreRow(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		outcome, err := a.deletions.RestoreRow(ctx, tx, e, c.id)
		return restored(outcome), err
	}
}

func (a *api) trashed(e *softdelete.Entity) func(context.Context, *softdelete.Tx, *call) (*answer, error) {
	return func(ctx context.Context, tx *softdelete.Tx, c *call) (*answer, error) {
		row, err := a.resources[e.Kind].FetchTrashed(ctx, tx, c.id)
		if err != nil {
			return nil, err
		}
		life := row.Life()
		return ok(trashedBody{
			Row: row, DeletedAt: life.DeletedAt, DeletedBy: life.DeletedBy, DeletionID: life.DeletionID,
			RestoreURL: "/api/" + e.Kind + "/" + url.PathEscape(row.Key()) + "/restore",
		}), nil
	}
}
