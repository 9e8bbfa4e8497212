package store

import "github.com/gatehouse-proxy/gatehouse/backend/softdelete"

//go:generate go run ./internal/names

// Entities are all kinds of rows that can be deleted and brought back, in the order in which pages list them.
var Entities = softdelete.Link(
	Organizations,
	Members,
	Clients,
	Contacts,
	Deals,
	Proposals,
	Contracts,
	Engagements,
	ProjectTemplates,
	Projects,
	Milestones,
	Tasks,
	Files,
	Threads,
	Messages,
	InvoiceSchedules,
	Invoices,
	Payments,
	Vendors,
	Bills,
	PortalAccesses,
	Roles,
	RolePermissions,
	UserRoles,
	Invitations,
)
