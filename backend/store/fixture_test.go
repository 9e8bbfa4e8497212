package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
	"github.com/gatehouse-proxy/gatehouse/backend/store"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// people are two organizations: ann owns the first, bob is a member of both, cy of none; two have one address.
const people = `
insert into users (id, email, password_hash) values ('ann', 'Ann@example.com', 'canary-password'), ('bob', 'bob@example.com', null),
	('cy', 'cy@example.com', null), ('dee', 'dee@example.com', null), ('dee2', 'DEE@example.com', null), ('eve', 'eve@example.com', null);
insert into organizations (id, name, slug) values ('o1', 'First', 'first'), ('o2', 'Second', 'second'), ('o3', 'Closed', 'closed');
insert into organization_members (id, organization_id, user_id, role) values ('m1', 'o1', 'ann', 'owner'), ('m2', 'o1', 'bob', 'viewer'),
	('m3', 'o2', 'bob', 'admin'), ('m4', 'o3', 'ann', 'owner'), ('m5', 'o3', 'eve', 'admin');
update organizations set deleted_at = now(), deletion_id = gen_random_uuid() where id = 'o3';
insert into client_companies (id, organization_id, name) values ('c1', 'o1', 'Acme'), ('c2', 'o2', 'Other');
`

// key signs cursors.
var key = []byte("0123456789abcdef0123456789abcdef")

// database is a migrated one with people in it.
func database(t testing.TB) stack.Database {
	t.Helper()
	d := migratetest.New(t)
	require.NoError(t, d.Exec(t.Context(), people))
	return d
}

func open(t testing.TB, d stack.Database, options store.Options) *store.Store {
	t.Helper()
	options.DSN, options.CursorKey = d.DSN(stack.AppLogin), key
	s, err := store.Open(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// from is a request of a person whose provider vouches for the address.
func from(name, organization string) store.Request {
	return store.Request{
		Person:       store.Person{Issuer: "https://idp.example.com", Subject: name, Email: name + "@example.com"},
		Organization: organization, RequestID: "request-of-" + name,
	}
}
