package softdelete

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Deletions deletes rows with all that depends on them, and brings them back.
type Deletions struct {
	entities []*Entity
	cursors  cursors
}

// NewDeletions returns the deletions of the entities, which are linked. Cursors are signed by the key.
func NewDeletions(entities []*Entity, cursorKey []byte) *Deletions {
	return &Deletions{entities: entities, cursors: cursorKey}
}

// SoftDelete deletes a row and what depends on it, as one unit. A version other than 0 must be the row's.
// A row that is trashed already gives its deletion again, to who may see it in the Trash.
//
// It returns ErrNotFound, ErrForbidden, ErrVersion, ErrLastOwner, a *FieldError for the reason, or a *BlockedError, which is ErrTooLarge or
// ErrForbidden, when what depends on the row is in the way. After an error the transaction is to be rolled
// back.
func (d *Deletions) SoftDelete(ctx context.Context, tx *Tx, e *Entity, id string, version int64, reason string) (Deletion, error) {
	if err := tx.open(e); err != nil {
		return Deletion{}, err
	}
	if !storable(reason) {
		return Deletion{}, &FieldError{Fields: []FieldProblem{{"reason", "type"}}}
	}
	owners, err := tx.owners(ctx, e, locked)
	if err != nil {
		return Deletion{}, err
	}
	row, err := tx.look(ctx, e, id, tx.known(e, "t"), locked)
	if err != nil {
		return Deletion{}, err
	}
	if row.DeletionID != nil {
		return d.Deletion(ctx, tx, *row.DeletionID)
	}
	if err := tx.mayWrite(e, row); err != nil {
		return Deletion{}, err
	}
	switch {
	case version != 0 && version != row.Version:
		return Deletion{}, ErrVersion
	case row.OwnersRow && owners < 2:
		return Deletion{}, ErrLastOwner
	}
	deletion, err := uuid.NewV7()
	if err != nil {
		return Deletion{}, fmt.Errorf("make the id of a deletion: %w", err)
	}
	counts, err := tx.cascade(ctx, e, id, deletion)
	if err != nil {
		return Deletion{}, err
	}
	record := deletionRow{
		ID: deletion, OrganizationID: tx.Organization, RootKind: e.Kind, RootID: id, ActorID: tx.Actor,
		Counts: counts, Restored: Counts{}, Purged: Counts{}, State: Trashed,
	}
	if reason = strings.TrimSpace(reason); reason != "" {
		record.Reason = &reason
	}
	if _, err := tx.db.NewInsert().Model(&record).Value("deleted_at", "now()").Exec(ctx); err != nil {
		return Deletion{}, fmt.Errorf("write a deletion down: %w", err)
	}
	return d.Deletion(ctx, tx, deletion)
}

// cascade marks the row and what it takes along, a table at a time, parents first. Each statement sees what
// was committed before it began, so that a child which came while its parent was being marked is marked too,
// and none comes afterwards: the database lets no child in under a parent that is trashed.
func (tx *Tx) cascade(ctx context.Context, e *Entity, id string, deletion uuid.UUID) (Counts, error) {
	// Counted first, so that what is refused locks nothing; and again as it goes, since others are at work.
	expected, err := tx.reach(ctx, e, id)
	if err != nil {
		return nil, err
	}
	if _, blocked := tx.judge(e, expected); blocked != nil {
		return nil, &BlockedError{Blocked: blocked}
	}
	reached := make([]reach, len(e.plan))
	for i, s := range e.plan {
		within := text("t.id = ?", id)
		if i > 0 {
			within = s.below(func(f *Field) clause {
				return text("SELECT p.id FROM ? WHERE p.deletion_id = ? AND ?", f.target.from("p"), deletion, tx.known(f.target, "p"))
			})
		}
		reached[i].Step = i
		err := tx.db.NewRaw(`WITH marked AS (UPDATE ? SET ? WHERE ? AND ? RETURNING ? AS own)
			SELECT count(*) AS total, count(*) FILTER (WHERE NOT own) AS foreign FROM marked`,
			s.from("t"), s.marks(tx.Actor, deletion), within, tx.live(siteCascade, s.Entity, "t"), s.own("t", tx.Actor),
		).Scan(ctx, &reached[i].Total, &reached[i].Foreign)
		if err != nil {
			return nil, fmt.Errorf("delete from %s: %w", s.Table, err)
		}
	}
	counts, blocked := tx.judge(e, reached)
	if blocked != nil {
		return nil, &BlockedError{Blocked: blocked}
	}
	return counts, nil
}

// marks are the assignments that make a live row a trashed one, and destroy what must not come back with it.
func (e *Entity) marks(actor string, deletion uuid.UUID) clause {
	marks := []clause{text("deleted_at = now()"), text("deleted_by = ?", actor), text("deletion_id = ?", deletion)}
	for _, f := range e.Fields {
		if f.Token() {
			marks = append(marks, text("? = 'revoked-' || gen_random_uuid()", bun.Name(f.Column)))
		}
	}
	if r := e.Revoke; r.Column != "" {
		marks = append(marks, text("? = CASE WHEN ? = ? THEN ? ELSE ? END",
			bun.Name(r.Column), col("t", r.Column), r.From, r.To, col("t", r.Column)))
	}
	return joined(", ", marks)
}

// BlockedError says why a deletion is refused: every reason, as its [Preview] has them.
type BlockedError struct{ Blocked []Blocked }

func (e *BlockedError) Error() string {
	return fmt.Sprintf("%d reasons against the deletion, the first: %s", len(e.Blocked), e.Blocked[0].Code)
}

// Is makes it ErrTooLarge or ErrForbidden. When it is both, the role comes first.
func (e *BlockedError) Is(target error) bool {
	for _, b := range e.Blocked {
		if b.Code == "cascade_not_own" {
			return errors.Is(target, ErrForbidden)
		}
	}
	return errors.Is(target, ErrTooLarge)
}
