package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

func TestDo_entersTheOrganizationThatIsWishedFor(t *testing.T) {
	s := open(t, database(t), store.Options{})
	for _, tc := range []struct {
		name, wish string
		want       softdelete.Scope
		err        error
	}{
		{"ann", "", softdelete.Scope{Organization: "o1", Actor: "ann", Role: softdelete.Owner}, nil},
		{"ann", "o1", softdelete.Scope{Organization: "o1", Actor: "ann", Role: softdelete.Owner}, nil},
		{"ann", "first", softdelete.Scope{Organization: "o1", Actor: "ann", Role: softdelete.Owner}, nil},
		{"ann", "o3", softdelete.Scope{Organization: "o3", Actor: "ann", Role: softdelete.Owner, Closed: true}, nil},
		{"ann", "o2", softdelete.Scope{}, softdelete.ErrNotFound},
		{"ann", "nowhere", softdelete.Scope{}, softdelete.ErrNotFound},
		{"ann", "o1' or '1'='1", softdelete.Scope{}, softdelete.ErrNotFound},
		{"ann", "o1\x00", softdelete.Scope{}, softdelete.ErrNotFound},
		{"ann", "\xff", softdelete.Scope{}, softdelete.ErrNotFound},
		{"bob", "second", softdelete.Scope{Organization: "o2", Actor: "bob", Role: softdelete.Admin}, nil},
		{"bob", "o1", softdelete.Scope{Organization: "o1", Actor: "bob", Role: softdelete.Viewer}, nil},
		{"cy", "", softdelete.Scope{}, store.ErrNoOrganization},
		{"cy", "o1", softdelete.Scope{}, softdelete.ErrNotFound},
		{"dee", "", softdelete.Scope{}, store.ErrAmbiguousAccount},
		{"eve", "", softdelete.Scope{}, store.ErrClosed},
		{"eve", "o3", softdelete.Scope{}, store.ErrClosed},
		{"nobody", "o1", softdelete.Scope{}, store.ErrNoAccount},
	} {
		t.Run(fmt.Sprintf("%s to %q", tc.name, tc.wish), func(t *testing.T) {
			for _, do := range []func(context.Context, store.Request, func(context.Context, *softdelete.Tx) error) error{s.Read, s.Do} {
				var got softdelete.Scope
				err := do(t.Context(), from(tc.name, tc.wish), func(_ context.Context, tx *softdelete.Tx) error {
					got = tx.Scope
					return nil
				})
				require.ErrorIs(t, err, tc.err)
				if tc.err == nil {
					tc.want.RequestID = "request-of-" + tc.name
				}
				require.Equal(t, tc.want, got)
			}
		})
	}
}

func TestDo_letsThePersonChoose(t *testing.T) {
	s := open(t, database(t), store.Options{})
	err := s.Do(t.Context(), from("bob", ""), never(t))
	var choose *store.ChooseError
	require.ErrorAs(t, err, &choose)
	want := []store.Membership{{ID: "o1", Slug: "first", Name: "First", Role: "viewer"}, {ID: "o2", Slug: "second", Name: "Second", Role: "admin"}}
	require.Equal(t, want, choose.Choices)
}

func TestMemberships(t *testing.T) {
	s := open(t, database(t), store.Options{})
	for name, want := range map[string][]store.Membership{
		"ann": {{ID: "o1", Slug: "first", Name: "First", Role: "owner"}},
		"bob": {{ID: "o1", Slug: "first", Name: "First", Role: "viewer"}, {ID: "o2", Slug: "second", Name: "Second", Role: "admin"}},
		"cy":  nil, "eve": nil,
	} {
		got, err := s.Memberships(t.Context(), from(name, "").Person)
		require.NoError(t, err)
		require.Equal(t, want, got, name)
	}
	_, err := s.Memberships(t.Context(), from("nobody", "").Person)
	require.ErrorIs(t, err, store.ErrNoAccount)
	_, err = s.Memberships(t.Context(), from("dee", "").Person)
	require.ErrorIs(t, err, store.ErrAmbiguousAccount)
}

