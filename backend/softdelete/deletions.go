package softdelete

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Deletions deletes rows with all that depends on them, and brings them back.
type Deletions struct {
	entities []*Entity
	now      func() time.Time
}

// NewDeletions returns the deletions of the entities. Cursors are signed by the key.
func NewDeletions(entities []*Entity, cursorKey []byte) *Deletions {
	return &Deletions{entities: entities, now: time.Now}
}

// Preview tells what a deletion of the live row would do now.
func (d *Deletions) Preview(ctx context.Context, tx *Tx, e *Entity, id string) (Preview, error) {
	return Preview{}, errNotBuilt
}

// SoftDelete deletes a row and what depends on it, as one unit. A version other than 0 must be the row's.
// A row that is trashed already gives its deletion again, to who may see it in the Trash.
func (d *Deletions) SoftDelete(ctx context.Context, tx *Tx, e *Entity, id string, version int64, reason string) (Deletion, error) {
	return Deletion{}, errNotBuilt
}

// Restore brings back all that is still trashed of a deletion. Purged rows are a conflict unless gaps are
// accepted.
func (d *Deletions) Restore(ctx context.Context, tx *Tx, id uuid.UUID, acceptGaps bool) (Outcome, error) {
	return Outcome{}, errNotBuilt
}

// RestoreRow brings back one trashed row and what it had taken along, where its parents are live.
func (d *Deletions) RestoreRow(ctx context.Context, tx *Tx, e *Entity, id string) (Outcome, error) {
	return Outcome{}, errNotBuilt
}

// Trash lists the deletions that the actor may see, the newest first.
func (d *Deletions) Trash(ctx context.Context, tx *Tx, q TrashQuery) (Page[Deletion], error) {
	return Page[Deletion]{}, errNotBuilt
}

// Deletion returns a deletion that the actor may see.
func (d *Deletions) Deletion(ctx context.Context, tx *Tx, id uuid.UUID) (Deletion, error) {
	return Deletion{}, errNotBuilt
}

// Items lists what a deletion took along and is still trashed, of one kind or of all.
func (d *Deletions) Items(ctx context.Context, tx *Tx, id uuid.UUID, kind string, limit int, cursor string) (Page[Ref], error) {
	return Page[Ref]{}, errNotBuilt
}

// Labels names live rows that a page refers to, by id; what is not live or not there is left out.
func (d *Deletions) Labels(ctx context.Context, tx *Tx, e *Entity, ids []string) (map[string]string, error) {
	return nil, errNotBuilt
}
