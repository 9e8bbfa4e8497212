package softdelete

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
)

// conflicts finds all that keeps the chosen rows from coming back. Parents outside of the choice are locked
// first, so that none of them is deleted before the rows are back.
func (tx *Tx) conflicts(ctx context.Context, chosen selection) (conflicts []Conflict, err error) {
	for i, s := range chosen.steps {
		if chosen.none(i) {
			continue
		}
		for _, f := range s.Fields {
			if !f.Cascade {
				continue
			}
			deleted, err := tx.deletedParents(ctx, chosen, i, f)
			if err != nil {
				return nil, err
			}
			conflicts = append(conflicts, deleted...)
		}
		twins, err := tx.twins(ctx, chosen, i)
		if err != nil {
			return nil, err
		}
		conflicts = append(conflicts, twins...)
	}
	return conflicts, nil
}

// deletedParents finds the rows of a step whose parent is trashed and does not come back with them.
func (tx *Tx) deletedParents(ctx context.Context, chosen selection, i int, f *Field) (conflicts []Conflict, err error) {
	s, parent := chosen.steps[i], f.target
	outside := text("true")
	for j, other := range chosen.steps {
		if other.Entity == parent {
			outside = text("NOT coalesce(?, false)", chosen.has(tx, j, "p"))
		}
	}
	if _, err := tx.db.NewRaw(`SELECT p.id FROM ? WHERE p.id IN (SELECT ? FROM ? WHERE ?) AND ? ORDER BY p.id FOR SHARE`,
		parent.from("p"), col("t", f.Column), s.from("t"), chosen.has(tx, i, "t"), outside).Exec(ctx); err != nil {
		return nil, fmt.Errorf("hold the parents of rows of %s: %w", s.Table, err)
	}
	var found []struct {
		ID, Label, ParentID, ParentLabel string
		DeletionID                       uuid.UUID
		Visible                          bool
	}
	visible := text("true")
	if !tx.Role.Manages() {
		visible = text("coalesce(p.deleted_by = ?, false)", tx.Actor)
	}
	err = tx.db.NewRaw(`SELECT t.id, ? AS label, p.id AS parent_id, ? AS parent_label, p.deletion_id, ? AS visible
		FROM ? JOIN ? ON p.id = ? WHERE ? AND ? AND ? ORDER BY t.id`,
		s.label("t"), parent.label("p"), visible,
		s.from("t"), parent.from("p"), col("t", f.Column), chosen.has(tx, i, "t"), tx.rows("", parent, "p", trashed), outside).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("look for trashed parents of rows of %s: %w", s.Table, err)
	}
	for _, row := range found {
		conflict := Conflict{Code: "parent_deleted", Kind: s.Kind, ID: row.ID, Label: row.Label, Parent: &Ref{Kind: parent.Kind, ID: row.ParentID}}
		if row.Visible {
			conflict.Parent.Label, conflict.DeletionID = row.ParentLabel, row.DeletionID
		}
		conflicts = append(conflicts, conflict)
	}
	return conflicts, nil
}

// twins finds the rows of a step whose unique key a live row has by now.
func (tx *Tx) twins(ctx context.Context, chosen selection, i int) (conflicts []Conflict, err error) {
	s := chosen.steps[i]
	if len(s.Unique) == 0 {
		return nil, nil
	}
	same := make([]clause, 0, len(s.Unique)+1)
	for _, column := range s.Unique {
		same = append(same, text("? = ?", col("t", column), col("u", column)))
	}
	if r := s.Revoke; r.Column != "" {
		same = append(same, text("? = ? AND ? = ?", col("t", r.Column), r.From, col("u", r.Column), r.From))
	}
	var found []struct{ ID, Label, TwinID, TwinLabel string }
	err = tx.db.NewRaw(`SELECT t.id, ? AS label, u.id AS twin_id, ? AS twin_label FROM ? JOIN ? ON ? WHERE ? AND ? ORDER BY t.id`,
		s.label("t"), s.label("u"), s.from("t"), s.from("u"), joined(" AND ", same),
		chosen.has(tx, i, "t"), tx.live(siteTwin, s.Entity, "u")).Scan(ctx, &found)
	if err != nil {
		return nil, fmt.Errorf("look for live twins of rows of %s: %w", s.Table, err)
	}
	for _, row := range found {
		conflicts = append(conflicts, Conflict{
			Code: "live_twin", Kind: s.Kind, ID: row.ID, Label: row.Label, Key: s.key(),
			Twin: &Ref{Kind: s.Kind, ID: row.TwinID, Label: row.TwinLabel},
		})
	}
	return conflicts, nil
}

// gaps are the rows of a deletion that are purged, a conflict a kind: which they were nothing knows any more.
func (d *Deletions) gaps(row deletionRow) (gaps []Conflict) {
	for _, kind := range slices.Sorted(maps.Keys(row.Purged)) {
		if row.Purged[kind] > 0 {
			gaps = append(gaps, Conflict{Code: "purged", Kind: kind})
		}
	}
	return gaps
}
