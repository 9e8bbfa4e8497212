package softdelete

import (
	"time"

	"github.com/google/uuid"
)

// MaxDeletion is how many rows one deletion may take along within a request.
const MaxDeletion = 20_000

// State is what has become of a deletion.
type State string

// The states. A deletion is partial until nothing of it is trashed.
const (
	Trashed  State = "trashed"
	Partial  State = "partial"
	Restored State = "restored"
	Purged   State = "purged"
)

// Counts are numbers of rows by kind.
type Counts map[string]int

// Total is the sum.
func (c Counts) Total() (n int) {
	for _, of := range c {
		n += of
	}
	return n
}

// Ref names a row to people and to programs. The label is empty when the caller may not see it.
type Ref struct {
	Kind  string `json:"kind"`
	ID    string `json:"id"`
	Label string `json:"label,omitempty"`
}

// Person is a user as others of the organization see them.
type Person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Deletion is one unit of rows that were deleted together.
type Deletion struct {
	ID        uuid.UUID
	State     State
	Root      Ref
	DeletedAt time.Time
	DeletedBy Person
	Reason    string
	// Counts are the rows that it took along, the root among them; they never change.
	Counts Counts
	// Remaining are still trashed, Restored are live again, Purged are gone.
	Remaining, Restored, Purged Counts
	// PurgeFirst and PurgeLast are when retention ends for the first and for the last of its rows; zero
	// when an operator alone purges it.
	PurgeFirst, PurgeLast time.Time
}

// Preview is what a deletion would do now.
type Preview struct {
	Root   Ref
	Counts Counts
	// References are live rows that point to what would go, and would show no target.
	References Counts
	// Blocked says why it would be refused; empty when it would not.
	Blocked []Blocked
}

// Blocked is one reason. Codes: "cascade_not_own", "too_large", "last_owner".
type Blocked struct {
	Code  string `json:"code"`
	Kind  string `json:"kind,omitempty"`
	Count int    `json:"count,omitempty"`
}

// Outcome is what a restore has done.
type Outcome struct {
	Deletion Deletion
	Restored Counts
	// NotRearmed counts rows that came back without what a deletion destroys: tokens, pending
	// invitations.
	NotRearmed Counts
}

// Conflict is one reason why a restore is refused.
type Conflict struct {
	// Code is "live_twin", "parent_deleted" or "purged".
	Code string
	Kind string
	// ID is the row's; empty for purged ones, of which there is one conflict a kind: nothing knows any more
	// which they were.
	ID string
	// Label is the trashed row's.
	Label string
	// Key are the JSON names of the unique key, Twin the live row that has it; nil when the caller may
	// not see it.
	Key  []string
	Twin *Ref
	// Parent is the trashed parent, DeletionID the deletion that has it. The parent has no label, and the
	// deletion is uuid.Nil, when the caller may not see that deletion.
	Parent     *Ref
	DeletionID uuid.UUID
}

// TrashQuery asks for deletions, the newest first.
type TrashQuery struct {
	Kind, DeletedBy string
	// Search is looked for in the label of the root.
	Search string
	Limit  int
	Cursor string
}

// Query asks a list for live rows.
type Query struct {
	// Search is looked for in the entity's searched fields.
	Search string
	// Filter holds values by JSON name.
	Filter map[string]string
	Limit  int
	// Cursor goes on after a page; Page counts from 1. At most one of them is set.
	Cursor string
	Page   int
}

// Page is a part of a list.
type Page[T any] struct {
	Rows []T
	// Next is the cursor of the page after this one; empty on the last.
	Next string
	// Total counts all rows, up to [MaxTotal]; it is set when the query had no cursor.
	Total int
	// Capped says that there are more than [MaxTotal].
	Capped bool
}

// MaxTotal is how far lists count, and pages reach.
const MaxTotal = 10_000
