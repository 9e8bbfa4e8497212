package store

import "github.com/gatehouse-proxy/gatehouse/backend/softdelete"

// Resources are the repositories of all entities, by kind. Cursors are signed by the key.
func Resources(cursorKey []byte) map[string]softdelete.Resource {
	all := []softdelete.Resource{
		resource[Organization](Organizations, cursorKey),
		resource[OrganizationMember](Members, cursorKey),
		resource[Client](Clients, cursorKey),
		resource[Contact](Contacts, cursorKey),
		resource[Deal](Deals, cursorKey),
		resource[Proposal](Proposals, cursorKey),
		resource[Contract](Contracts, cursorKey),
		resource[Engagement](Engagements, cursorKey),
		resource[ProjectTemplate](ProjectTemplates, cursorKey),
		resource[Project](Projects, cursorKey),
		resource[Milestone](Milestones, cursorKey),
		resource[Task](Tasks, cursorKey),
		resource[File](Files, cursorKey),
		resource[Thread](Threads, cursorKey),
		resource[Message](Messages, cursorKey),
		resource[InvoiceSchedule](InvoiceSchedules, cursorKey),
		resource[Invoice](Invoices, cursorKey),
		resource[Payment](Payments, cursorKey),
		resource[Vendor](Vendors, cursorKey),
		resource[Bill](Bills, cursorKey),
		resource[PortalAccess](PortalAccesses, cursorKey),
		resource[NamedRole](Roles, cursorKey),
		resource[RolePermission](RolePermissions, cursorKey),
		resource[UserRole](UserRoles, cursorKey),
		resource[Invitation](Invitations, cursorKey),
	}
	byKind := make(map[string]softdelete.Resource, len(all))
	for _, r := range all {
		byKind[r.Entity().Kind] = r
	}
	return byKind
}

func resource[T any](e *softdelete.Entity, cursorKey []byte) softdelete.Resource {
	return softdelete.NewRepository[T](e, cursorKey).Resource()
}
