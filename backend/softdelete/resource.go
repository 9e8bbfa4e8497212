package softdelete

import "context"

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