// A person without the provider's pair would share one account with all others like it.
func TestDo_refusesAPersonWhomNoProviderNames(t *testing.T) {
	s := open(t, database(t), store.Options{})
	for _, p := range []store.Person{
		{}, {Email: "ann@example.com"}, {Issuer: "https://idp.example.com", Email: "ann@example.com"}, {Subject: "ann", Email: "ann@example.com"},
		{Issuer: "https://idp.example.com", Subject: "ann\x00", Email: "ann@example.com"},
	} {
		require.ErrorIs(t, s.Do(t.Context(), store.Request{Person: p}, never(t)), store.ErrNoAccount)
		_, err := s.Memberships(t.Context(), p)
		require.ErrorIs(t, err, store.ErrNoAccount)
	}
}

// An identity is linked by its first request, also when that gets no further, and holds when the address has changed
// hands since.
func TestDo_linksAnIdentityOnce(t *testing.T) {
	d := database(t)
	s := open(t, d, store.Options{})
	require.ErrorIs(t, s.Read(t.Context(), from("cy", ""), never(t)), store.ErrNoOrganization)
	require.NoError(t, d.Exec(t.Context(), `insert into organization_members (organization_id, user_id, role) values ('o2', 'cy', 'member')`))
	later := from("cy", "")
	later.Email = ""
	require.NoError(t, s.Do(t.Context(), later, func(_ context.Context, tx *softdelete.Tx) error {
		require.Equal(t, "cy", tx.Actor)
		return nil
	}))
	other := from("cy", "")
	other.Subject, other.Email = "another", ""
	require.ErrorIs(t, s.Do(t.Context(), other, never(t)), store.ErrNoAccount, "an address that nobody has verified links nothing")
}

func TestDo_seesOneOrganization(t *testing.T) {
	s := open(t, database(t), store.Options{})
	require.NoError(t, s.Do(t.Context(), from("bob", "o2"), func(ctx context.Context, tx *softdelete.Tx) error {
		require.Equal(t, []string{"c2"}, clients(ctx, t, tx))
		return nil
	}))
}

func TestDo_writesWhatFWroteOrNothing(t *testing.T) {
	s := open(t, database(t), store.Options{MaxConns: 1})
	broken := errors.New("broken")
	rename := func(name string, result error) func(context.Context, *softdelete.Tx) error {
		return func(ctx context.Context, tx *softdelete.Tx) error {
			_, err := tx.Conn().NewUpdate().Model((*store.Client)(nil)).Set("name = ?", name).Where("id = 'c1'").Exec(ctx)
			require.NoError(t, err)
			return result
		}
	}
	require.NoError(t, s.Do(t.Context(), from("ann", ""), rename("Committed", nil)))
	require.ErrorIs(t, s.Do(t.Context(), from("ann", ""), rename("Rolled back", broken)), broken)
	require.PanicsWithValue(t, "oh", func() {
		_ = s.Do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
			require.NoError(t, rename("Panicked", nil)(ctx, tx))
			panic("oh")
		})
	})
	err := s.Do(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
		require.NoError(t, rename("Swallowed", nil)(ctx, tx))
		_, err := tx.Conn().ExecContext(ctx, "select 1/0")
		require.Error(t, err)
		return nil
	})
	require.ErrorContains(t, err, "a statement had failed, and nothing was written")
	err = s.Read(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
		_, err := tx.Conn().NewUpdate().Model((*store.Client)(nil)).Set("name = 'Read'").Where("id = 'c1'").Exec(ctx)
		return err
	})
	require.ErrorContains(t, err, "read-only transaction")
	require.NotErrorIs(t, err, store.ErrUnavailable)

	require.NoError(t, s.Read(t.Context(), from("ann", ""), func(ctx context.Context, tx *softdelete.Tx) error {
		var name string
		require.NoError(t, tx.Conn().NewSelect().Model((*store.Client)(nil)).Column("name").Where("id = 'c1'").Scan(ctx, &name))
		require.Equal(t, "Committed", name)
		return nil
	}))
}

// never is what must not be reached.
func never(t *testing.T) func(context.Context, *softdelete.Tx) error {
	return func(context.Context, *softdelete.Tx) error {
		t.Error("the request got through")
		return nil
	}
}

// clients are the ids of the clients that the transaction sees.
func clients(ctx context.Context, t testing.TB, tx *softdelete.Tx) (ids []string) {
	t.Helper()
	require.NoError(t, tx.Conn().NewSelect().Model((*store.Client)(nil)).Column("id").Order("id").Scan(ctx, &ids))
	return ids
}
