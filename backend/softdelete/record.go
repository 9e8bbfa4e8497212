package softdelete

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// deletionRow is a row of deletions.
type deletionRow struct {
	bun.BaseModel `bun:"table:deletions,alias:d"`

	ID             uuid.UUID `bun:"id,pk,type:uuid"`
	OrganizationID string    `bun:"organization_id"`
	RootKind       string    `bun:"root_kind"`
	RootID         string    `bun:"root_id"`
	ActorID        string    `bun:"actor_id"`
	Reason         *string   `bun:"reason"`
	DeletedAt      time.Time `bun:"deleted_at"`
	Counts         Counts    `bun:"counts,type:jsonb"`
	Restored       Counts    `bun:"restored,type:jsonb"`
	Purged         Counts    `bun:"purged,type:jsonb"`
	State          State     `bun:"state"`
}

// remaining are the rows that are still trashed.
func (r *deletionRow) remaining() Counts {
	left := Counts{}
	for kind, n := range r.Counts {
		if n -= r.Restored[kind] + r.Purged[kind]; n > 0 {
			left[kind] = n
		}
	}
	return left
}

// settle finds the state that the counts are in.
func (r *deletionRow) settle() State {
	remaining, restored := r.remaining().Total(), r.Restored.Total()
	switch {
	case remaining > 0 && restored+r.Purged.Total() > 0:
		return Partial
	case remaining > 0:
		return Trashed
	case restored > 0:
		return Restored
	}
	return Purged
}

// described makes deletions of rows, with the labels and names that people read.
func (d *Deletions) described(ctx context.Context, tx *Tx, rows []deletionRow) ([]Deletion, error) {
	roots := map[*Entity][]string{}
	people := make([]string, 0, len(rows))
	for _, r := range rows {
		people = append(people, r.ActorID)
		if e := d.kind(r.RootKind); e != nil {
			roots[e] = append(roots[e], r.RootID)
		}
	}
	labels, err := tx.labels(ctx, d.entities, roots)
	if err != nil {
		return nil, err
	}
	names, err := tx.names(ctx, people)
	if err != nil {
		return nil, err
	}
	described := make([]Deletion, len(rows))
	for i, r := range rows {
		described[i] = d.describe(r)
		described[i].Root.Label = labels[Ref{Kind: r.RootKind, ID: r.RootID}]
		described[i].DeletedBy.Name = names[r.ActorID]
	}
	return described, nil
}

func (d *Deletions) describe(r deletionRow) Deletion {
	deletion := Deletion{
		ID: r.ID, State: r.State, Root: Ref{Kind: r.RootKind, ID: r.RootID},
		DeletedAt: r.DeletedAt.UTC(), DeletedBy: Person{ID: r.ActorID},
		Counts: r.Counts, Remaining: r.remaining(), Restored: r.Restored, Purged: r.Purged,
	}
	if r.Reason != nil {
		deletion.Reason = *r.Reason
	}
	deletion.PurgeFirst, deletion.PurgeLast = d.retention(deletion)
	return deletion
}

// retention is when the first and the last of the remaining rows may be purged.
func (d *Deletions) retention(deletion Deletion) (first, last time.Time) {
	for kind := range deletion.Remaining {
		e := d.kind(kind)
		if e == nil || e.Class.Days() == 0 {
			return time.Time{}, time.Time{}
		}
		until := deletion.DeletedAt.AddDate(0, 0, e.Class.Days())
		if first.IsZero() || until.Before(first) {
			first = until
		}
		if until.After(last) {
			last = until
		}
	}
	return first, last
}

// kind returns the entity of a kind; nil when there is none.
func (d *Deletions) kind(name string) *Entity {
	i := slices.IndexFunc(d.entities, func(e *Entity) bool { return e.Kind == name })
	if i < 0 {
		return nil
	}
	return d.entities[i]
}

// labels names rows of the organization, live and trashed ones, for the Trash.
func (tx *Tx) labels(ctx context.Context, entities []*Entity, ids map[*Entity][]string) (map[Ref]string, error) {
	var asked []clause
	for _, e := range entities {
		if len(ids[e]) > 0 {
			asked = append(asked, text("SELECT ? AS kind, t.id, ? AS label FROM ? WHERE t.id IN (?) AND ?",
				e.Kind, e.label("t"), e.from("t"), list(ids[e]), tx.known(e, "t")))
		}
	}
	labels := map[Ref]string{}
	if asked == nil {
		return labels, nil
	}
	var found []Ref
	if err := tx.db.NewRaw("?", joined(" UNION ALL ", asked)).Scan(ctx, &found); err != nil {
		return nil, fmt.Errorf("name what was deleted: %w", err)
	}
	for _, ref := range found {
		labels[Ref{Kind: ref.Kind, ID: ref.ID}] = ref.Label
	}
	return labels, nil
}

// formerUser is the name of who is no member any more, and of who is erased.
const formerUser = "Former user"

// names are the users' as the organization sees them.
func (tx *Tx) names(ctx context.Context, ids []string) (map[string]string, error) {
	names := make(map[string]string, len(ids))
	for _, id := range ids {
		names[id] = formerUser
	}
	if len(ids) == 0 {
		return names, nil
	}
	var found []struct{ ID, Name string }
	if err := tx.db.NewRaw(`SELECT u.id, coalesce(nullif(concat_ws(' ', nullif(u.first_name, ''), nullif(u.last_name, '')), ''), u.email, '') AS name
		FROM users AS u WHERE u.id IN (?)`, list(ids)).Scan(ctx, &found); err != nil {
		return nil, fmt.Errorf("name who has deleted: %w", err)
	}
	for _, user := range found {
		if name := strings.TrimSpace(user.Name); name != "" {
			names[user.ID] = name
		}
	}
	return names, nil
}
