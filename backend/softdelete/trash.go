package softdelete

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Trash lists the deletions that the actor may see and that have something to restore, the newest first. It
// returns ErrForbidden to viewers, who have no Trash, ErrCursor, or a *FieldError.
func (d *Deletions) Trash(ctx context.Context, tx *Tx, q TrashQuery) (page Page[Deletion], err error) {
	covered, err := tx.deletions()
	if err != nil {
		return page, err
	}
	limit := limitOf(q.Limit)
	order := tx.order("trash", q.Kind, q.Search, map[string]string{"deletedBy": q.DeletedBy})
	var rows []deletionRow
	query := tx.db.NewSelect().Model(&rows).Where("?", covered).Where("d.state IN (?, ?)", string(Trashed), string(Partial)).
		OrderExpr("d.deleted_at DESC, d.id DESC").Limit(int64(limit) + 1)
	wanted, err := d.wanted(tx, q)
	if err != nil {
		return page, err
	}
	for _, w := range wanted {
		query = query.Where("?", w)
	}
	if q.Cursor != "" {
		after, err := d.cursors.read(order, q.Cursor)
		if err != nil {
			return page, err
		}
		query = query.Where("(d.deleted_at, d.id) < (?::timestamptz, ?::uuid)", time.UnixMicro(after.at), after.id)
	}
	if err := query.Scan(ctx); err != nil {
		return page, fmt.Errorf("list the trash: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		last := rows[limit-1]
		page.Next = d.cursors.write(order, position{at: last.DeletedAt.UnixMicro(), id: last.ID.String()})
	}
	page.Rows, err = d.described(ctx, tx, rows)
	return page, err
}

// wanted turns a query into clauses.
func (d *Deletions) wanted(tx *Tx, q TrashQuery) (wanted []clause, err error) {
	kinds := d.entities
	if q.Kind != "" {
		e := d.kind(q.Kind)
		if e == nil {
			return nil, &FieldError{Fields: []FieldProblem{{"kind", "enum"}}}
		}
		kinds = []*Entity{e}
		wanted = append(wanted, text("d.root_kind = ?", q.Kind))
	}
	if !storable(q.DeletedBy) {
		return nil, &FieldError{Fields: []FieldProblem{{"deletedBy", "type"}}}
	}
	if code := searchProblem(q.Search); code != "" {
		return nil, &FieldError{Fields: []FieldProblem{{"search", code}}}
	}
	if q.DeletedBy != "" {
		wanted = append(wanted, text("d.actor_id = ?", q.DeletedBy))
	}
	if q.Search != "" {
		roots := make([]clause, len(kinds))
		for i, e := range kinds {
			roots[i] = text("(d.root_kind = ? AND EXISTS (SELECT FROM ? WHERE t.id = d.root_id AND ? ILIKE ? AND ?))",
				e.Kind, e.from("t"), e.label("t"), contains(q.Search), tx.known(e, "t"))
		}
		wanted = append(wanted, text("(?)", joined(" OR ", roots)))
	}
	return wanted, nil
}

// Deletion returns a deletion that the actor may see, whatever has become of it, or ErrNotFound.
func (d *Deletions) Deletion(ctx context.Context, tx *Tx, id uuid.UUID) (Deletion, error) {
	row, err := tx.deletion(ctx, id, untouched)
	if err != nil {
		return Deletion{}, err
	}
	described, err := d.described(ctx, tx, []deletionRow{row})
	if err != nil {
		return Deletion{}, err
	}
	return described[0], nil
}

// deletion reads one that the actor may see.
func (tx *Tx) deletion(ctx context.Context, id uuid.UUID, l lock) (row deletionRow, err error) {
	covered, err := tx.deletions()
	if err != nil {
		return row, ErrNotFound
	}
	query := tx.db.NewSelect().Model(&row).Where("d.id = ?", id).Where("?", covered)
	if l == locked {
		query = query.For("UPDATE")
	}
	err = query.Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return row, ErrNotFound
	}
	if err != nil {
		return row, fmt.Errorf("read a deletion: %w", err)
	}
	return row, nil
}

// Items lists what a deletion took along and is still trashed, of one kind or of all, kind by kind.
func (d *Deletions) Items(ctx context.Context, tx *Tx, id uuid.UUID, kind string, limit int, cursor string) (page Page[Ref], err error) {
	row, err := tx.deletion(ctx, id, untouched)
	if err != nil {
		return page, err
	}
	if kind != "" && d.kind(kind) == nil {
		return page, &FieldError{Fields: []FieldProblem{{"kind", "enum"}}}
	}
	order := tx.order("items", kind, id.String(), nil)
	var after position
	if cursor != "" {
		if after, err = d.cursors.read(order, cursor); err != nil {
			return page, err
		}
	}
	limit = limitOf(limit)
	remaining := row.remaining()
	for i, e := range d.entities {
		if int64(i) < after.at || remaining[e.Kind] == 0 || kind != "" && kind != e.Kind {
			continue
		}
		beyond := text("true")
		if int64(i) == after.at {
			beyond = text("t.id > ?", after.id)
		}
		var found []Ref
		err := tx.db.NewRaw("SELECT ? AS kind, t.id, ? AS label FROM ? WHERE t.deletion_id = ? AND ? AND ? ORDER BY t.id LIMIT ?",
			e.Kind, e.label("t"), e.from("t"), id, tx.rows("", e, "t", trashed), beyond, limit+1-len(page.Rows)).Scan(ctx, &found)
		if err != nil {
			return page, fmt.Errorf("list what a deletion took from %s: %w", e.Table, err)
		}
		page.Rows = append(page.Rows, found...)
		if len(page.Rows) > limit {
			page.Rows = page.Rows[:limit]
			last := page.Rows[limit-1]
			page.Next = d.cursors.write(order, position{at: int64(slices.Index(d.entities, d.kind(last.Kind))), id: last.ID})
			break
		}
	}
	return page, nil
}

// Labels names live rows that a page refers to, by id; what is not live or not there is left out.
func (d *Deletions) Labels(ctx context.Context, tx *Tx, e *Entity, ids []string) (map[string]string, error) {
	if err := tx.open(e); err != nil {
		return nil, err
	}
	var found []Ref
	if err := tx.db.NewRaw("SELECT t.id, ? AS label FROM ? WHERE t.id IN (?) AND ?",
		e.label("t"), e.from("t"), list(ids), tx.live(siteLabel, e, "t")).Scan(ctx, &found); err != nil {
		return nil, fmt.Errorf("name rows of %s: %w", e.Table, err)
	}
	labels := make(map[string]string, len(found))
	for _, ref := range found {
		labels[ref.ID] = ref.Label
	}
	return labels, nil
}
