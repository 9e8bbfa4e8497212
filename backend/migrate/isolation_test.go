package migrate_test

import (
	"database/sql"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/migrate/migratetest"
)

// begin starts a transaction of the app's that has entered an organisation; an empty one enters none.
func begin(t *testing.T, db *sql.DB, organization, actor string) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = tx.Rollback() })
	exec(t, tx, "select set_config('app.organization_id', $1, true), set_config('app.actor_id', $2, true), set_config('app.request_id', 'r-1', true)", organization, actor)
	return tx
}

func TestIsolation_rowsOfOthersAreNotThere(t *testing.T) {
	app, admin := migratetest.Database(t)
	owner, db := connect(t, admin), connect(t, app)
	plant(t, owner, "a")
	plant(t, owner, "b")

	tx := begin(t, db, "aorg", "auser")
	assert.Equal(t, int64(1), one[int64](t, tx, "select count(*) from deals"))
	assert.Equal(t, "adeal", one[string](t, tx, "select id from deals"))
	none := begin(t, db, "", "")
	assert.Zero(t, one[int64](t, none, "select count(*) from deals"))
	assert.Zero(t, one[int64](t, none, "select count(*) from users"))
}
