package softdelete

import "github.com/uptrace/bun"

// Role is what a member may do in its organization.
type Role string

// The roles, from the most to the least.
const (
	Owner  Role = "owner"
	Admin  Role = "admin"
	Member Role = "member"
	Viewer Role = "viewer"
)

// Manages reports whether the role may do everything in the organization: an owner or an admin.
func (r Role) Manages() bool { return r == Owner || r == Admin }

// Scope is for whom and by whom a transaction works. It is made where a request's membership has been
// looked up in the same transaction, and on the command line, and nowhere else: a lint rule keeps
// [NewTx] to those places.
type Scope struct {
	// Organization is the id of the organization; row-level security shows its rows alone.
	Organization string
	// Actor is the id of the user who acts; deleted_by, created_by and the audit trail carry it.
	Actor string
	// Role is the actor's membership's.
	Role Role
	// RequestID is the edge's id of the request, for the audit trail.
	RequestID string
	// Closed says that the organization itself is trashed. Only its owner gets this far, to see it and
	// to restore it.
	Closed bool
}

// Tx is a transaction that has been told its scope. All methods of repositories and of [Deletions] work
// in one, and none of them ends it.
type Tx struct {
	Scope
	db bun.IDB
}

// NewTx binds a scope to the transaction that has been told of it by settings; see package store.
func NewTx(db bun.IDB, scope Scope) *Tx { return &Tx{Scope: scope, db: db} }

// Conn is the transaction itself, for what stands beside the rows: the audit trail, keys of idempotency.
// Rows of entities are read and written by repositories alone.
func (tx *Tx) Conn() bun.IDB { return tx.db }
