package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// Stray is a row that refers to a row of another organization.
type Stray struct {
	Table, Column, ID, Organization      string
	Target, TargetID, TargetOrganization string
}

// reference is a foreign key between two tables of an organization's.
type reference struct{ child, column, parent string }

// CheckReferences calls found with each row that refers into another organization, whatever of our
// migrations the database has. It reads as the owner of the tables, whom row-level security does not
// bind, and at one moment.
func CheckReferences(ctx context.Context, dsn string, found func(Stray) error) error {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return errNoURL
	}
	config.RuntimeParams["application_name"] = "gatehouse check"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("connect to the database of DATABASE_ADMIN_URL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what it was opened for has been done
	tx, err := conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	references, organization, err := readReferences(ctx, tx)
	if err != nil {
		return fmt.Errorf("read the foreign keys: %w", err)
	}
	for _, r := range references {
		query := fmt.Sprintf(`select c.id, %s, p.id, %s from public.%s c join public.%s p on p.id = c.%s where %[1]s <> %[2]s order by c.id`,
			organization(r.child, "c"), organization(r.parent, "p"), quote(r.child), quote(r.parent), quote(r.column))
		s := Stray{Table: r.child, Column: r.column, Target: r.parent}
		rows, err := tx.Query(ctx, query)
		if err == nil {
			_, err = pgx.ForEachRow(rows, []any{&s.ID, &s.Organization, &s.TargetID, &s.TargetOrganization}, func() error { return found(s) })
		}
		if err != nil {
			return fmt.Errorf("check %s.%s: %w", r.child, r.column, err)
		}
	}
	return nil
}

// readReferences returns the foreign keys, and how SQL finds the organization of a row: by its own column,
// or its only parent's where the old schema has none.
func readReferences(ctx context.Context, tx pgx.Tx) ([]reference, func(table, alias string) string, error) {
	tables := make([]string, len(Entities))
	for i, e := range Entities {
		tables[i] = e.Table
	}
	var scoped []string
	err := tx.QueryRow(ctx, `
		select coalesce(array_agg(c.relname::text), '{}') from pg_class c join pg_attribute a on a.attrelid = c.oid
		where c.relnamespace = 'public'::regnamespace and a.attname = 'organization_id' and not a.attisdropped and c.relkind = 'r'`).Scan(&scoped)
	if err != nil {
		return nil, nil, err
	}
	rows, err := tx.Query(ctx, `
		select c.relname::text, a.attname::text, p.relname::text
		from pg_constraint k
		join pg_class c on c.oid = k.conrelid join pg_class p on p.oid = k.confrelid
		join pg_attribute a on a.attrelid = c.oid and a.attnum = k.conkey[1]
		where k.contype = 'f' and cardinality(k.conkey) = 1 and c.relname = any ($1) and p.relname = any ($1) and p.relname <> 'organizations'
			and c.relnamespace = 'public'::regnamespace and p.relnamespace = 'public'::regnamespace
		order by 1, 2`, tables)
	if err != nil {
		return nil, nil, err
	}
	references, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r reference, err error) {
		return r, row.Scan(&r.child, &r.column, &r.parent)
	})
	if err != nil {
		return nil, nil, err
	}
	organization := func(table, alias string) string {
		if slices.Contains(scoped, table) {
			return alias + ".organization_id"
		}
		for _, r := range references {
			if r.child == table {
				return fmt.Sprintf("(select o.organization_id from public.%s o where o.id = %s.%s)", quote(r.parent), alias, quote(r.column))
			}
		}
		return "null"
	}
	return references, organization, nil
}
