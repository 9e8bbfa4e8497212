package softdelete

import (
	"context"
	"errors"
)

// Resource is a repository whose model is not known: what routes and pages that follow from
// declarations work with. [Repository.Resource] makes one.
type Resource interface {
	// Entity is the declaration.
	Entity() *Entity
	// Fetch returns a live row.
	Fetch(ctx context.Context, tx *Tx, id string) (Record, error)
	// List returns live rows, the newest first.
	List(ctx context.Context, tx *Tx, q Query) (Page[Record], error)
	// Create makes a row. Values have been judged by [Entity.Check].
	Create(ctx context.Context, tx *Tx, v Values) (Record, error)
	// Update changes the columns that are given. A version other than 0 must be the row's.
	Update(ctx context.Context, tx *Tx, id string, version int64, v Values) (Record, error)
	// FetchTrashed returns a trashed row, to who may see it in the Trash.
	FetchTrashed(ctx context.Context, tx *Tx, id string) (Record, error)
}

// Visible returns a row that the actor may see, among the live or in the Trash, and whether it is trashed. It
// returns ErrNotFound for every other one, as for a row that never was.
func Visible(ctx context.Context, tx *Tx, r Resource, id string) (row Record, trashed bool, err error) {
	row, err = r.Fetch(ctx, tx, id)
	if !errors.Is(err, ErrNotFound) {
		return row, false, err
	}
	row, err = r.FetchTrashed(ctx, tx, id)
	if errors.Is(err, ErrForbidden) {
		err = ErrNotFound
	}
	return row, true, err
}

// Resource returns the repository with its model forgotten.
func (r *Repository[T]) Resource() Resource { return resource[T]{r} }

type resource[T any] struct{ repository *Repository[T] }

func (r resource[T]) Entity() *Entity { return r.repository.entity }

func (r resource[T]) Fetch(ctx context.Context, tx *Tx, id string) (Record, error) {
	return forget(r.repository.Get(ctx, tx, id))
}

func (r resource[T]) FetchTrashed(ctx context.Context, tx *Tx, id string) (Record, error) {
	return forget(r.repository.GetTrashed(ctx, tx, id))
}

func (r resource[T]) Create(ctx context.Context, tx *Tx, v Values) (Record, error) {
	return forget(r.repository.Create(ctx, tx, v))
}

func (r resource[T]) Update(ctx context.Context, tx *Tx, id string, version int64, v Values) (Record, error) {
	return forget(r.repository.Update(ctx, tx, id, version, v))
}

func (r resource[T]) List(ctx context.Context, tx *Tx, q Query) (Page[Record], error) {
	typed, err := r.repository.List(ctx, tx, q)
	page := Page[Record]{Next: typed.Next, Total: typed.Total, Capped: typed.Capped, Rows: make([]Record, len(typed.Rows))}
	for i, row := range typed.Rows {
		page.Rows[i] = record(row)
	}
	return page, err
}

func forget[T any](row *T, err error) (Record, error) {
	if err != nil {
		return nil, err
	}
	return record(row), nil
}
