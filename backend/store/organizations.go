package store

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// This file declares the organizations and who belongs to them.

// Organization is a row of organizations.
type Organization struct {
	bun.BaseModel `bun:"table:organizations,alias:t"`

	ID string `bun:"id,pk" json:"id"`
	softdelete.Lifecycle

	Name          string          `bun:"name" json:"name" field:"required,max=255,search,list"`
	Slug          string          `bun:"slug" json:"slug" field:"required,max=100,search,filter,list"`
	Logo          *string         `bun:"logo" json:"logo" field:""`
	Timezone      string          `bun:"timezone" json:"timezone" field:"default,max=50"`
	Currency      string          `bun:"currency" json:"currency" field:"default,max=3,list"`
	DateFormat    string          `bun:"date_format" json:"dateFormat" field:"default,max=20"`
	Language      string          `bun:"language" json:"language" field:"default,max=10"`
	BusinessHours json.RawMessage `bun:"business_hours,type:jsonb" json:"businessHours" field:""`
	CreatedAt     time.Time       `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt     time.Time       `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Key is the row's id.
func (o *Organization) Key() string { return o.ID }

// Organizations is the declaration of organizations.
var Organizations = softdelete.Declare[Organization](softdelete.Spec{
	Kind: "organizations", Singular: "Organization", Plural: "Organizations", Class: softdelete.Operator,
	Label:        []string{"name"},
	ManagersOnly: true,
	Root:         true,
})

// OrganizationMember is a row of organization_members.
type OrganizationMember struct {
	bun.BaseModel `bun:"table:organization_members,alias:t"`

	softdelete.Row

	UserID    string    `bun:"user_id" json:"userId" field:"required,max=255,user,filter,list"`
	Role      string    `bun:"role" json:"role" field:"default,enum=owner|admin|member|viewer,filter,list"`
	CreatedAt time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
}

// Members is the declaration of members.
var Members = softdelete.Declare[OrganizationMember](softdelete.Spec{
	Kind: "members", Singular: "Member", Plural: "Members", Class: softdelete.Routine,
	Unique:       []string{"organization_id", "user_id"},
	ManagersOnly: true,
	Membership:   true,
})
