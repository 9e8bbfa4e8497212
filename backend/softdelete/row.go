package softdelete

import (
	"time"

	"github.com/google/uuid"
)

// Lifecycle are the columns that make a row's deletion undoable. The database counts Version up with
// every change.
type Lifecycle struct {
	Version    int64      `bun:"version,scanonly"           json:"version"`
	CreatedBy  *string    `bun:"created_by"                 json:"createdBy"`
	DeletedAt  *time.Time `bun:"deleted_at,soft_delete,nullzero" json:"-"`
	DeletedBy  *string    `bun:"deleted_by"                 json:"-"`
	DeletionID *uuid.UUID `bun:"deletion_id,type:uuid"      json:"-"`
}

// Row is embedded in the model of every entity of an organization.
type Row struct {
	ID             string `bun:"id,pk"           json:"id"`
	OrganizationID string `bun:"organization_id" json:"organizationId"`
	Lifecycle
}

// Key is the row's id.
func (r *Row) Key() string { return r.ID }

// Life are the row's columns of deletion.
func (l *Lifecycle) Life() *Lifecycle { return l }

// Record is a row of any entity: a pointer to its model.
type Record interface {
	Key() string
	Life() *Lifecycle
}

// Decimal is a numeric column's value, exact, as PostgreSQL writes it: "12.50".
type Decimal string
