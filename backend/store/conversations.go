package store

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// This file declares what is said about the work.

// Thread is a row of threads.
type Thread struct {
	bun.BaseModel `bun:"table:threads,alias:t"`

	softdelete.Row

	EngagementID  string     `bun:"engagement_id" json:"engagementId" field:"required,max=255,parent=engagements,filter"`
	Type          string     `bun:"type" json:"type" field:"default,enum=internal|client,filter,list"`
	Subject       string     `bun:"subject" json:"subject" field:"required,max=255,search,list,personal"`
	CreatedByID   string     `bun:"created_by_id" json:"createdById" field:"readonly,max=255,user,own,actor,filter"`
	LastMessageAt *time.Time `bun:"last_message_at" json:"lastMessageAt" field:"list"`
	CreatedAt     time.Time  `bun:"created_at" json:"createdAt" field:"readonly"`
}

// Threads is the declaration of threads.
var Threads = softdelete.Declare[Thread](softdelete.Spec{
	Kind: "threads", Singular: "Thread", Plural: "Threads", Class: softdelete.ClientRecord,
	Label: []string{"subject"},
})

// Message is a row of messages.
type Message struct {
	bun.BaseModel `bun:"table:messages,alias:t"`

	softdelete.Row

	ThreadID    string          `bun:"thread_id" json:"threadId" field:"required,max=255,parent=threads,filter"`
	SenderID    string          `bun:"sender_id" json:"senderId" field:"readonly,max=255,user,own,actor,filter"`
	SenderName  *string         `bun:"sender_name" json:"senderName" field:"max=255,list,personal"`
	Content     string          `bun:"content" json:"content" field:"required,long,personal"`
	Attachments json.RawMessage `bun:"attachments,type:jsonb" json:"attachments" field:"personal"`
	CreatedAt   time.Time       `bun:"created_at" json:"createdAt" field:"readonly,list"`
}

// Messages is the declaration of messages.
var Messages = softdelete.Declare[Message](softdelete.Spec{
	Kind: "messages", Singular: "Message", Plural: "Messages", Class: softdelete.ClientRecord,
})
