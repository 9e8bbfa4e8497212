package softdelete

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// reach is what a deletion reaches at one step of its plan.
type reach struct {
	Step    int
	Total   int
	Foreign int // rows that are not the actor's own
}

// Preview tells what a deletion of the live row would do now. It returns ErrNotFound, and ErrForbidden when
// the role alone refuses it.
func (d *Deletions) Preview(ctx context.Context, tx *Tx, e *Entity, id string) (Preview, error) {
	if err := tx.open(e); err != nil {
		return Preview{}, err
	}
	owners, err := tx.owners(ctx, e, untouched)
	if err != nil {
		return Preview{}, err
	}
	row, err := tx.look(ctx, e, id, tx.live(sitePreview, e, "t"), untouched)
	if err != nil {
		return Preview{}, err
	}
	if err := tx.mayWrite(e, row); err != nil {
		return Preview{}, err
	}
	preview := Preview{Root: Ref{Kind: e.Kind, ID: id}}
	reached, err := tx.reach(ctx, e, id)
	if err != nil {
		return Preview{}, err
	}
	preview.Counts, preview.Blocked = tx.judge(e, reached)
	if row.OwnersRow && owners < 2 {
		preview.Blocked = append(preview.Blocked, Blocked{Code: "last_owner"})
	}
	if preview.References, err = tx.references(ctx, e, id); err != nil {
		return Preview{}, err
	}
	labels, err := d.Labels(ctx, tx, e, []string{id})
	preview.Root.Label = labels[id]
	return preview, err
}

// reach counts, in one statement, the live rows that a deletion of the row would take along.
func (tx *Tx) reach(ctx context.Context, e *Entity, id string) (reached []reach, err error) {
	counts := make([]clause, len(e.plan))
	for i := range e.plan {
		counts[i] = text("SELECT ? AS step, count(*) AS total, count(*) FILTER (WHERE NOT own) AS foreign FROM ?", i, set(i))
	}
	err = tx.db.NewRaw("WITH ? ?", tx.sets(e, id), joined(" UNION ALL ", counts)).Scan(ctx, &reached)
	if err != nil {
		return nil, fmt.Errorf("count what a row of %s would take along: %w", e.Table, err)
	}
	return reached, nil
}

func set(i int) bun.Name { return bun.Name(fmt.Sprintf("s%d", i)) }

// sets are common table expressions, one a step of the plan, with the ids of the live rows there.
func (tx *Tx) sets(e *Entity, id string) clause {
	sets := make([]clause, len(e.plan))
	for i, s := range e.plan {
		within := text("t.id = ?", id)
		if i > 0 {
			within = s.below(func(f *Field) clause { return text("SELECT id FROM ?", set(e.stepOf(f.target))) })
		}
		sets[i] = text("? AS (SELECT t.id, ? AS own FROM ? WHERE ? AND ?)",
			set(i), s.own("t", tx.Actor), s.from("t"), within, tx.live(sitePreview, s.Entity, "t"))
	}
	return joined(", ", sets)
}

// below says that one of the parents of t is among those that the function selects.
func (s step) below(parents func(*Field) clause) clause {
	if len(s.parents) == 1 {
		return text("? IN (?)", col("t", s.parents[0].Column), parents(s.parents[0]))
	}
	// Each side by its own index: an OR would read the whole table.
	sides := make([]clause, len(s.parents))
	for i, f := range s.parents {
		sides[i] = text("SELECT x.id FROM ? WHERE ? IN (?)", s.from("x"), col("x", f.Column), parents(f))
	}
	return text("t.id IN (?)", joined(" UNION ", sides))
}

// stepOf is the place of an entity in the plan; -1 when a deletion does not reach it.
func (e *Entity) stepOf(reached *Entity) int {
	for i, s := range e.plan {
		if s.Entity == reached {
			return i
		}
	}
	return -1
}

// references counts live rows that stay, and refer to what would go.
func (tx *Tx) references(ctx context.Context, e *Entity, id string) (Counts, error) {
	var counted []clause
	for i, other := range e.all {
		var pointing []clause
		for _, f := range other.Fields {
			if f.target == nil || f.Cascade || e.stepOf(f.target) < 0 {
				continue
			}
			pointing = append(pointing, text("SELECT t.id FROM ? WHERE ? IN (SELECT id FROM ?) AND ?",
				other.from("t"), col("t", f.Column), set(e.stepOf(f.target)), tx.live(sitePreview, other, "t")))
		}
		if pointing == nil {
			continue
		}
		rows := joined(" UNION ", pointing)
		if s := e.stepOf(other); s >= 0 {
			rows = text("(?) EXCEPT SELECT id FROM ?", rows, set(s))
		}
		counted = append(counted, text("SELECT ? AS step, count(*) AS total FROM (?) AS pointing", i, rows))
	}
	found := Counts{}
	if counted == nil {
		return found, nil
	}
	var reached []reach
	if err := tx.db.NewRaw("WITH ? ?", tx.sets(e, id), joined(" UNION ALL ", counted)).Scan(ctx, &reached); err != nil {
		return nil, fmt.Errorf("count what refers to a row of %s: %w", e.Table, err)
	}
	for _, r := range reached {
		if r.Total > 0 {
			found[e.all[r.Step].Kind] = r.Total
		}
	}
	return found, nil
}

// judge sums up what a deletion reaches, and says why it would be refused. A member takes along only its own
// rows, and none that members cannot delete or that the business has to keep for long.
func (tx *Tx) judge(e *Entity, reached []reach) (counts Counts, blocked []Blocked) {
	counts = Counts{}
	for _, r := range reached {
		s := e.plan[r.Step]
		if r.Total > 0 {
			counts[s.Kind] = r.Total
		}
		refused := r.Foreign
		if r.Step > 0 && (s.ManagersOnly || s.Class == Financial) {
			refused = r.Total
		}
		if refused > 0 && !tx.Role.Manages() {
			blocked = append(blocked, Blocked{Code: "cascade_not_own", Kind: s.Kind, Count: refused})
		}
	}
	if total := counts.Total(); total > MaxDeletion {
		blocked = append(blocked, Blocked{Code: "too_large", Count: total})
	}
	return counts, blocked
}
