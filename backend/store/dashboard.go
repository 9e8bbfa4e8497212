package store

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Figures are counts and sums of the organization's live rows.
type Figures struct {
	Clients     int `json:"clients"`
	Contacts    int `json:"contacts"`
	OpenDeals   Sum `json:"openDeals"   doc:"Deals that are neither won nor lost, and their value."`
	Engagements int `json:"engagements" doc:"Those that are active."`
	OpenTasks   int `json:"openTasks"   doc:"Those that are neither completed nor cancelled."`
	Unpaid      Sum `json:"unpaid"      doc:"Invoices that are sent, viewed or overdue, and their total amount."`
	Overdue     Sum `json:"overdue"     doc:"Invoices that are overdue."`
	Owed        Sum `json:"owed"        doc:"Bills that are pending or approved, and their amount."`
}

// Sum is a count, and the sum of a column.
type Sum struct {
	Count int                `json:"count"`
	Total softdelete.Decimal `json:"total" doc:"A decimal, exact."`
}

// Dashboard counts for the organization's first page.
func Dashboard(ctx context.Context, tx *softdelete.Tx) (f Figures, err error) {
	var clients, contacts, engagements, tasks Sum
	for _, part := range []struct {
		to     *Sum
		model  any
		column string // summed; empty for none
		status string
		among  []string // the values of status that count; nil for all
	}{
		{&clients, (*Client)(nil), "", "", nil},
		{&contacts, (*Contact)(nil), "", "", nil},
		{&f.OpenDeals, (*Deal)(nil), "value", "stage", []string{"lead", "qualified", "proposal", "negotiation"}},
		{&engagements, (*Engagement)(nil), "", "status", []string{"active"}},
		{&tasks, (*Task)(nil), "", "status", []string{"todo", "in_progress", "review"}},
		{&f.Unpaid, (*Invoice)(nil), "total_amount", "status", []string{"sent", "viewed", "overdue"}},
		{&f.Overdue, (*Invoice)(nil), "total_amount", "status", []string{"overdue"}},
		{&f.Owed, (*Bill)(nil), "amount", "status", []string{"pending", "approved"}},
	} {
		// The model's tag leaves out what is trashed.
		query := tx.Conn().NewSelect().Model(part.model).ColumnExpr("count(*)").Where("t.organization_id = ?", tx.Organization)
		if part.column == "" {
			query.ColumnExpr("'0'")
		} else {
			query.ColumnExpr("coalesce(sum(?), 0)::numeric(20, 2)::text", bun.Ident("t."+part.column))
		}
		if part.among != nil {
			query.Where("?::text IN (?)", bun.Ident("t."+part.status), bun.List(part.among))
		}
		if err := query.Scan(ctx, &part.to.Count, (*string)(&part.to.Total)); err != nil {
			return Figures{}, fmt.Errorf("count for the dashboard: %w", err)
		}
	}
	f.Clients, f.Contacts, f.Engagements, f.OpenTasks = clients.Count, contacts.Count, engagements.Count, tasks.Count
	return f, nil
}
