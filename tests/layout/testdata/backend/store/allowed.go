// Package store may do all of it.
package store

import (
	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

func open(db *bun.DB) *softdelete.Tx {
	db.NewRaw("select 1")
	return softdelete.NewTx(db, softdelete.Scope{})
}
