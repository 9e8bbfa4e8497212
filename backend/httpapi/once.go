package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// once serves a request that has an Idempotency-Key: the first time, and rendered again each other time.
func once(ctx context.Context, tx *softdelete.Tx, c *call, serve func(context.Context, *softdelete.Tx, *call) (*answer, error)) (*answer, error) {
	hash, err := requestHash(c)
	if err != nil {
		return nil, err
	}
	var good *answer
	made, repeated, err := store.Once(ctx, tx, c.key, hash, func() (store.Made, error) {
		var err error
		if good, err = serve(ctx, tx, c); err != nil {
			return store.Made{}, err
		}
		return good.made, nil
	})
	if err != nil {
		return nil, err
	}
	if !repeated {
		return good, nil
	}
	if good, err = c.op.replay(ctx, tx, c, made); err != nil {
		return nil, err
	}
	good.replayed = true
	return good, nil
}

// requestHash tells requests apart: what is done, to what, by which members. Spaces and the order of members
// make no difference.
func requestHash(c *call) ([]byte, error) {
	canonical, err := json.Marshal([]any{c.op.route(), c.id, c.body})
	if err != nil {
		return nil, fmt.Errorf("hash a request: %w", err)
	}
	hash := sha256.Sum256(canonical)
	return hash[:], nil
}
