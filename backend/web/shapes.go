package web

import (
	"slices"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// section is a part of the navigation, by kinds.
type section struct {
	title       string
	first, more []string
	settings    bool
}

var sections = []section{
	{title: "Sales", first: []string{"clients", "contacts", "deals"}, more: []string{"proposals", "contracts"}},
	{
		title: "Work", first: []string{"engagements", "projects", "tasks"},
		more: []string{"milestones", "project-templates", "files", "threads", "messages", "portal-access"},
	},
	{title: "Billing", first: []string{"invoices", "bills"}, more: []string{"invoice-schedules", "payments", "vendors"}},
	{title: "Organization", first: []string{"members"}, more: []string{"invitations", "roles", "role-permissions", "user-roles"}, settings: true},
}

// shape is what a kind's pages show where its declaration alone would do, but not as well.
type shape struct {
	// columns of lists, by JSON name, after the label.
	columns []string
	// badge is the field whose value stands beside the label.
	badge string
	// lead are the fields that a detail page shows first, large.
	lead []string
	// related are the kinds of rows that a detail page always lists, also when there are none. Others are
	// listed when there are some.
	related []string
	// filters are the fields that a list offers beside its enumerations.
	filters []string
	// search says what the search looks at.
	search string
	// note stands above a list.
	note string
}

var shapes = map[string]shape{
	"organizations": {lead: []string{"slug", "currency", "timezone", "dateFormat"}},
	"members": {
		columns: []string{"role", "createdAt"}, badge: "role", lead: []string{"role"},
		note: "Who belongs to this organization, and what they may do. Owners and administrators may do everything, members change what is their own, viewers read.",
	},
	"clients": {
		columns: []string{"industry", "city", "country", "createdAt"}, lead: []string{"industry", "website", "city", "country"},
		related: []string{"contacts", "deals", "engagements", "invoices"}, filters: []string{"industry", "country"},
		search: "Name, website, industry or city",
	},
	"contacts": {
		columns: []string{"clientCompanyId", "title", "email", "phone"}, lead: []string{"clientCompanyId", "title", "email", "phone"},
		related: []string{"deals"}, search: "Name, e-mail, phone or title",
	},
	"deals": {
		columns: []string{"clientCompanyId", "stage", "value", "expectedCloseDate", "ownerId"}, badge: "stage",
		lead: []string{"value", "probability", "expectedCloseDate", "clientCompanyId", "ownerId"}, related: []string{"proposals", "contracts", "engagements"},
		search: "Name of the deal",
	},
	"engagements": {
		columns: []string{"clientCompanyId", "status", "startDate", "endDate", "totalValue"}, badge: "status",
		lead: []string{"clientCompanyId", "totalValue", "startDate", "endDate", "ownerId"}, related: []string{"projects", "invoices", "files", "threads"},
		search: "Name of the engagement",
	},
	"invoices": {
		columns: []string{"clientCompanyId", "status", "totalAmount", "dueDate"}, badge: "status",
		lead: []string{"totalAmount", "paidAmount", "dueDate", "clientCompanyId", "engagementId"}, related: []string{"payments"},
		search: "Invoice number",
	},
	"projects": {badge: "status", related: []string{"tasks", "milestones"}},
	"tasks":    {columns: []string{"projectId", "status", "priority", "assigneeId", "dueDate"}, badge: "status"},
	"payments": {columns: []string{"invoiceId", "amount", "paymentMethod", "paidAt"}, lead: []string{"amount", "paidAt", "paymentMethod", "invoiceId"}},
	"messages": {columns: []string{"threadId", "senderName", "createdAt"}},
	"threads":  {badge: "type", related: []string{"messages"}},
	"roles":    {related: []string{"role-permissions", "user-roles"}},
}

// columns are those of a list beside the label.
func columns(e *softdelete.Entity) []*softdelete.Field {
	var fields []*softdelete.Field
	if names := shapes[e.Kind].columns; names != nil {
		for _, name := range names {
			if f := e.Field(name); f != nil && !f.Secret {
				fields = append(fields, f)
			}
		}
		return fields
	}
	for _, f := range e.Fields {
		if f.List && !f.Secret && !labels(e, f) {
			fields = append(fields, f)
		}
	}
	return fields
}

// labels reports whether a field is a part of the label.
func labels(e *softdelete.Entity, f *softdelete.Field) bool {
	return slices.Contains(e.Label, f.Column)
}

// references are the fields of other kinds that point to rows of e, in the order in which a detail page
// lists them: the shape's first.
func (p *Pages) references(e *softdelete.Entity) []reference {
	var first, rest []reference
	for _, kind := range shapes[e.Kind].related {
		if from := p.byKind[kind]; from != nil {
			for _, f := range from.Fields {
				if f.Target == e.Kind && f.Filter {
					first = append(first, reference{from: from, by: f, always: true})
				}
			}
		}
	}
	for _, from := range p.entities {
		for _, f := range from.Fields {
			known := slices.ContainsFunc(first, func(r reference) bool { return r.from == from && r.by == f })
			if f.Target == e.Kind && f.Filter && !known {
				rest = append(rest, reference{from: from, by: f})
			}
		}
	}
	return append(first, rest...)
}

// reference is a field of one kind that points to another.
type reference struct {
	from   *softdelete.Entity
	by     *softdelete.Field
	always bool
}
