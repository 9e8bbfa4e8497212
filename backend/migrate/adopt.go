package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/pressly/goose/v3/database"
)

// DifferentError lists all that keeps a database from being adopted.
type DifferentError struct{ Differences []string }

func (e *DifferentError) Error() string {
	return "the database is not the one that the migrations begin with; nothing was changed:\n  " + strings.Join(e.Differences, "\n  ")
}

// sample is the schema that the baseline is built in to be compared, in a transaction that is rolled back.
const sample = "gatehouse_baseline"

// Adopt takes over a database that the app has made: it compares the tables, columns, types and keys with the
// baseline's and records that as applied. Names of keys and indexes and tables of others do not matter; further
// columns, other defaults and missing indexes are told. Otherwise nothing is changed: it is a *DifferentError with
// all differences.
func (m *Migrator) Adopt(ctx context.Context) error {
	return m.alone(ctx, func() error {
		applied, err := m.applied(ctx)
		if err != nil {
			return err
		}
		if applied[baseline] {
			m.printf("nothing to do: the database has been adopted, or made by these migrations")
			return nil
		}
		if err := m.rights(ctx); err != nil {
			return err
		}
		if tables, err := m.appTables(ctx); err != nil || len(tables) == 0 {
			return errors.Join(err, errors.New("the database has none of the app's tables: there is nothing to adopt, `backend migrate up` makes them"))
		}
		differences, warnings, err := m.compare(ctx)
		if err != nil {
			return err
		}
		for _, warning := range warnings {
			m.printf("warning: %s", warning)
		}
		if len(differences) > 0 {
			return &DifferentError{Differences: differences}
		}
		if err := m.record(ctx); err != nil {
			return err
		}
		m.printf("adopted: %s is recorded as applied", m.steps[0].file)
		return nil
	})
}

// compare builds the baseline beside the app's tables, reads both by the same queries and leaves nothing behind.
func (m *Migrator) compare(ctx context.Context) (differences, warnings []string, err error) {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("compare with the baseline: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // It only took back what was there to be compared.
	statements, err := m.baselineSQL()
	if err != nil {
		return nil, nil, err
	}
	for _, statement := range []string{"CREATE SCHEMA " + sample, "SET LOCAL search_path = " + sample, statements, "SET LOCAL search_path = pg_catalog"} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return nil, nil, fmt.Errorf("build the baseline to compare with: %w", err)
		}
	}
	missing := map[string]bool{}
	for n, a := range aspects {
		tables := slices.DeleteFunc(m.baselineTables(), func(table string) bool { return missing[table] })
		want, err := a.read(ctx, tx, sample, tables)
		if err != nil {
			return nil, nil, err
		}
		got, err := a.read(ctx, tx, "public", tables)
		if err != nil {
			return nil, nil, err
		}
		d, w := a.compare(want, got)
		if n == 0 {
			// Nothing more is said of a table that is not there.
			for table := range want {
				_, there := got[table]
				missing[table] = !there
			}
		}
		differences, warnings = append(differences, d...), append(warnings, w...)
	}
	return differences, warnings, nil
}

// record notes the baseline as applied, all at once.
func (m *Migrator) record(ctx context.Context) (err error) {
	store, err := database.NewStore(database.DialectPostgres, versionTable)
	if err != nil {
		return err
	}
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("record the baseline: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("record the baseline: %w", errors.Join(err, tx.Rollback()))
		}
	}()
	there, err := m.exists(ctx, versionTable)
	if err != nil {
		return err
	}
	if !there {
		if err := store.CreateVersionTable(ctx, tx); err != nil {
			return err
		}
		if err := store.Insert(ctx, tx, database.InsertRequest{Version: 0}); err != nil {
			return err
		}
	}
	if err := store.Insert(ctx, tx, database.InsertRequest{Version: baseline}); err != nil {
		return err
	}
	return tx.Commit()
}

// baselineSQL is what the first migration does.
func (m *Migrator) baselineSQL() (string, error) {
	text, err := fs.ReadFile(m.opts.Files, m.steps[0].file)
	if err != nil {
		return "", err
	}
	_, up, _ := strings.Cut(string(text), "-- +goose Up")
	up, _, _ = strings.Cut(up, "-- +goose Down")
	return up, nil
}

var createTable = regexp.MustCompile(`(?m)^create table (\w+) \($`)

// baselineTables are the app's tables.
func (m *Migrator) baselineTables() []string {
	text, err := m.baselineSQL()
	if err != nil {
		return nil // the steps have been read from the same files
	}
	var tables []string
	for _, found := range createTable.FindAllStringSubmatch(text, -1) {
		tables = append(tables, found[1])
	}
	return tables
}

// aspect is one thing that two schemas have in common or not: a query that gives a subject and what holds for it.
type aspect struct {
	// query has the schema as $1 and the tables, with commas, as $2.
	query string
	// absent and differs say what is wrong with a subject of the baseline's; further, what is with one that it has not.
	absent, differs, further string
	// mild differences are told and do not matter.
	mild, furtherMild bool
}

