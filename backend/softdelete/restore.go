package softdelete

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"

	"github.com/google/uuid"
)

// Restore brings back all that is still trashed of a deletion. Purged rows are a conflict unless gaps are
// accepted.
//
// It returns ErrNotFound, ErrForbidden, ErrNotDeleted when nothing of it is trashed any more, or a
// *ConflictError with every conflict. After an error the transaction is to be rolled back.
func (d *Deletions) Restore(ctx context.Context, tx *Tx, id uuid.UUID, acceptGaps bool) (Outcome, error) {
	row, err := d.holdDeletion(ctx, tx, id)
	if err != nil {
		return Outcome{}, err
	}
	chosen := selection{deletion: id, counts: row.Counts}
	if e := d.kind(row.RootKind); e != nil {
		chosen.steps = e.plan
	}
	var gaps []Conflict
	if !acceptGaps {
		gaps = d.gaps(row)
	}
	return d.restore(ctx, tx, row, chosen, gaps)
}

// RestoreRow brings back one trashed row and what it had taken along, where its parents are live. Errors are
// those of [Deletions.Restore].
func (d *Deletions) RestoreRow(ctx context.Context, tx *Tx, e *Entity, id string) (Outcome, error) {
	deletion, err := d.deletionOf(ctx, tx, e, id)
	if err != nil {
		return Outcome{}, err
	}
	row, err := d.holdDeletion(ctx, tx, deletion)
	if err != nil {
		return Outcome{}, err
	}
	if e.ManagersOnly && !tx.Role.Manages() {
		return Outcome{}, ErrForbidden
	}
	chosen, err := tx.subtree(ctx, e, id, row)
	if err != nil {
		return Outcome{}, err
	}
	return d.restore(ctx, tx, row, chosen, nil)
}

// deletionOf finds the deletion that has a trashed row.
func (d *Deletions) deletionOf(ctx context.Context, tx *Tx, e *Entity, id string) (uuid.UUID, error) {
	if tx.Closed && !e.Root {
		return uuid.Nil, ErrForbidden
	}
	if !storable(id) {
		return uuid.Nil, ErrNotFound
	}
	var deletion *uuid.UUID
	err := tx.db.NewRaw("SELECT t.deletion_id FROM ? WHERE t.id = ? AND ?", e.from("t"), id, tx.known(e, "t")).Scan(ctx, &deletion)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return uuid.Nil, ErrNotFound
	case err != nil:
		return uuid.Nil, fmt.Errorf("find what deleted a row of %s: %w", e.Table, err)
	case deletion == nil && tx.Role == Viewer:
		return uuid.Nil, ErrForbidden
	case deletion == nil:
		return uuid.Nil, ErrNotDeleted
	}
	return *deletion, nil
}

// holdDeletion locks a deletion, so that two restores of it come one after the other, and decides whether the
// actor may restore from it.
func (d *Deletions) holdDeletion(ctx context.Context, tx *Tx, id uuid.UUID) (deletionRow, error) {
	row, err := tx.deletion(ctx, id, locked)
	if err != nil {
		return row, err
	}
	root := d.kind(row.RootKind)
	switch {
	case root == nil:
		return row, fmt.Errorf("restore: a deletion of %q, which is no kind", row.RootKind)
	case root.Root && tx.Role != Owner, root.ManagersOnly && !tx.Role.Manages():
		return row, ErrForbidden
	case row.State == Restored:
		return row, ErrNotDeleted
	}
	if root.Membership && tx.Role != Owner {
		membership, err := tx.look(ctx, root, row.RootID, tx.known(root, "t"), untouched)
		switch {
		case errors.Is(err, ErrNotFound):
		case err != nil:
			return row, err
		case membership.OwnersRow:
			return row, ErrForbidden
		}
	}
	return row, nil
}

// selection is what a restore is to bring back: of a deletion all that it still has, or some.
type selection struct {
	deletion uuid.UUID
	steps    []step
	// counts are what the deletion took along.
	counts Counts
	// ids are those to bring back, for each step; nil for all of the deletion's.
	ids [][]string
}

// has says that a row of step i is among them.
func (s selection) has(tx *Tx, i int, alias string) clause {
	e := s.steps[i].Entity
	chosen := text("(? = ? AND ?)", col(alias, "deletion_id"), s.deletion, tx.rows("", e, alias, trashed))
	if s.ids != nil {
		return text("(? AND ? IN (?))", chosen, col(alias, "id"), list(s.ids[i]))
	}
	return chosen
}

// none tells that nothing of step i is among them.
func (s selection) none(i int) bool {
	return s.counts[s.steps[i].Kind] == 0 || s.ids != nil && len(s.ids[i]) == 0
}

