// Package demo fills an empty database with two organizations of a believable business, some of whose
// records are in the trash: something to look at, to search and to undo.
//
// The same call gives the same rows, but for the ids of deletions and the time that it counts back from.
// Start with [Fill].
package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// ErrNotEmpty says that a database has organizations, which are somebody's.
var ErrNotEmpty = errors.New("the database has organizations already, and is left as it is")

// Organizations and people, whom tests and guides name. Each person's address is <name>@example.test.
const (
	First, Second = "fernhill", "harbour-and-pine" // by slug

	Owner, Admin, Member, Viewer = "olivia", "adam", "mia", "viktor" // of the first; the owner owns both
)

// Fill writes all of it in one transaction, as the owner of the tables. Rows are some days to months
// older than now.
func Fill(ctx context.Context, db bun.IDB, now time.Time) error {
	return db.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		// Nobody adds an organization while we look whether there is one.
		if _, err := tx.ExecContext(ctx, "lock table organizations, users in share row exclusive mode"); err != nil {
			return fmt.Errorf("lock the organizations: %w", err)
		}
		var organizations, users int
		if err := tx.QueryRowContext(ctx, "select (select count(*) from organizations), (select count(*) from users)").Scan(&organizations, &users); err != nil {
			return fmt.Errorf("look for organizations: %w", err)
		}
		if organizations+users > 0 {
			return ErrNotEmpty
		}
		if err := people(ctx, tx); err != nil {
			return fmt.Errorf("write the people: %w", err)
		}
		for _, o := range []organization{first, second} {
			w := newWorld(o, now)
			w.fill()
			if err := w.write(ctx, tx); err != nil {
				return fmt.Errorf("write %s: %w", o.slug, err)
			}
			if err := w.trash(ctx, tx); err != nil {
				return fmt.Errorf("delete from %s: %w", o.slug, err)
			}
		}
		return nil
	})
}

// people writes the users, whom no row of an organization is older than.
func people(ctx context.Context, tx bun.Tx) error {
	for _, p := range []struct{ name, first, last string }{
		{Owner, "Olivia", "Owens"}, {Admin, "Adam", "Adeyemi"}, {Member, "Mia", "Moreau"}, {Viewer, "Viktor", "Vidal"},
	} {
		_, err := tx.ExecContext(ctx, "insert into users (id, email, first_name, last_name, timezone) values (?, ?, ?, ?, 'Europe/Berlin')",
			userID(p.name), p.name+"@example.test", p.first, p.last)
		if err != nil {
			return err
		}
	}
	return nil
}

// as tells the transaction who acts.
func (w *world) as(ctx context.Context, tx bun.Tx, person string) error {
	_, err := tx.ExecContext(ctx, "select set_config('app.organization_id', ?, true), set_config('app.actor_id', ?, true), set_config('app.request_id', 'seed', true)",
		w.id, userID(person))
	return err
}

// write inserts all rows, parents first.
func (w *world) write(ctx context.Context, tx bun.Tx) error {
	if err := w.as(ctx, tx, Owner); err != nil {
		return err
	}
	for _, rows := range w.rows {
		if _, err := tx.NewInsert().Model(rows).Exec(ctx); err != nil {
			return fmt.Errorf("insert %T: %w", rows, err)
		}
	}
	return nil
}

// trash deletes as people do, with all that depends on a row.
func (w *world) trash(ctx context.Context, tx bun.Tx) error {
	deletions := softdelete.NewDeletions(store.Entities, nil)
	for _, d := range w.deletions {
		if err := w.as(ctx, tx, d.by); err != nil {
			return err
		}
		scope := softdelete.Scope{Organization: w.id, Actor: userID(d.by), Role: d.role, RequestID: "seed"}
		if _, err := deletions.SoftDelete(ctx, softdelete.NewTx(tx, scope), d.entity, d.id, 0, d.reason); err != nil {
			return fmt.Errorf("%s %s: %w", d.entity.Kind, d.id, err)
		}
	}
	return nil
}
