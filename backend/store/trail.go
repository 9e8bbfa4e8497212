package store

import (
	"context"
	"fmt"
	"time"
)

// TrailPrepared returns the end of the months, after this one, for which the audit trail has its partitions. What
// is written later is kept as well, among the rows that have no month: `backend migrate up` makes the months that
// are missing.
func (s *Store) TrailPrepared(ctx context.Context) (until time.Time, err error) {
	// Twenty years: far more than anybody prepares.
	err = s.db.DB.QueryRowContext(ctx, `
		select min(month) from generate_series(date_trunc('month', now()) + interval '1 month', now() + interval '20 years', interval '1 month') month
		where not exists (select from pg_catalog.pg_inherits i join pg_catalog.pg_class c on c.oid = i.inhrelid
			where i.inhparent = 'public.audit_events'::regclass and c.relname = 'audit_events_' || to_char(month, 'YYYY_MM'))`).Scan(&until)
	if err != nil {
		return time.Time{}, unavailable(ctx, fmt.Errorf("look at the months of the audit trail: %w", err))
	}
	return until.UTC(), nil
}
