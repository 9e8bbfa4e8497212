package httpapi

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

// known are the errors that are answers, and their codes.
var known = []struct {
	err  error
	code string
}{
	{softdelete.ErrNotFound, "not_found"},
	{softdelete.ErrForbidden, "forbidden"},
	{softdelete.ErrVersion, "version_mismatch"},
	{softdelete.ErrNotDeleted, "not_deleted"},
	{softdelete.ErrTooLarge, "too_large"},
	{softdelete.ErrLastOwner, "last_owner"},
	{softdelete.ErrBeyond, "use_cursor"},
	{store.ErrKeyReused, "idempotency_key_reused"},
	{store.ErrNoAccount, "no_account"},
	{store.ErrAmbiguousAccount, "ambiguous_account"},
	{store.ErrNoOrganization, "no_organization"},
	{store.ErrClosed, "organization_closed"},
	{store.ErrUnavailable, "unavailable"},
	{context.DeadlineExceeded, "unavailable"},
}

// problemOf is the problem that an error stands for; nil for a fault of ours.
func problemOf(err error) *problem {
	var (
		p        *problem
		choose   *store.ChooseError
		fields   *softdelete.FieldError
		conflict *softdelete.ConflictError
		blocked  *softdelete.BlockedError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &choose):
		p = fail("choose_organization")
		p.Choices = choose.Choices
		return p
	case errors.As(err, &fields):
		return fieldProblem(fields)
	case errors.As(err, &blocked) && errors.Is(err, softdelete.ErrForbidden):
		return blockedProblem(blocked)
	case errors.As(err, &conflict):
		return conflictProblem(conflict)
	case errors.Is(err, softdelete.ErrCursor):
		return fail("invalid_parameter", at("query.cursor", "type"))
	}
	for _, k := range known {
		if errors.Is(err, k.err) {
			return fail(k.code)
		}
	}
	return nil
}

// fieldProblem names the members that cannot be. A reference and a key that is taken have codes of their
// own, where nothing else is wrong.
func fieldProblem(e *softdelete.FieldError) *problem {
	parts := make([]problemPart, len(e.Fields))
	code := ""
	for i, f := range e.Fields {
		parts[i] = at("body."+f.Name, f.Code)
		if f.Code == "unknown" { // its name is the client's word
			parts[i].Location = "body"
		}
		if i > 0 && code != f.Code {
			code = ""
		} else {
			code = f.Code
		}
	}
	switch code {
	case "reference_not_found", "duplicate":
		return failAt(code, parts)
	default:
		return failAt("invalid_body", parts)
	}
}

// parameterProblem is fieldProblem for what the layers below refuse of a query.
func parameterProblem(e *softdelete.FieldError) *problem {
	parts := make([]problemPart, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = at("query."+f.Name, f.Code)
		if f.Code == "unknown" {
			parts[i].Location = "query"
		}
	}
	return failAt("invalid_parameter", parts)
}

// blockedProblem says what of a deletion is more than the role allows.
func blockedProblem(e *softdelete.BlockedError) *problem {
	var parts []problemPart
	for _, b := range e.Blocked {
		parts = append(parts, problemPart{Code: b.Code, Kind: b.Kind, Count: b.Count})
	}
	return fail("forbidden", parts...)
}

func conflictProblem(e *softdelete.ConflictError) *problem {
	parts := make([]problemPart, len(e.Conflicts))
	for i, c := range e.Conflicts {
		parts[i] = problemPart{Code: c.Code, Kind: c.Kind, ID: c.ID, Label: c.Label, Key: c.Key, Twin: c.Twin, Parent: c.Parent}
		if c.DeletionID != uuid.Nil {
			parts[i].DeletionID = &c.DeletionID
		}
	}
	return fail("restore_conflict", parts...)
}
