package softdelete

import (
	"errors"
	"fmt"
)

// What callers branch on. A row of another organization is not found, like one that never was.
var (
	// ErrNotFound says that no live row has the id, in this organization.
	ErrNotFound = errors.New("no such row")
	// ErrForbidden says that the actor's role does not allow it.
	ErrForbidden = errors.New("the role does not allow it")
	// ErrVersion says that the row is not of the version that the caller has seen.
	ErrVersion = errors.New("the row has changed")
	// ErrNotDeleted says that what is to be restored is live already.
	ErrNotDeleted = errors.New("not deleted")
	// ErrTooLarge says that a deletion would take along more than [MaxDeletion] rows.
	ErrTooLarge = errors.New("too many rows for one deletion")
	// ErrLastOwner says that an organization would be left without an owner.
	ErrLastOwner = errors.New("the last owner cannot go")
	// ErrCursor says that a cursor was not made here, or for another list.
	ErrCursor = errors.New("not a cursor of this list")
	// ErrBeyond says that a page begins past the rows that pages reach; a cursor goes on.
	ErrBeyond = errors.New("beyond the pages: use a cursor")
)

// FieldError says which fields of a request cannot be, and why. Codes: "required", "type", "too_long",
// "enum", "null", "unknown", "read_only", "reference_not_found", "duplicate", "out_of_range".
type FieldError struct {
	Fields []FieldProblem
}

// FieldProblem is one of a [FieldError]. It never holds the value.
type FieldProblem struct {
	Name string // the field's JSON name
	Code string
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("%d fields cannot be written, %q first: %s", len(e.Fields), e.Fields[0].Name, e.Fields[0].Code)
}

// ConflictError says why nothing was restored, every reason at once.
type ConflictError struct {
	Conflicts []Conflict
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%d conflicts, the first: %s of %s", len(e.Conflicts), e.Conflicts[0].Code, e.Conflicts[0].Kind)
}
