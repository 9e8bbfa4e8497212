package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// enterQuery asks for the request's person, organization and role, and has the transaction told of them.
const enterQuery = `select status, coalesce(user_id, ''), coalesce(organization_id, ''), coalesce(role::text, ''), choices::text
	from gatehouse.enter($1::text, $2::text, $3::text, $4::text, $5::text)`

// entry is what came of entering.
type entry struct {
	status, user, organization string
	role                       softdelete.Role
	choices                    []Membership
}

func (e *entry) read(row pgx.Row) error {
	var choices *string
	if err := row.Scan(&e.status, &e.user, &e.organization, (*string)(&e.role), &choices); err != nil {
		return fmt.Errorf("enter: %w", err)
	}
	if choices == nil {
		return nil
	}
	if err := json.Unmarshal([]byte(*choices), &e.choices); err != nil {
		return fmt.Errorf("enter: read the choices: %w", err)
	}
	return nil
}

// scope is what the transaction was told, or why it was told nothing.
func (e entry) scope(r Request) (softdelete.Scope, error) {
	closed := e.status == "organization_closed"
	switch {
	case e.status == "ok", closed && e.role == softdelete.Owner:
		return softdelete.Scope{
			Organization: e.organization, Actor: e.user, Role: e.role, RequestID: r.RequestID, Closed: closed,
		}, nil
	case closed:
		return softdelete.Scope{}, ErrClosed
	case e.status == "no_account":
		return softdelete.Scope{}, ErrNoAccount
	case e.status == "ambiguous_account":
		return softdelete.Scope{}, ErrAmbiguousAccount
	case e.status == "no_organization":
		return softdelete.Scope{}, ErrNoOrganization
	case e.status == "choose_organization":
		return softdelete.Scope{}, &ChooseError{Choices: e.choices}
	case e.status == "not_found":
		return softdelete.Scope{}, softdelete.ErrNotFound
	default:
		return softdelete.Scope{}, fmt.Errorf("enter: the database answers %q, which this program does not know", e.status)
	}
}

// Memberships are the person's in live organizations, by name. It returns ErrNoAccount and
// ErrAmbiguousAccount as Do does.
func (s *Store) Memberships(ctx context.Context, p Person) (memberships []Membership, err error) {
	r := Request{Person: p}
	if err := r.possible(); err != nil {
		return nil, err
	}
	err = s.transact(ctx, r, "", func(ctx context.Context, conn bun.Conn, e entry) error {
		memberships = nil // of an attempt that failed
		scope, err := e.scope(r)
		var choose *ChooseError
		switch {
		case errors.As(err, &choose):
			memberships = choose.Choices
		case errors.Is(err, ErrNoOrganization), errors.Is(err, ErrClosed), err == nil && scope.Closed:
		case err != nil:
			return keep{err}
		default: // row-level security shows this one alone
			only := Membership{Role: scope.Role}
			err := conn.NewSelect().Model((*Organization)(nil)).Column("id", "slug", "name").
				Where("id = ?", scope.Organization).Scan(ctx, &only.ID, &only.Slug, &only.Name)
			if err != nil {
				return fmt.Errorf("read the organization: %w", err)
			}
			memberships = []Membership{only}
		}
		return nil
	})
	return memberships, err
}
