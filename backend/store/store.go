package store

import (
	"context"
	"errors"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

var errNotBuilt = errors.New("not built yet")

// Options of a Store.
type Options struct {
	// DSN is the URL of the database, with a login of the group gatehouse_app.
	DSN string
	// MaxConns bounds the pool. Default: 10.
	MaxConns int
	// CursorKey signs the cursors of lists, the same on all processes.
	CursorKey []byte
}

// Store is the database as the server uses it.
type Store struct {
	// Resources are the repositories of all entities, by kind.
	Resources map[string]softdelete.Resource
	// Deletions deletes and restores.
	Deletions *softdelete.Deletions
}

// Open connects, and refuses a role that could reach past row-level security, a schema that is not the
// newest, and a table without its policy; every reason at once.
func Open(ctx context.Context, o Options) (*Store, error) { return nil, errNotBuilt }

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

// Membership is an organisation that a person belongs to.
type Membership struct {
	ID   string          `json:"id"`
	Slug string          `json:"slug"`
	Name string          `json:"name"`
	Role softdelete.Role `json:"role"`
}

// What Do returns when the request does not get as far as f. softdelete.ErrNotFound says that the wish
// is no organisation of the person's.
var (
	ErrNoAccount        = errors.New("nobody here has this verified address")
	ErrAmbiguousAccount = errors.New("several people have this address")
	ErrNoOrganization   = errors.New("the person belongs to no organisation")
	ErrClosed           = errors.New("the organisation is closed")
	// ErrUnavailable says that the database did not answer in time.
	ErrUnavailable = errors.New("the database is unavailable")
)

// ChooseError says that a person belongs to several organisations, and wished for none.
type ChooseError struct{ Choices []Membership }

func (e *ChooseError) Error() string { return "the request must choose an organisation" }

// Do runs f in one transaction that sees the organisation of the request alone, and commits when f
// returns nil. The membership is looked up in the same transaction. A deadlock or a serialisation failure
// runs f again, three times in all.
func (s *Store) Do(ctx context.Context, r Request, f func(context.Context, *softdelete.Tx) error) error {
	return errNotBuilt
}

// Read is Do for a transaction that may not write.
func (s *Store) Read(ctx context.Context, r Request, f func(context.Context, *softdelete.Tx) error) error {
	return errNotBuilt
}

// Memberships are the person's in live organisations.
func (s *Store) Memberships(ctx context.Context, p Person) ([]Membership, error) {
	return nil, errNotBuilt
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return errNotBuilt }

// Close closes the pool.
func (s *Store) Close() error { return nil }
