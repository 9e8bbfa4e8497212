package store

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// This file declares what is owed, by clients and to vendors.

// InvoiceSchedule is a row of invoice_schedules.
type InvoiceSchedule struct {
	bun.BaseModel `bun:"table:invoice_schedules,alias:t"`

	softdelete.Row

	EngagementID    string             `bun:"engagement_id" json:"engagementId" field:"required,max=255,parent=engagements,filter"`
	ContractID      *string            `bun:"contract_id" json:"contractId" field:"max=255,ref=contracts,filter"`
	Name            string             `bun:"name" json:"name" field:"required,max=255,search,list"`
	TotalAmount     softdelete.Decimal `bun:"total_amount,type:numeric" json:"totalAmount" field:"required,list"`
	Frequency       *string            `bun:"frequency" json:"frequency" field:"max=50,filter,list"`
	NextInvoiceDate *time.Time         `bun:"next_invoice_date" json:"nextInvoiceDate" field:""`
	CreatedAt       time.Time          `bun:"created_at" json:"createdAt" field:"readonly"`
}

// InvoiceSchedules is the declaration of invoice-schedules.
var InvoiceSchedules = softdelete.Declare[InvoiceSchedule](softdelete.Spec{
	Kind: "invoice-schedules", Singular: "Invoice schedule", Plural: "Invoice schedules", Class: softdelete.Financial,
	Label: []string{"name"},
})

// Invoice is a row of invoices.
type Invoice struct {
	bun.BaseModel `bun:"table:invoices,alias:t"`

	softdelete.Row

	EngagementID    string              `bun:"engagement_id" json:"engagementId" field:"required,max=255,parent=engagements,filter"`
	ScheduleID      *string             `bun:"schedule_id" json:"scheduleId" field:"max=255,ref=invoice-schedules,filter"`
	ClientCompanyID *string             `bun:"client_company_id" json:"clientCompanyId" field:"max=255,ref=clients,filter,list"`
	InvoiceNumber   string              `bun:"invoice_number" json:"invoiceNumber" field:"required,max=50,search,list"`
	Status          string              `bun:"status" json:"status" field:"default,enum=draft|sent|viewed|paid|overdue|cancelled,filter,list"`
	Amount          softdelete.Decimal  `bun:"amount,type:numeric" json:"amount" field:"required"`
	Tax             *softdelete.Decimal `bun:"tax,type:numeric" json:"tax" field:""`
	TotalAmount     softdelete.Decimal  `bun:"total_amount,type:numeric" json:"totalAmount" field:"required,list"`
	LineItems       json.RawMessage     `bun:"line_items,type:jsonb" json:"lineItems" field:"personal"`
	DueDate         *time.Time          `bun:"due_date" json:"dueDate" field:"list"`
	SentAt          *time.Time          `bun:"sent_at" json:"sentAt" field:""`
	PaidAt          *time.Time          `bun:"paid_at" json:"paidAt" field:""`
	PaidAmount      *softdelete.Decimal `bun:"paid_amount,type:numeric" json:"paidAmount" field:""`
	Notes           *string             `bun:"notes" json:"notes" field:"long,personal"`
	CreatedAt       time.Time           `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt       time.Time           `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Invoices is the declaration of invoices.
var Invoices = softdelete.Declare[Invoice](softdelete.Spec{
	Kind: "invoices", Singular: "Invoice", Plural: "Invoices", Class: softdelete.Financial,
	Label: []string{"invoice_number"},
})

// Payment is a row of payments.
type Payment struct {
	bun.BaseModel `bun:"table:payments,alias:t"`

	softdelete.Row

	InvoiceID       string             `bun:"invoice_id" json:"invoiceId" field:"required,max=255,parent=invoices,filter"`
	Amount          softdelete.Decimal `bun:"amount,type:numeric" json:"amount" field:"required,list"`
	PaymentMethod   *string            `bun:"payment_method" json:"paymentMethod" field:"max=50,list"`
	ReferenceNumber *string            `bun:"reference_number" json:"referenceNumber" field:"max=100,personal"`
	PaidAt          time.Time          `bun:"paid_at" json:"paidAt" field:"default,list"`
	Notes           *string            `bun:"notes" json:"notes" field:"long,personal"`
}

// Payments is the declaration of payments.
var Payments = softdelete.Declare[Payment](softdelete.Spec{
	Kind: "payments", Singular: "Payment", Plural: "Payments", Class: softdelete.Financial,
	Sort: "paid_at",
})

// Vendor is a row of vendors.
type Vendor struct {
	bun.BaseModel `bun:"table:vendors,alias:t"`

	softdelete.Row

	Name      string    `bun:"name" json:"name" field:"required,max=255,search,list,personal"`
	Email     *string   `bun:"email" json:"email" field:"max=255,search,filter,list,personal"`
	Phone     *string   `bun:"phone" json:"phone" field:"max=50,list,personal"`
	Address   *string   `bun:"address" json:"address" field:"long,personal"`
	Notes     *string   `bun:"notes" json:"notes" field:"long,personal"`
	CreatedAt time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt time.Time `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Vendors is the declaration of vendors.
var Vendors = softdelete.Declare[Vendor](softdelete.Spec{
	Kind: "vendors", Singular: "Vendor", Plural: "Vendors", Class: softdelete.Routine,
	Label: []string{"name"},
})

// Bill is a row of bills.
type Bill struct {
	bun.BaseModel `bun:"table:bills,alias:t"`

	softdelete.Row

	EngagementID   *string            `bun:"engagement_id" json:"engagementId" field:"max=255,ref=engagements,filter"`
	VendorID       *string            `bun:"vendor_id" json:"vendorId" field:"max=255,ref=vendors,filter"`
	CreatedByID    string             `bun:"created_by_id" json:"createdById" field:"readonly,max=255,user,own,actor,filter"`
	BillNumber     string             `bun:"bill_number" json:"billNumber" field:"required,max=50,search,list"`
	Status         string             `bun:"status" json:"status" field:"default,enum=pending|approved|rejected|paid|cancelled,filter,list"`
	Amount         softdelete.Decimal `bun:"amount,type:numeric" json:"amount" field:"required,list"`
	DueDate        *time.Time         `bun:"due_date" json:"dueDate" field:"list"`
	Description    *string            `bun:"description" json:"description" field:"long,personal"`
	AttachmentPath *string            `bun:"attachment_path" json:"attachmentPath" field:"personal"`
	ApprovedByID   *string            `bun:"approved_by_id" json:"approvedById" field:"max=255,user,filter"`
	ApprovedAt     *time.Time         `bun:"approved_at" json:"approvedAt" field:""`
	PaidAt         *time.Time         `bun:"paid_at" json:"paidAt" field:""`
	Notes          *string            `bun:"notes" json:"notes" field:"long,personal"`
	CreatedAt      time.Time          `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt      time.Time          `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Bills is the declaration of bills.
var Bills = softdelete.Declare[Bill](softdelete.Spec{
	Kind: "bills", Singular: "Bill", Plural: "Bills", Class: softdelete.Financial,
	Label: []string{"bill_number"},
})
