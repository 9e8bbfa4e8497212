package softdelete

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// open refuses all but the organization itself while that is in the Trash.
func (tx *Tx) open(e *Entity) error {
	if tx.Closed && !e.Root {
		return ErrForbidden
	}
	return nil
}

// mayWrite is the rule of the roles for a row that is there: managers write all, members their own.
func (tx *Tx) mayWrite(e *Entity, h held) error {
	switch {
	case h.OwnersRow && tx.Role != Owner:
		return ErrForbidden
	case tx.Role.Manages():
		return nil
	case tx.Role != Member, e.ManagersOnly, !h.Own:
		return ErrForbidden
	}
	return nil
}

// held is what decides about a row.
type held struct {
	Version    int64
	Own        bool
	DeletionID *uuid.UUID
	// OwnersRow says that the row is the membership of an owner.
	OwnersRow bool
}

// A lock is what a look at a row does to those who want to change it.
type lock string

const (
	// untouched lets them, and works in transactions that only read.
	untouched lock = ""
	// locked keeps them waiting until the transaction ends.
	locked lock = " FOR NO KEY UPDATE"
)

// look tells about a row. It returns ErrNotFound when the predicate does not cover it.
func (tx *Tx) look(ctx context.Context, e *Entity, id string, covered clause, l lock) (held, error) {
	if !storable(id) {
		return held{}, ErrNotFound
	}
	owners := text("false")
	if e.Membership {
		owners = text("t.role = ?", string(Owner))
	}
	var h held
	err := tx.db.NewRaw(`SELECT t.version, ? AS own, t.deletion_id, ? AS owners_row FROM ? WHERE t.id = ? AND ?`+string(l),
		e.own("t", tx.Actor), owners, e.from("t"), id, covered).Scan(ctx, &h)
	if errors.Is(err, sql.ErrNoRows) {
		return held{}, ErrNotFound
	}
	if err != nil {
		return held{}, fmt.Errorf("look at a row of %s: %w", e.Table, err)
	}
	return h, nil
}

// owners counts the memberships of the organization's owners. Locked they are before any lock on a single
// one of them: whoever takes away an owner does so alone, and counts again what is left.
func (tx *Tx) owners(ctx context.Context, e *Entity, l lock) (int, error) {
	if !e.Membership {
		return 0, nil
	}
	var owners []string
	if err := tx.db.NewRaw(`SELECT t.id FROM ? WHERE t.role = ? AND ? ORDER BY t.id`+string(l),
		e.from("t"), string(Owner), tx.live(siteOwners, e, "t")).Scan(ctx, &owners); err != nil {
		return 0, fmt.Errorf("find the owners: %w", err)
	}
	return len(owners), nil
}
