package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/backend/store"
)

func TestTrailPrepared(t *testing.T) {
	d := database(t)
	s := open(t, d, store.Options{})
	month := func(ahead int) time.Time {
		now := time.Now().UTC()
		return time.Date(now.Year(), now.Month()+time.Month(ahead), 1, 0, 0, 0, 0, time.UTC)
	}
	until := func() time.Time {
		got, err := s.TrailPrepared(t.Context())
		require.NoError(t, err)
		return got
	}
	require.Equal(t, month(4), until(), "three months ahead, as migrations leave them")

	require.NoError(t, d.Exec(t.Context(), `select gatehouse.prepare_audit_partitions(7)`))
	require.Equal(t, month(8), until())

	gap := month(2)
	require.NoError(t, d.Exec(t.Context(), `alter table audit_events detach partition audit_events_`+gap.Format("2006_01")))
	require.Equal(t, gap, until(), "a gap counts, whatever comes after it, and a table that is no partition is none")
}
