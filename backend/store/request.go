package store

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// Person is who the edge says is asking.
type Person struct {
	// Issuer and Subject are the identity provider's.
	Issuer, Subject string
	// Email is a verified address; empty when there is none.
	Email string
}

// Request is for whom a transaction is wanted.
type Request struct {
	Person
	// Organization is the id or slug that the request wishes for; empty for the only one.
	Organization string
	RequestID    string
}

// Membership is an organization that a person belongs to.
type Membership struct {
	ID   string          `json:"id"`
	Slug string          `json:"slug"`
	Name string          `json:"name"`
	Role softdelete.Role `json:"role"`
}

// What Do returns when the request does not get as far as f. softdelete.ErrNotFound says that the wish
// is no organization of the person's.
var (
	ErrNoAccount        = errors.New("nobody here has this verified address")
	ErrAmbiguousAccount = errors.New("several people have this address")
	ErrNoOrganization   = errors.New("the person belongs to no organization")
	ErrClosed           = errors.New("the organization is closed")
	// ErrUnavailable says that the database did not answer in time.
	ErrUnavailable = errors.New("the database is unavailable")
)

// ChooseError says that a person belongs to several organizations, and wished for none.
type ChooseError struct{ Choices []Membership }

func (e *ChooseError) Error() string { return "the request must choose an organization" }

// possible refuses what no row can hold, before PostgreSQL does in other words. A person without issuer or
// subject must never get there: all who lack them would be one.
func (r Request) possible() error {
	switch {
	case r.Issuer == "" || r.Subject == "" || !text(r.Issuer) || !text(r.Subject) || !text(r.Email):
		return ErrNoAccount
	case !text(r.Organization) || !text(r.RequestID):
		return softdelete.ErrNotFound
	default:
		return nil
	}
}

// text reports whether PostgreSQL can hold s.
func text(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }
