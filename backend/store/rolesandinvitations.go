package store

import (
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// This file declares who may see what.

// PortalAccess is a row of client_portal_access.
type PortalAccess struct {
	bun.BaseModel `bun:"table:client_portal_access,alias:t"`

	softdelete.Row

	EngagementID   string     `bun:"engagement_id" json:"engagementId" field:"required,max=255,parent=engagements,filter,list"`
	ContactID      string     `bun:"contact_id" json:"contactId" field:"required,max=255,parent=contacts,filter,list"`
	AccessToken    string     `bun:"access_token" json:"-" field:"readonly,max=255,secret"`
	ExpiresAt      *time.Time `bun:"expires_at" json:"expiresAt" field:"list"`
	LastAccessedAt *time.Time `bun:"last_accessed_at" json:"lastAccessedAt" field:"readonly,personal"`
	CreatedAt      time.Time  `bun:"created_at" json:"createdAt" field:"readonly"`
}

// PortalAccesses is the declaration of portal-access.
var PortalAccesses = softdelete.Declare[PortalAccess](softdelete.Spec{
	Kind: "portal-access", Singular: "Portal access", Plural: "Portal accesses", Class: softdelete.Routine,
	ManagersOnly: true,
	Rearm:        "access token",
})

// NamedRole is a row of roles.
type NamedRole struct {
	bun.BaseModel `bun:"table:roles,alias:t"`

	softdelete.Row

	Name        string    `bun:"name" json:"name" field:"required,max=100,search,list"`
	Description *string   `bun:"description" json:"description" field:"list,long"`
	IsDefault   *bool     `bun:"is_default" json:"isDefault" field:"filter"`
	CreatedAt   time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt   time.Time `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Roles is the declaration of roles.
var Roles = softdelete.Declare[NamedRole](softdelete.Spec{
	Kind: "roles", Singular: "Role", Plural: "Roles", Class: softdelete.Routine,
	Label:        []string{"name"},
	Unique:       []string{"organization_id", "name"},
	ManagersOnly: true,
})

// RolePermission is a row of role_permissions.
type RolePermission struct {
	bun.BaseModel `bun:"table:role_permissions,alias:t"`

	softdelete.Row

	RoleID       string    `bun:"role_id" json:"roleId" field:"required,max=255,parent=roles,filter,list"`
	PermissionID string    `bun:"permission_id" json:"permissionId" field:"required,max=255,filter,list"`
	CreatedAt    time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
}

// RolePermissions is the declaration of role-permissions.
var RolePermissions = softdelete.Declare[RolePermission](softdelete.Spec{
	Kind: "role-permissions", Singular: "Role permission", Plural: "Role permissions", Class: softdelete.Routine,
	Unique:       []string{"organization_id", "role_id", "permission_id"},
	ManagersOnly: true,
})

// UserRole is a row of user_roles.
type UserRole struct {
	bun.BaseModel `bun:"table:user_roles,alias:t"`

	softdelete.Row

	UserID       string    `bun:"user_id" json:"userId" field:"required,max=255,user,filter,list"`
	RoleID       string    `bun:"role_id" json:"roleId" field:"required,max=255,parent=roles,filter,list"`
	AssignedByID *string   `bun:"assigned_by_id" json:"assignedById" field:"readonly,max=255,user,actor,filter"`
	AssignedAt   time.Time `bun:"assigned_at" json:"assignedAt" field:"readonly"`
}

// UserRoles is the declaration of user-roles.
var UserRoles = softdelete.Declare[UserRole](softdelete.Spec{
	Kind: "user-roles", Singular: "User role", Plural: "User roles", Class: softdelete.Routine,
	Sort:         "assigned_at",
	Unique:       []string{"organization_id", "user_id", "role_id"},
	ManagersOnly: true,
})

// Invitation is a row of invitations.
type Invitation struct {
	bun.BaseModel `bun:"table:invitations,alias:t"`

	softdelete.Row

	Email        string     `bun:"email" json:"email" field:"required,max=255,search,filter,list,personal"`
	RoleID       *string    `bun:"role_id" json:"roleId" field:"max=255,ref=roles,filter"`
	Token        string     `bun:"token" json:"-" field:"readonly,max=255,secret"`
	Status       string     `bun:"status" json:"status" field:"default,max=20,filter,list"`
	InvitedByID  string     `bun:"invited_by_id" json:"invitedById" field:"readonly,max=255,user,actor,filter"`
	AcceptedByID *string    `bun:"accepted_by_id" json:"acceptedById" field:"readonly,max=255,user,filter"`
	AcceptedAt   *time.Time `bun:"accepted_at" json:"acceptedAt" field:"readonly"`
	ExpiresAt    time.Time  `bun:"expires_at" json:"expiresAt" field:"required,list"`
	CreatedAt    time.Time  `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt    time.Time  `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Invitations is the declaration of invitations.
var Invitations = softdelete.Declare[Invitation](softdelete.Spec{
	Kind: "invitations", Singular: "Invitation", Plural: "Invitations", Class: softdelete.Routine,
	Unique:       []string{"organization_id", "email"},
	Revoke:       softdelete.Revoke{Column: "status", From: "pending", To: "revoked"},
	ManagersOnly: true,
	Rearm:        "invitation",
})
