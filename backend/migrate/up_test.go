package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate"
	"github.com/gatehouse-proxy/gatehouse/tests/devstack"
)

// open connects to the database as its owner; the migrator is closed with the test.
func open(t *testing.T, d devstack.Database, opts migrate.Options) *migrate.Migrator {
	t.Helper()
	opts.Output = t.Output()
	m, err := migrate.Open(t.Context(), d.DSN(devstack.OwnerLogin), opts)
	require.NoError(t, err)
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestUp_fromNothingAndAgain(t *testing.T) {
	d := devstack.DatabaseForTest(t, "")
	m := open(t, d, migrate.Options{})
	require.NoError(t, m.Up(t.Context()))
	require.NoError(t, m.Up(t.Context()))
}