// subtree selects a row and what it has below it in its deletion.
func (tx *Tx) subtree(ctx context.Context, e *Entity, id string, row deletionRow) (selection, error) {
	all := selection{deletion: row.ID, steps: e.plan, counts: row.Counts}
	chosen := all
	chosen.ids = make([][]string, len(e.plan))
	for i, s := range e.plan {
		if all.none(i) {
			continue
		}
		within := text("t.id = ?", id)
		if i > 0 {
			within = s.below(func(f *Field) clause { return list(chosen.ids[e.stepOf(f.target)]) })
		}
		err := tx.db.NewRaw("SELECT t.id FROM ? WHERE ? AND ? ORDER BY t.id", s.from("t"), within, all.has(tx, i, "t")).Scan(ctx, &chosen.ids[i])
		if err != nil {
			return selection{}, fmt.Errorf("find what a row had taken along from %s: %w", s.Table, err)
		}
	}
	if len(chosen.ids[0]) == 0 {
		// It came back while the deletion was waited for.
		return selection{}, ErrNotDeleted
	}
	return chosen, nil
}

// restore brings back what is chosen, or says all that is in the way.
func (d *Deletions) restore(ctx context.Context, tx *Tx, row deletionRow, chosen selection, gaps []Conflict) (Outcome, error) {
	conflicts, err := tx.conflicts(ctx, chosen)
	if err != nil {
		return Outcome{}, err
	}
	if conflicts = append(conflicts, gaps...); conflicts != nil {
		return Outcome{}, &ConflictError{Conflicts: conflicts}
	}
	outcome, err := tx.unmark(ctx, chosen)
	if err != nil {
		return Outcome{}, err
	}
	if outcome.Restored.Total() == 0 {
		return Outcome{}, ErrNotDeleted
	}
	row.Restored = maps.Clone(row.Restored)
	if row.Restored == nil {
		row.Restored = Counts{}
	}
	for kind, n := range outcome.Restored {
		row.Restored[kind] += n
	}
	row.State = row.settle()
	if _, err := tx.db.NewUpdate().Model(&row).Column("restored", "state").WherePK().Exec(ctx); err != nil {
		return Outcome{}, fmt.Errorf("write a restore down: %w", err)
	}
	outcome.Deletion, err = d.Deletion(ctx, tx, row.ID)
	return outcome, err
}

// unmark makes the chosen rows live, parents first.
func (tx *Tx) unmark(ctx context.Context, chosen selection) (Outcome, error) {
	outcome := Outcome{Restored: Counts{}, NotRearmed: Counts{}}
	const savepoint = "restoring"
	if _, err := tx.db.NewRaw("SAVEPOINT " + savepoint).Exec(ctx); err != nil {
		return outcome, fmt.Errorf("restore: %w", err)
	}
	for i, s := range chosen.steps {
		if chosen.none(i) {
			continue
		}
		destroyed := text("false")
		switch {
		case s.Revoke.Column != "":
			destroyed = text("? = ?", col("t", s.Revoke.Column), s.Revoke.To)
		case s.Rearm != "":
			destroyed = text("true")
		}
		var restored, unarmed int
		err := tx.db.NewRaw(`WITH restored AS (UPDATE ? SET deleted_at = NULL, deleted_by = NULL, deletion_id = NULL WHERE ? RETURNING ? AS destroyed)
			SELECT count(*), count(*) FILTER (WHERE destroyed) FROM restored`,
			s.from("t"), chosen.has(tx, i, "t"), destroyed).Scan(ctx, &restored, &unarmed)
		if isTwin(err) {
			return outcome, tx.lateTwin(ctx, chosen, err)
		}
		if err != nil {
			return outcome, fmt.Errorf("restore to %s: %w", s.Table, err)
		}
		if restored > 0 {
			outcome.Restored[s.Kind] = restored
		}
		if unarmed > 0 {
			outcome.NotRearmed[s.Kind] = unarmed
		}
	}
	return outcome, nil
}

// lateTwin tells of a twin that came between the search for conflicts and the restore.
func (tx *Tx) lateTwin(ctx context.Context, chosen selection, refused error) error {
	if _, err := tx.db.NewRaw("ROLLBACK TO SAVEPOINT restoring").Exec(ctx); err != nil {
		return fmt.Errorf("restore: %w", errors.Join(refused, err))
	}
	conflicts, err := tx.conflicts(ctx, chosen)
	if err != nil {
		return err
	}
	if conflicts == nil {
		return fmt.Errorf("restore: %w", refused)
	}
	return &ConflictError{Conflicts: conflicts}
}
