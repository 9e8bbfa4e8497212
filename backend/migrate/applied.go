package migrate

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// applied are the versions that the database has. Nothing is created to find out.
func (m *Migrator) applied(ctx context.Context) (map[int64]bool, error) {
	there, err := m.exists(ctx, versionTable)
	if err != nil || !there {
		return map[int64]bool{}, err
	}
	rows, err := m.db.QueryContext(ctx, "SELECT version_id FROM public."+versionTable+" WHERE is_applied AND version_id > 0")
	if err != nil {
		return nil, fmt.Errorf("read which migrations have been applied: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err has told.
	versions := map[int64]bool{}
	for rows.Next() {
		var version int64
		if err := rows.Scan(&version); err != nil {
			return nil, err
		}
		versions[version] = true
	}
	return versions, rows.Err()
}

// unknown are the applied versions that no file here has: a newer program's.
func (m *Migrator) unknown(applied map[int64]bool) []int64 {
	known := map[int64]bool{}
	for _, s := range m.steps {
		known[s.version] = true
	}
	var unknown []int64
	for version := range applied {
		if !known[version] {
			unknown = append(unknown, version)
		}
	}
	return unknown
}

// latest is the version that Up leads to.
func (m *Migrator) latest() int64 { return m.steps[len(m.steps)-1].version }

// exists tells whether the table of that name is in the app's schema.
func (m *Migrator) exists(ctx context.Context, table string) (there bool, err error) {
	err = m.db.QueryRowContext(ctx, "SELECT to_regclass('public.' || quote_ident($1)) IS NOT NULL", table).Scan(&there)
	if err != nil {
		return false, fmt.Errorf("look for the table %s: %w", table, err)
	}
	return there, nil
}

// strings reads a query's only column.
func (m *Migrator) strings(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := m.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("read the catalogue: %w", err)
	}
	defer rows.Close() //nolint:errcheck // Err has told.
	var values []string
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, err
		}
		values = append(values, value)
	}
	return values, rows.Err()
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }
