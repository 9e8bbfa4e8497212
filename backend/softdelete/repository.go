package softdelete

import (
	"context"
	"errors"
)

var errNotBuilt = errors.New("not built yet")

// Repository reads and writes the rows of one entity.
type Repository[T any] struct {
	entity *Entity
}

// NewRepository returns the repository of an entity that was declared with the model T. Cursors are
// signed by the key.
func NewRepository[T any](entity *Entity, cursorKey []byte) *Repository[T] {
	return &Repository[T]{entity: entity}
}

// Get returns a live row, or ErrNotFound.
func (r *Repository[T]) Get(ctx context.Context, tx *Tx, id string) (*T, error) {
	return nil, errNotBuilt
}
