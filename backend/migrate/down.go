package migrate

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// baseline is the version that is the app's own schema. Down leads there and no further.
const baseline = 1

// TrashedError says that rows are in the trash, which migrating down would bring back to life.
type TrashedError struct {
	// Rows counts them by table.
	Rows map[string]int64
}

func (e *TrashedError) Error() string {
	var tables []string
	for table, count := range e.Rows {
		tables = append(tables, fmt.Sprintf("%s: %d", table, count))
	}
	slices.Sort(tables)
	return "rows are in the trash, and without their marks they would be alive again; restore them or remove them for good first: " +
		strings.Join(tables, ", ")
}

// TrailError says that the audit trail would be lost.
type TrailError struct{ Events int64 }

func (e *TrailError) Error() string {
	return fmt.Sprintf("the audit trail, of %d events, would be lost; export it, then say --discard-audit", e.Events)
}

// Down gives the app its own schema back. It refuses while a row is in the trash, and while there is an audit trail
// unless that is to be discarded. The groups stay: other databases of the server may use them.
func (m *Migrator) Down(ctx context.Context, discardAudit bool) error {
	return m.alone(ctx, func() error {
		applied, err := m.applied(ctx)
		if err != nil {
			return err
		}
		if unknown := m.unknown(applied); len(unknown) > 0 {
			return fmt.Errorf("the database has migrations that this program does not know (%v): use the program that applied them", unknown)
		}
		if err := m.nothingTrashed(ctx); err != nil {
			return err
		}
		if err := m.trailMayGo(ctx, discardAudit); err != nil {
			return err
		}
		if err := m.settle(ctx, applied, false); err != nil {
			return err
		}
		if there, err := m.hasFunction(ctx, "drop_old_app"); err != nil {
			return err
		} else if there {
			// First, so that the old app deletes for good again and fills no trash meanwhile.
			if err := m.eachTable(ctx, "the old app's view of", "SELECT gatehouse.drop_old_app($1)"); err != nil {
				return err
			}
		}
		for _, s := range slices.Backward(m.steps) {
			if s.version <= baseline || !applied[s.version] {
				continue
			}
			if err := m.apply(ctx, s, false); err != nil {
				return err
			}
		}
		m.printf("the database has the app's own schema")
		return nil
	})
}

// nothingTrashed looks into the tables that have the mark; half-way down some have none any more.
func (m *Migrator) nothingTrashed(ctx context.Context) error {
	tables, err := m.strings(ctx, `SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attname = 'deletion_id' AND NOT a.attisdropped
			AND EXISTS (SELECT FROM pg_attribute d WHERE d.attrelid = c.oid AND d.attname = 'deleted_at' AND NOT d.attisdropped)
		ORDER BY 1`)
	if err != nil {
		return err
	}
	trashed := &TrashedError{Rows: map[string]int64{}}
	for _, table := range tables {
		var count int64
		if err := m.db.QueryRowContext(ctx, "SELECT count(*) FROM public."+quote(table)+" WHERE deleted_at IS NOT NULL").Scan(&count); err != nil {
			return fmt.Errorf("look for rows in the trash: %w", err)
		}
		if count > 0 {
			trashed.Rows[table] = count
		}
	}
	if len(trashed.Rows) > 0 {
		return trashed
	}
	return nil
}

func (m *Migrator) trailMayGo(ctx context.Context, discard bool) error {
	there, err := m.exists(ctx, "audit_events")
	if err != nil || !there || discard {
		return err
	}
	var events int64
	if err := m.db.QueryRowContext(ctx, "SELECT count(*) FROM public.audit_events").Scan(&events); err != nil {
		return fmt.Errorf("count the audit trail: %w", err)
	}
	if events > 0 {
		return &TrailError{Events: events}
	}
	return nil
}
