package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// ErrKeyReused says that an idempotency key stands for another request.
var ErrKeyReused = errors.New("the idempotency key belongs to another request")

// Made is what a request with an idempotency key has made: a row or a deletion, by kind, and the status that
// was answered.
type Made struct {
	Kind, ID string
	Status   int
}

// keyed is a row of idempotency_keys: what a request with a key has made. It holds no body; the answer is
// rendered again.
type keyed struct {
	bun.BaseModel `bun:"table:idempotency_keys,alias:k"`

	OrganizationID string         `bun:"organization_id,pk"`
	ActorID        string         `bun:"actor_id,pk"`
	Key            string         `bun:"key,pk"`
	RequestHash    []byte         `bun:"request_hash"`
	Kind           sql.NullString `bun:"kind"`
	RowID          sql.NullString `bun:"row_id"`
	Status         sql.NullInt32  `bun:"status"`
}

// Once runs serve for the first request of a key, in the transaction, and remembers what it has made. The
// same request again gets that, and repeated, instead; a parallel twin waits for the first to commit, and
// takes its place if it does not. Another request with the key gets ErrKeyReused. A key is the actor's own
// in the organization, and holds for 24 hours.
func Once(ctx context.Context, tx *softdelete.Tx, key string, hash []byte, serve func() (Made, error)) (made Made, repeated bool, err error) {
	row := keyed{OrganizationID: tx.Organization, ActorID: tx.Actor, Key: key, RequestHash: hash}
	first, err := row.claim(ctx, tx)
	if err != nil {
		return Made{}, false, err
	}
	if !first {
		made, err = row.recall(ctx, tx)
		return made, true, err
	}
	if made, err = serve(); err != nil {
		return Made{}, false, err
	}
	_, err = tx.Conn().NewUpdate().Model(&row).WherePK().
		Set("kind = ?, row_id = ?, status = ?", made.Kind, made.ID, made.Status).Exec(ctx)
	if err != nil {
		return Made{}, false, fmt.Errorf("remember an idempotency key: %w", err)
	}
	return made, false, nil
}

// claim reports whether the request is the first of its key. Old keys of the actor go, a few each time.
func (k *keyed) claim(ctx context.Context, tx *softdelete.Tx) (first bool, err error) {
	old := tx.Conn().NewSelect().Model((*keyed)(nil)).Column("key").
		Where("k.organization_id = ?", k.OrganizationID).Where("k.actor_id = ?", k.ActorID).
		Where("k.created_at < now() - interval '24 hours'").
		Limit(20).For("UPDATE SKIP LOCKED")
	_, err = tx.Conn().NewDelete().Model((*keyed)(nil)).
		Where("k.organization_id = ?", k.OrganizationID).Where("k.actor_id = ?", k.ActorID).
		Where("k.key IN (?)", old).Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("delete old idempotency keys: %w", err)
	}
	claimed, err := tx.Conn().NewInsert().Model(k).
		Column("organization_id", "actor_id", "key", "request_hash").
		On("CONFLICT (organization_id, actor_id, key) DO UPDATE").
		Set("request_hash = EXCLUDED.request_hash, kind = NULL, row_id = NULL, status = NULL, created_at = now()").
		Where("k.created_at < now() - interval '24 hours'").Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("claim an idempotency key: %w", err)
	}
	rows, err := claimed.RowsAffected()
	return rows == 1, err
}

// recall returns what the first request of the key has made.
func (k *keyed) recall(ctx context.Context, tx *softdelete.Tx) (Made, error) {
	var there keyed
	err := tx.Conn().NewSelect().Model(&there).
		Where("k.organization_id = ?", k.OrganizationID).Where("k.actor_id = ?", k.ActorID).
		Where("k.key = ?", k.Key).Scan(ctx)
	if err != nil {
		return Made{}, fmt.Errorf("recall an idempotency key: %w", err)
	}
	if string(there.RequestHash) != string(k.RequestHash) {
		return Made{}, ErrKeyReused
	}
	return Made{Kind: there.Kind.String, ID: there.RowID.String, Status: int(there.Status.Int32)}, nil
}