// The first aspect is which tables there are.
var aspects = []aspect{
	{
		query:  `SELECT relname, '' FROM pg_class WHERE relnamespace = $1::regnamespace AND relkind = 'r' AND relname = ANY (string_to_array($2, ','))`,
		absent: "the table %s is missing",
	}, {
		query: `SELECT c.relname || '.' || a.attname,
				regexp_replace(format_type(a.atttypid, a.atttypmod), '^(public|` + sample + `)\.', '') || CASE WHEN a.attnotnull THEN ' not null' ELSE ' null' END
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
			WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND c.relname = ANY (string_to_array($2, ',')) AND a.attnum > 0 AND NOT a.attisdropped`,
		absent: "the column %s is missing", differs: "the column %s is %s instead of %s", further: "the column %s is not the baseline's, and nothing looks after it", furtherMild: true,
	}, {
		query: `SELECT c.relname || '.' || a.attname, regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::(public\.|` + sample + `\.)?\w+( \w+)*$', '')
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
			WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND c.relname = ANY (string_to_array($2, ','))`,
		absent: "the column %s has no default", differs: "the default of %s is %s instead of %s", mild: true,
	}, {
		query: `SELECT t.typname, string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder) FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid
			WHERE t.typnamespace = $1::regnamespace AND $2 <> '' GROUP BY 1`,
		absent: "the type %s is missing", differs: "the type %s is (%s) instead of (%s)",
	}, {
		query: keys("p"), absent: "%s is not the primary key",
	}, {
		// A unique index does what a constraint does.
		query: `SELECT DISTINCT c.relname || ' (' || (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(i.indkey::int[]) WITH ORDINALITY k (num, n)
					JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num) || ')', ''
			FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
			WHERE c.relnamespace = $1::regnamespace AND c.relname = ANY (string_to_array($2, ','))
				AND i.indisunique AND i.indisvalid AND NOT i.indisprimary AND i.indpred IS NULL AND i.indexprs IS NULL`,
		absent: "%s is not unique", further: "%s is unique, which the baseline does not ask for: trashed rows will keep their values from new ones", furtherMild: true,
	}, {
		query: `SELECT c.relname || '.' || a.attname || ' → ' || p.relname,
				CASE f.confdeltype WHEN 'a' THEN 'no action' WHEN 'r' THEN 'restrict' WHEN 'c' THEN 'cascade' WHEN 'n' THEN 'set null' WHEN 'd' THEN 'set default' END
				|| CASE WHEN f.confupdtype = 'a' THEN '' ELSE ', on update ' || f.confupdtype::text END || CASE WHEN f.convalidated THEN '' ELSE ', not validated' END
			FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_class p ON p.oid = f.confrelid
				JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (f.conkey)
			WHERE f.contype = 'f' AND c.relnamespace = $1::regnamespace AND c.relname = ANY (string_to_array($2, ','))
				AND p.relnamespace = $1::regnamespace AND p.relname = ANY (string_to_array($2, ','))`,
		absent: "the foreign key %s is missing", differs: "the foreign key %s is on delete %s instead of %s", further: "the foreign key %s is not the baseline's, so no deletion knows it",
	}, {
		query: `SELECT DISTINCT c.relname || ' (' || (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(i.indkey::int[]) WITH ORDINALITY k (num, n)
					JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num) || ')', ''
			FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid
			WHERE c.relnamespace = $1::regnamespace AND c.relname = ANY (string_to_array($2, ',')) AND i.indpred IS NULL AND i.indexprs IS NULL`,
		absent: "no index on %s: what it serves will read the whole table", mild: true,
	},
}

// keys reads the constraints of one kind as "table (column, …)".
func keys(kind string) string {
	return `SELECT c.relname || ' (' || (SELECT string_agg(a.attname, ', ' ORDER BY k.n) FROM unnest(f.conkey) WITH ORDINALITY k (num, n)
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num) || ')', ''
		FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
		WHERE f.contype = '` + kind + `' AND c.relnamespace = $1::regnamespace AND c.relname = ANY (string_to_array($2, ','))`
}

func (a aspect) read(ctx context.Context, tx *sql.Tx, schema string, tables []string) (map[string]string, error) {
	rows, err := tx.QueryContext(ctx, a.query, schema, strings.Join(tables, ","))
	if err != nil {
		return nil, fmt.Errorf("read the schema %s: %w", schema, err)
	}
	defer rows.Close() //nolint:errcheck // Err has told.
	found := map[string]string{}
	for rows.Next() {
		var subject, value string
		if err := rows.Scan(&subject, &value); err != nil {
			return nil, err
		}
		found[subject] = value
	}
	return found, rows.Err()
}

// compare says in sentences where the two are not alike.
func (a aspect) compare(want, got map[string]string) (differences, warnings []string) {
	tell := func(mild bool, sentence string) {
		if mild {
			warnings = append(warnings, sentence)
		} else {
			differences = append(differences, sentence)
		}
	}
	for subject, value := range want {
		switch is, there := got[subject]; {
		case !there:
			tell(a.mild, fmt.Sprintf(a.absent, subject))
		case is != value:
			tell(a.mild, fmt.Sprintf(a.differs, subject, is, value))
		}
	}
	for subject := range got {
		if _, known := want[subject]; !known && a.further != "" {
			tell(a.furtherMild, fmt.Sprintf(a.further, subject))
		}
	}
	slices.Sort(differences)
	slices.Sort(warnings)
	return differences, warnings
}
