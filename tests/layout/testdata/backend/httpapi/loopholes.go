// Package httpapi does all that it must not, each in a function named for it.
package httpapi

import (
	b "github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

func table(tx *softdelete.Tx)               { tx.Conn().NewDelete().Table("clients") }
func tableExpr(tx *softdelete.Tx)           { tx.Conn().NewSelect().TableExpr("clients") }
func modelTableExpr(tx *softdelete.Tx)      { tx.Conn().NewSelect().ModelTableExpr("clients") }
func newRaw(tx *softdelete.Tx)              { tx.Conn().NewRaw("select 1") }
func newRawQuery(tx *softdelete.Tx)         { b.NewRawQuery(nil, "select 1") }
func forceDelete(tx *softdelete.Tx)         { tx.Conn().NewDelete().ForceDelete() }
func whereAllWithDeleted(tx *softdelete.Tx) { tx.Conn().NewSelect().WhereAllWithDeleted() }
func whereOr(tx *softdelete.Tx)             { tx.Conn().NewSelect().Where("a").WhereOr("b") }
func joinOnOr(tx *softdelete.Tx)            { tx.Conn().NewSelect().JoinOnOr("b") }
func relation(tx *softdelete.Tx)            { tx.Conn().NewSelect().Relation("Client") }
func db(pool *b.DB)                         {}
func newTx(conn b.IDB)                      { softdelete.NewTx(conn, softdelete.Scope{}) }

// What looks alike and is allowed.
func allowed(tx *softdelete.Tx, e *softdelete.Entity) string {
	tx.Conn().NewSelect().Where("a").Model(nil)
	return e.Table
}
