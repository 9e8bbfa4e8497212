package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// DuplicatesError says which rows stand in the way of a unique key.
type DuplicatesError struct {
	Table, Key string
	// Rows are the ids that share a value, a group each; never the values, which may be personal. At most 100 groups.
	Rows [][]string
}

func (e *DuplicatesError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s has rows that %s allows once only; keep one of each group, then run it again:", e.Table, e.Key)
	for _, ids := range e.Rows {
		fmt.Fprintf(&b, "\n  %s: %s", e.Table, strings.Join(ids, ", "))
	}
	return b.String()
}

// querier is a pool or one connection of it.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// prepare stops at duplicates and drops what a killed build has left: an index that is INVALID costs every write and
// helps no read, and IF NOT EXISTS would take it for the real one. It runs under the step's lock, so the index is
// nobody's work in progress.
func (ix *index) prepare(ctx context.Context, conn *sql.Conn) error {
	if err := ix.duplicates(ctx, conn); err != nil {
		return err
	}
	valid, there, err := ix.state(ctx, conn)
	if err != nil || !there || valid {
		return err
	}
	if _, err := conn.ExecContext(ctx, "DROP INDEX CONCURRENTLY IF EXISTS public."+ix.name); err != nil {
		return fmt.Errorf("drop what is left of %s: %w", ix.name, err)
	}
	return nil
}

// judge looks at the index after its step: duplicates may have come while it was built, and what is there must be valid.
func (ix *index) judge(ctx context.Context, db *sql.DB, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "23505" {
		return errors.Join(ix.duplicates(ctx, db), err)
	}
	if err != nil {
		return err
	}
	valid, there, err := ix.state(ctx, db)
	if err != nil {
		return err
	}
	if !there || !valid {
		return fmt.Errorf("the index %s is not valid after it was built: run it again", ix.name)
	}
	return nil
}

func (ix *index) state(ctx context.Context, db querier) (valid, there bool, err error) {
	err = db.QueryRowContext(ctx,
		"SELECT i.indisvalid AND i.indisready FROM pg_index i WHERE i.indexrelid = to_regclass('public.' || $1) AND i.indrelid = to_regclass('public.' || $2)",
		ix.name, ix.table).Scan(&valid)
	if errors.Is(err, sql.ErrNoRows) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("look at the index %s: %w", ix.name, err)
	}
	return valid, true, nil
}

// before is the key as far as the table has its columns: of rows that no deletion can have marked yet, all are live,
// and where a row does not know its organization the other columns decide.
func (ix *index) before(ctx context.Context, db querier) (*index, error) {
	early := *ix
	for _, column := range []string{"deleted_at", "organization_id"} {
		var there bool
		err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_attribute
			WHERE attrelid = to_regclass('public.' || $1) AND attname = $2 AND NOT attisdropped)`, ix.table, column).Scan(&there)
		if err != nil {
			return nil, fmt.Errorf("look at the columns of %s: %w", ix.table, err)
		}
		if there {
			continue
		}
		early.keys = strings.TrimPrefix(early.keys, column+", ")
		early.where = strings.TrimPrefix(strings.TrimPrefix(early.where, column+" is null"), " and ")
	}
	return &early, nil
}

// duplicates returns a *DuplicatesError when the key would not hold. Keys and condition are those of our own files.
func (ix *index) duplicates(ctx context.Context, db querier) error {
	if !ix.unique {
		return nil
	}
	where := ""
	if ix.where != "" {
		where = "WHERE " + ix.where
	}
	rows, err := db.QueryContext(ctx, fmt.Sprintf(
		"SELECT string_agg(id, ', ' ORDER BY id) FROM public.%s %s GROUP BY %s HAVING count(*) > 1 ORDER BY min(id) LIMIT 100", ix.table, where, ix.keys))
	if err != nil {
		return fmt.Errorf("look for duplicates in %s: %w", ix.table, err)
	}
	defer rows.Close() //nolint:errcheck // Err has told.
	found := &DuplicatesError{Table: ix.table, Key: ix.name}
	for rows.Next() {
		var ids string
		if err := rows.Scan(&ids); err != nil {
			return err
		}
		found.Rows = append(found.Rows, strings.Split(ids, ", "))
	}
	if err := rows.Err(); err != nil || len(found.Rows) == 0 {
		return err
	}
	return found
}
