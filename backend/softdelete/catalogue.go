package softdelete

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// Catalogue is where the database tells about itself: a *sql.DB, a *sql.Conn or a *sql.Tx.
type Catalogue interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// ignored are the tables beside the entities that may point to them, or be pointed to: rows that no deletion
// takes along, and that no deletion is refused for.
var ignored = []string{"activity_events", "outbox", "permissions"}

// CheckForeignKeys compares the foreign keys that the database has with the declarations that deletions follow:
// what would remove rows must be a parent, what would empty a column must be a reference, and each must have
// an index by which a deletion finds the children. It returns what differs, a sentence each; with any of
// them, a deletion could leave rows behind that point to nothing.
func CheckForeignKeys(ctx context.Context, db Catalogue, entities []*Entity) ([]string, error) {
	keys, err := foreignKeys(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read the foreign keys: %w", err)
	}
	tables := make(map[string]*Entity, len(entities))
	declared := map[string]bool{} // table.column of references that no foreign key has come for
	for _, e := range entities {
		tables[e.Table] = e
		for _, f := range e.Fields {
			if f.Target != "" {
				declared[e.Table+"."+f.Column] = true
			}
		}
	}
	var wrong []string
	for _, key := range keys {
		delete(declared, key.child+"."+key.column)
		if reason := key.judge(tables); reason != "" {
			wrong = append(wrong, reason)
		}
	}
	for at := range declared {
		wrong = append(wrong, at+" is declared as a reference, and has no foreign key")
	}
	slices.Sort(wrong)
	return wrong, nil
}

// foreignKey is one column that points to another table.
type foreignKey struct {
	child, column, target string
	action                string // a for no action, c for cascade, n for set null, and others
	columns               int
	indexed               bool
}

func foreignKeys(ctx context.Context, db Catalogue) (keys []foreignKey, err error) {
	// An index on live rows alone serves deletions; what is trashed is found by its deletion.
	rows, err := db.QueryContext(ctx, `
		SELECT child.relname, a.attname, target.relname, c.confdeltype, cardinality(c.conkey), EXISTS (
			SELECT FROM pg_index i WHERE i.indrelid = c.conrelid AND i.indisvalid AND i.indkey[0] = c.conkey[1]
				AND coalesce(pg_get_expr(i.indpred, i.indrelid), '(deleted_at IS NULL)') = '(deleted_at IS NULL)')
		FROM pg_constraint c
		JOIN pg_class child ON child.oid = c.conrelid
		JOIN pg_class target ON target.oid = c.confrelid
		JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.contype = 'f' AND child.relnamespace = 'public'::regnamespace AND NOT child.relispartition
		ORDER BY child.relname, a.attnum`)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		var key foreignKey
		if err := rows.Scan(&key.child, &key.column, &key.target, &key.action, &key.columns, &key.indexed); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// judge says what is wrong with a foreign key; nothing when deletions know it: a cascade, a reference, the
// gate that the organization is, or one that is ignored.
func (k foreignKey) judge(tables map[string]*Entity) string {
	child, target := tables[k.child], tables[k.target]
	at := k.child + "." + k.column
	switch {
	case child == nil && target == nil:
		return "" // none of ours
	case child == nil && slices.Contains(ignored, k.child) && k.action != "c":
		return ""
	case child == nil:
		return fmt.Sprintf("%s points to %s, and its table is no entity: nobody has said what a deletion does with its rows", at, k.target)
	case k.columns != 1:
		return fmt.Sprintf("%s is a part of a foreign key of %d columns to %s, which no declaration knows", at, k.columns, k.target)
	case !k.indexed:
		return fmt.Sprintf("%s points to %s, and no index begins with it: a deletion would read the whole table", at, k.target)
	case target == nil && slices.Contains(ignored, k.target), target != nil && target.Root && k.column == "organization_id":
		return ""
	}
	f := child.column(k.column)
	switch {
	case target == nil:
		return fmt.Sprintf("%s points to %s, which is no entity: nobody has said what a deletion does with it", at, k.target)
	case f == nil || f.Target != target.Kind:
		return fmt.Sprintf("%s points to %s, and is not declared as a reference to it", at, k.target)
	case f.Cascade != (k.action == "c"):
		return fmt.Sprintf("%s is declared as a %s of %s, and the database does otherwise when that is removed", at, role(f), k.target)
	}
	return ""
}

func role(f *Field) string {
	if f.Cascade {
		return "child"
	}
	return "mere reference"
}
