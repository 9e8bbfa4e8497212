package store

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// This file declares the work for clients.

// Engagement is a row of engagements.
type Engagement struct {
	bun.BaseModel `bun:"table:engagements,alias:t"`

	softdelete.Row

	ContractID      *string             `bun:"contract_id" json:"contractId" field:"max=255,ref=contracts,filter"`
	DealID          *string             `bun:"deal_id" json:"dealId" field:"max=255,ref=deals,filter"`
	ClientCompanyID *string             `bun:"client_company_id" json:"clientCompanyId" field:"max=255,ref=clients,filter,list"`
	ContactID       *string             `bun:"contact_id" json:"contactId" field:"max=255,ref=contacts,filter"`
	OwnerID         string              `bun:"owner_id" json:"ownerId" field:"default,max=255,user,own,actor,filter"`
	Name            string              `bun:"name" json:"name" field:"required,max=255,search,list"`
	Description     *string             `bun:"description" json:"description" field:"long,personal"`
	Status          string              `bun:"status" json:"status" field:"default,enum=active|on_hold|completed|cancelled,filter,list"`
	StartDate       *time.Time          `bun:"start_date" json:"startDate" field:"list"`
	EndDate         *time.Time          `bun:"end_date" json:"endDate" field:""`
	TotalValue      *softdelete.Decimal `bun:"total_value,type:numeric" json:"totalValue" field:"list"`
	CreatedAt       time.Time           `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt       time.Time           `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Engagements is the declaration of engagements.
var Engagements = softdelete.Declare[Engagement](softdelete.Spec{
	Kind: "engagements", Singular: "Engagement", Plural: "Engagements", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})

// ProjectTemplate is a row of project_templates.
type ProjectTemplate struct {
	bun.BaseModel `bun:"table:project_templates,alias:t"`

	softdelete.Row

	Name               string          `bun:"name" json:"name" field:"required,max=255,search,list"`
	Description        *string         `bun:"description" json:"description" field:"long"`
	TasksTemplate      json.RawMessage `bun:"tasks_template,type:jsonb" json:"tasksTemplate" field:""`
	MilestonesTemplate json.RawMessage `bun:"milestones_template,type:jsonb" json:"milestonesTemplate" field:""`
	IsDefault          *bool           `bun:"is_default" json:"isDefault" field:"filter,list"`
	CreatedAt          time.Time       `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt          time.Time       `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// ProjectTemplates is the declaration of project-templates.
var ProjectTemplates = softdelete.Declare[ProjectTemplate](softdelete.Spec{
	Kind: "project-templates", Singular: "Project template", Plural: "Project templates", Class: softdelete.Routine,
	Label: []string{"name"},
})

// Project is a row of projects.
type Project struct {
	bun.BaseModel `bun:"table:projects,alias:t"`

	softdelete.Row

	EngagementID string     `bun:"engagement_id" json:"engagementId" field:"required,max=255,parent=engagements,filter,list"`
	TemplateID   *string    `bun:"template_id" json:"templateId" field:"max=255,ref=project-templates,filter"`
	Name         string     `bun:"name" json:"name" field:"required,max=255,search,list"`
	Description  *string    `bun:"description" json:"description" field:"long,personal"`
	Status       string     `bun:"status" json:"status" field:"default,enum=not_started|in_progress|completed|on_hold|cancelled,filter,list"`
	StartDate    *time.Time `bun:"start_date" json:"startDate" field:""`
	DueDate      *time.Time `bun:"due_date" json:"dueDate" field:"list"`
	CompletedAt  *time.Time `bun:"completed_at" json:"completedAt" field:""`
	Progress     *int32     `bun:"progress" json:"progress" field:""`
	CreatedAt    time.Time  `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt    time.Time  `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Projects is the declaration of projects.
var Projects = softdelete.Declare[Project](softdelete.Spec{
	Kind: "projects", Singular: "Project", Plural: "Projects", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})

// Milestone is a row of milestones.
type Milestone struct {
	bun.BaseModel `bun:"table:milestones,alias:t"`

	softdelete.Row

	ProjectID   string     `bun:"project_id" json:"projectId" field:"required,max=255,parent=projects,filter,list"`
	Name        string     `bun:"name" json:"name" field:"required,max=255,search,list"`
	Description *string    `bun:"description" json:"description" field:"long,personal"`
	DueDate     *time.Time `bun:"due_date" json:"dueDate" field:"list"`
	CompletedAt *time.Time `bun:"completed_at" json:"completedAt" field:""`
	SortOrder   *int32     `bun:"sort_order" json:"sortOrder" field:""`
	CreatedAt   time.Time  `bun:"created_at" json:"createdAt" field:"readonly"`
}

// Milestones is the declaration of milestones.
var Milestones = softdelete.Declare[Milestone](softdelete.Spec{
	Kind: "milestones", Singular: "Milestone", Plural: "Milestones", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})

// Task is a row of tasks.
type Task struct {
	bun.BaseModel `bun:"table:tasks,alias:t"`

	softdelete.Row

	ProjectID   string     `bun:"project_id" json:"projectId" field:"required,max=255,parent=projects,filter"`
	MilestoneID *string    `bun:"milestone_id" json:"milestoneId" field:"max=255,ref=milestones,filter"`
	AssigneeID  *string    `bun:"assignee_id" json:"assigneeId" field:"max=255,user,filter"`
	Name        string     `bun:"name" json:"name" field:"required,max=255,search,list"`
	Description *string    `bun:"description" json:"description" field:"long,personal"`
	Status      string     `bun:"status" json:"status" field:"default,enum=todo|in_progress|review|completed|cancelled,filter,list"`
	Priority    string     `bun:"priority" json:"priority" field:"default,enum=low|medium|high|urgent,filter,list"`
	DueDate     *time.Time `bun:"due_date" json:"dueDate" field:"list"`
	CompletedAt *time.Time `bun:"completed_at" json:"completedAt" field:""`
	SortOrder   *int32     `bun:"sort_order" json:"sortOrder" field:""`
	CreatedAt   time.Time  `bun:"created_at" json:"createdAt" field:"readonly"`
	UpdatedAt   time.Time  `bun:"updated_at" json:"updatedAt" field:"readonly"`
}

// Tasks is the declaration of tasks.
var Tasks = softdelete.Declare[Task](softdelete.Spec{
	Kind: "tasks", Singular: "Task", Plural: "Tasks", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})

// File is a row of file_objects.
type File struct {
	bun.BaseModel `bun:"table:file_objects,alias:t"`

	softdelete.Row

	EngagementID    *string   `bun:"engagement_id" json:"engagementId" field:"max=255,parent=engagements,filter"`
	UploadedByID    string    `bun:"uploaded_by_id" json:"uploadedById" field:"readonly,max=255,user,own,actor,filter"`
	Name            string    `bun:"name" json:"name" field:"required,max=255,search,list,personal"`
	OriginalName    string    `bun:"original_name" json:"originalName" field:"required,max=255,search,personal"`
	MimeType        *string   `bun:"mime_type" json:"mimeType" field:"max=100,list"`
	Size            *int32    `bun:"size" json:"size" field:"list"`
	Path            string    `bun:"path" json:"path" field:"required,personal"`
	Folder          *string   `bun:"folder" json:"folder" field:"max=255,filter"`
	IsClientVisible *bool     `bun:"is_client_visible" json:"isClientVisible" field:"filter"`
	CreatedAt       time.Time `bun:"created_at" json:"createdAt" field:"readonly"`
}

// Files is the declaration of files.
var Files = softdelete.Declare[File](softdelete.Spec{
	Kind: "files", Singular: "File", Plural: "Files", Class: softdelete.ClientRecord,
	Label: []string{"name"},
})
