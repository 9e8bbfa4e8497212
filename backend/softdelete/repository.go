package softdelete

import (
	"context"
	"fmt"
	"reflect"
)

// Repository reads and writes the rows of one entity, for the organization and by the rights of the [Tx]'s
// scope. It has no state of its own, and may be used by many requests at once.
type Repository[T any] struct {
	entity    *Entity
	deletions *Deletions
	cursors   cursors
}

// NewRepository returns the repository of an entity that was declared with the model T, and linked. Cursors
// are signed by the key.
func NewRepository[T any](entity *Entity, cursorKey []byte) *Repository[T] {
	if entity.all == nil {
		panic("softdelete: " + entity.Kind + " is not linked: see Link")
	}
	if of := reflect.TypeOf(entity.New()).Elem(); of != reflect.TypeFor[T]() {
		panic(fmt.Sprintf("softdelete: %s are of the model %s, not %s", entity.Kind, of, reflect.TypeFor[T]()))
	}
	return &Repository[T]{entity: entity, deletions: NewDeletions(entity.all, cursorKey), cursors: cursorKey}
}

// SoftDelete is [Deletions.SoftDelete] of the entity.
func (r *Repository[T]) SoftDelete(ctx context.Context, tx *Tx, id string, version int64, reason string) (Deletion, error) {
	return r.deletions.SoftDelete(ctx, tx, r.entity, id, version, reason)
}

// Restore is [Deletions.RestoreRow] of the entity.
func (r *Repository[T]) Restore(ctx context.Context, tx *Tx, id string) (Outcome, error) {
	return r.deletions.RestoreRow(ctx, tx, r.entity, id)
}
