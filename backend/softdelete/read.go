package softdelete

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// Get returns a live row, or ErrNotFound.
func (r *Repository[T]) Get(ctx context.Context, tx *Tx, id string) (*T, error) {
	if err := tx.open(r.entity); err != nil {
		return nil, err
	}
	return r.one(ctx, tx, siteGet, id, tx.live(siteGet, r.entity, "t"))
}

// GetTrashed returns a trashed row, to who may see it in the Trash: managers, and the member who deleted it.
func (r *Repository[T]) GetTrashed(ctx context.Context, tx *Tx, id string) (*T, error) {
	covered, err := r.trash(tx)
	if errors.Is(err, ErrForbidden) {
		return nil, ErrNotFound
	}
	return r.one(ctx, tx, "", id, covered)
}

// one reads the row of an id that the predicate covers.
func (r *Repository[T]) one(ctx context.Context, tx *Tx, s site, id string, covered clause) (*T, error) {
	if !storable(id) {
		return nil, ErrNotFound
	}
	row := new(T)
	err := r.selection(tx, row, s).Where("t.id = ?", id).Where("?", covered).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("get a row of %s: %w", r.entity.Table, err)
	}
	return row, nil
}

// trash is the predicate of trashed rows that the actor may see.
func (r *Repository[T]) trash(tx *Tx) (clause, error) {
	covered := tx.rows("", r.entity, "t", trashed)
	switch {
	case tx.Closed && !r.entity.Root:
		return nil, ErrForbidden
	case tx.Role.Manages():
		return covered, nil
	case tx.Role == Member:
		return text("(? AND t.deleted_by = ?)", covered, tx.Actor), nil
	}
	return nil, ErrForbidden
}

// selection selects the columns of rows into a model. Bun's own filter on deleted_at comes on top of the
// predicate where live rows are read at a site.
func (r *Repository[T]) selection(tx *Tx, model any, s site) *bun.SelectQuery {
	query := tx.db.NewSelect().Model(model).ColumnExpr("?", r.entity.columns(tx))
	if s == "" || blanked(s) {
		query = query.WhereAllWithDeleted()
	}
	return query
}

// columns are what is read of a row: never a secret, and of a reference only one whose target is live. Without a
// transaction they are as they are stored.
func (e *Entity) columns(tx *Tx) clause {
	columns := []clause{
		text("t.id"), text("t.version"), text("t.created_by"), text("t.deleted_at"), text("t.deleted_by"), text("t.deletion_id"),
	}
	if !e.Root {
		columns = append(columns, text("t.organization_id"))
	}
	for _, f := range e.Fields {
		switch {
		case f.Secret:
		case f.target != nil && tx != nil:
			columns = append(columns, text("(?) AS ?", f.shown(tx), bun.Name(f.Column)))
		default:
			columns = append(columns, text("?", col("t", f.Column)))
		}
	}
	return joined(", ", columns)
}

// shown selects the id that a reference shows: the target's while that is live, else null.
func (f *Field) shown(tx *Tx) clause {
	return text("SELECT r.id FROM ? WHERE r.id = ? AND ?", f.target.from("r"), col("t", f.Column), tx.live(siteMask, f.target, "r"))
}
