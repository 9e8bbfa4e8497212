package store

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// This file declares clients and what is sold to them.

// Client is a row of client_companies.
type Client struct {
	bun.BaseModel `bun:"table:client_companies,alias:t"`

	softdelete.Row

	Name      string    `bun:"name" json:"name" field:"required,max=255,search,list"`
	Website   *string   `bun:"website" json:"website" field:"max=2000,search"`
	Industry  *string   `bun:"industry" json:"industry" field:"max=100,search,filter,list"`
	Address   *string   `bun:"address" json:"address" field:"long,personal"`
	City      *string   `bun:"city" json:"city" field:"max=100,search,list,personal"`
	State     *string   `bun:"state" json:"state" field:"max=100,personal"`
	ZipCode   *string   `bun:"zip_code" json:"zipCode" field:"max=20,personal"`
	Country   *string   `bun:"country" json:"country" field:"max=100,filter,list"`
	Notes     *string   `bun:"notes" json:"notes" field:"long,personal"`
	CreatedAt time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt time.Time `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Clients is the declaration of clients.
var Clients = softdelete.Declare[Client](softdelete.Spec{
	Kind: "clients", Singular: "Client", Plural: "Clients", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})

// Contact is a row of contacts.
type Contact struct {
	bun.BaseModel `bun:"table:contacts,alias:t"`

	softdelete.Row

	ClientCompanyID *string   `bun:"client_company_id" json:"clientCompanyId" field:"max=255,parent=clients,filter,list"`
	FirstName       string    `bun:"first_name" json:"firstName" field:"required,max=100,search,list,personal"`
	LastName        string    `bun:"last_name" json:"lastName" field:"required,max=100,search,list,personal"`
	Email           *string   `bun:"email" json:"email" field:"max=255,search,filter,list,personal"`
	Phone           *string   `bun:"phone" json:"phone" field:"max=50,search,personal"`
	Title           *string   `bun:"title" json:"title" field:"max=100,search,personal"`
	IsPrimary       *bool     `bun:"is_primary" json:"isPrimary" field:""`
	Notes           *string   `bun:"notes" json:"notes" field:"long,personal"`
	CreatedAt       time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt       time.Time `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Contacts is the declaration of contacts.
var Contacts = softdelete.Declare[Contact](softdelete.Spec{
	Kind: "contacts", Singular: "Contact", Plural: "Contacts", Class: softdelete.ClientRecord,
	Label: []string{"first_name", "last_name"},
})

// Deal is a row of deals.
type Deal struct {
	bun.BaseModel `bun:"table:deals,alias:t"`

	softdelete.Row

	ClientCompanyID   *string             `bun:"client_company_id" json:"clientCompanyId" field:"max=255,ref=clients,filter,list"`
	ContactID         *string             `bun:"contact_id" json:"contactId" field:"max=255,ref=contacts,filter"`
	OwnerID           string              `bun:"owner_id" json:"ownerId" field:"default,max=255,user,own,actor,filter"`
	Name              string              `bun:"name" json:"name" field:"required,max=255,search,list"`
	Description       *string             `bun:"description" json:"description" field:"long,personal"`
	Value             *softdelete.Decimal `bun:"value,type:numeric" json:"value" field:"list"`
	Stage             string              `bun:"stage" json:"stage" field:"default,enum=lead|qualified|proposal|negotiation|won|lost,filter,list"`
	Probability       *int32              `bun:"probability" json:"probability" field:""`
	ExpectedCloseDate *time.Time          `bun:"expected_close_date" json:"expectedCloseDate" field:"list"`
	ClosedAt          *time.Time          `bun:"closed_at" json:"closedAt" field:""`
	Notes             *string             `bun:"notes" json:"notes" field:"long,personal"`
	CreatedAt         time.Time           `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt         time.Time           `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Deals is the declaration of deals.
var Deals = softdelete.Declare[Deal](softdelete.Spec{
	Kind: "deals", Singular: "Deal", Plural: "Deals", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})

// Proposal is a row of proposals.
type Proposal struct {
	bun.BaseModel `bun:"table:proposals,alias:t"`

	softdelete.Row

	DealID          *string             `bun:"deal_id" json:"dealId" field:"max=255,ref=deals,filter"`
	ClientCompanyID *string             `bun:"client_company_id" json:"clientCompanyId" field:"max=255,ref=clients,filter,list"`
	ContactID       *string             `bun:"contact_id" json:"contactId" field:"max=255,ref=contacts,filter"`
	CreatedByID     string              `bun:"created_by_id" json:"createdById" field:"readonly,max=255,user,own,actor,filter"`
	Name            string              `bun:"name" json:"name" field:"required,max=255,search,list"`
	Status          string              `bun:"status" json:"status" field:"default,enum=draft|sent|viewed|accepted|rejected|expired,filter,list"`
	Content         json.RawMessage     `bun:"content,type:jsonb" json:"content" field:"personal"`
	TotalValue      *softdelete.Decimal `bun:"total_value,type:numeric" json:"totalValue" field:"list"`
	ValidUntil      *time.Time          `bun:"valid_until" json:"validUntil" field:""`
	SentAt          *time.Time          `bun:"sent_at" json:"sentAt" field:""`
	ViewedAt        *time.Time          `bun:"viewed_at" json:"viewedAt" field:""`
	RespondedAt     *time.Time          `bun:"responded_at" json:"respondedAt" field:""`
	CreatedAt       time.Time           `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt       time.Time           `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Proposals is the declaration of proposals.
var Proposals = softdelete.Declare[Proposal](softdelete.Spec{
	Kind: "proposals", Singular: "Proposal", Plural: "Proposals", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})

// Contract is a row of contracts.
type Contract struct {
	bun.BaseModel `bun:"table:contracts,alias:t"`

	softdelete.Row

	ProposalID      *string             `bun:"proposal_id" json:"proposalId" field:"max=255,ref=proposals,filter"`
	DealID          *string             `bun:"deal_id" json:"dealId" field:"max=255,ref=deals,filter"`
	ClientCompanyID *string             `bun:"client_company_id" json:"clientCompanyId" field:"max=255,ref=clients,filter,list"`
	ContactID       *string             `bun:"contact_id" json:"contactId" field:"max=255,ref=contacts,filter"`
	CreatedByID     string              `bun:"created_by_id" json:"createdById" field:"readonly,max=255,user,own,actor,filter"`
	Name            string              `bun:"name" json:"name" field:"required,max=255,search,list"`
	Status          string              `bun:"status" json:"status" field:"default,enum=draft|sent|signed|expired|cancelled,filter,list"`
	Content         json.RawMessage     `bun:"content,type:jsonb" json:"content" field:"personal"`
	TotalValue      *softdelete.Decimal `bun:"total_value,type:numeric" json:"totalValue" field:"list"`
	StartDate       *time.Time          `bun:"start_date" json:"startDate" field:""`
	EndDate         *time.Time          `bun:"end_date" json:"endDate" field:""`
	SignedAt        *time.Time          `bun:"signed_at" json:"signedAt" field:""`
	SignedByName    *string             `bun:"signed_by_name" json:"signedByName" field:"max=255,personal"`
	SignatureData   *string             `bun:"signature_data" json:"-" field:"readonly,secret"`
	CreatedAt       time.Time           `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt       time.Time           `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Contracts is the declaration of contracts.
var Contracts = softdelete.Declare[Contract](softdelete.Spec{
	Kind: "contracts", Singular: "Contract", Plural: "Contracts", Class: softdelete.Financial,
	Label: []string{"name"},
})
