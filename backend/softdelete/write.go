package softdelete

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/uptrace/bun"
)

// Create makes a row of the organization. Values have been judged by [Entity.Check]; what the database refuses
// is a *FieldError too. Organizations are not made by requests.
func (r *Repository[T]) Create(ctx context.Context, tx *Tx, v Values) (*T, error) {
	e := r.entity
	if err := tx.open(e); err != nil {
		return nil, err
	}
	if e.Root {
		return nil, ErrForbidden
	}
	if err := tx.mayWrite(e, held{Own: true, OwnersRow: e.makesOwner(v)}); err != nil {
		return nil, err
	}
	if err := e.unwritable(v); err != nil {
		return nil, err
	}
	columns := []clause{text("organization_id"), text("created_by")}
	values := []clause{text("?", tx.Organization), text("?", tx.Actor)}
	for _, f := range e.Fields {
		value, given := v[f.Name]
		switch {
		case f.Token():
			value, given = newToken(), true
		case f.Actor && value == nil:
			value, given = tx.Actor, true
		}
		if given {
			columns = append(columns, text("?", bun.Name(f.Column)))
			values = append(values, literal(value))
		}
	}
	var id string
	err := tx.db.NewRaw("INSERT INTO ? (?) VALUES (?) RETURNING id",
		bun.Name(e.Table), joined(", ", columns), joined(", ", values)).Scan(ctx, &id)
	if err != nil {
		return nil, fmt.Errorf("create a row of %s: %w", e.Table, Explain(err, e))
	}
	return r.Get(ctx, tx, id)
}

// Update changes the columns that are given. A version other than 0 must be the row's, or it is ErrVersion.
// A null for a reference that is shown as null changes nothing: the id of its trashed target stays.
func (r *Repository[T]) Update(ctx context.Context, tx *Tx, id string, version int64, v Values) (*T, error) {
	e := r.entity
	if err := tx.open(e); err != nil {
		return nil, err
	}
	owners, err := tx.owners(ctx, e, locked)
	if err != nil {
		return nil, err
	}
	row, err := tx.look(ctx, e, id, tx.live(siteWrite, e, "t"), locked)
	if err != nil {
		return nil, err
	}
	demotes := row.OwnersRow && v["role"] != nil && !e.makesOwner(v)
	row.OwnersRow = row.OwnersRow || e.makesOwner(v)
	if err := tx.mayWrite(e, row); err != nil {
		return nil, err
	}
	if err := e.unwritable(v); err != nil {
		return nil, err
	}
	switch {
	case version != 0 && version != row.Version:
		return nil, ErrVersion
	case demotes && owners < 2:
		return nil, ErrLastOwner
	}
	changes, err := r.changes(ctx, tx, id, v)
	if err != nil {
		return nil, err
	}
	if len(changes) > 0 {
		if _, err := tx.db.NewRaw("UPDATE ? SET ? WHERE t.id = ? AND ?",
			e.from("t"), joined(", ", changes), id, tx.live(siteWrite, e, "t")).Exec(ctx); err != nil {
			return nil, fmt.Errorf("update a row of %s: %w", e.Table, Explain(err, e))
		}
	}
	return r.Get(ctx, tx, id)
}

// changes are the assignments of an update, none when nothing is to change.
func (r *Repository[T]) changes(ctx context.Context, tx *Tx, id string, v Values) (changes []clause, err error) {
	kept, err := r.keptReferences(ctx, tx, id, v)
	if err != nil {
		return nil, err
	}
	for _, f := range r.entity.Fields {
		if value, given := v[f.Name]; given && !slices.Contains(kept, f.Name) {
			changes = append(changes, text("? = ?", bun.Name(f.Column), value))
		}
	}
	if len(changes) > 0 && r.entity.column("updated_at") != nil {
		changes = append(changes, text("updated_at = now()"))
	}
	return changes, nil
}

// keptReferences finds the references of an update that stay as they are, since the caller says null where null
// is shown: not even the version tells whether that hides a trashed target. Whoever says the trashed target's
// id is told that there is none, as with any other trashed id.
func (r *Repository[T]) keptReferences(ctx context.Context, tx *Tx, id string, v Values) (kept []string, err error) {
	var asked []clause
	for _, f := range r.entity.Fields {
		if _, given := v[f.Name]; given && f.target != nil {
			asked = append(asked, text("SELECT ? AS name, ? AS stored, (?) AS shown FROM ? WHERE t.id = ?",
				f.Name, col("t", f.Column), f.shown(tx), r.entity.from("t"), id))
		}
	}
	if asked == nil {
		return nil, nil
	}
	var references []struct {
		Name          string
		Stored, Shown *string
	}
	if err := tx.db.NewRaw("?", joined(" UNION ALL ", asked)).Scan(ctx, &references); err != nil {
		return nil, fmt.Errorf("read the references of a row of %s: %w", r.entity.Table, err)
	}
	var hidden []string
	for _, reference := range references {
		value := v[reference.Name]
		switch {
		case reference.Shown != nil:
		case value == nil:
			kept = append(kept, reference.Name)
		case reference.Stored != nil && value == *reference.Stored:
			hidden = append(hidden, reference.Name)
		}
	}
	if hidden != nil {
		return nil, &FieldError{Fields: problems(hidden, "reference_not_found")}
	}
	return kept, nil
}

// makesOwner tells whether the values make somebody an owner of the organization.
func (e *Entity) makesOwner(v Values) bool { return e.Membership && v["role"] == string(Owner) }

// Token reports a secret that every row has: made on creation, destroyed by a deletion.
func (f *Field) Token() bool { return f.Secret && !f.Nullable }

// newToken is a secret nobody guesses.
func newToken() string { return rand.Text() + rand.Text() }
