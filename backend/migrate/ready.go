package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/migrations"
)

// ErrNotAdopted says that the app's tables are there and nobody has compared them with the baseline.
var ErrNotAdopted = errors.New("the database has the app's tables already: run `backend migrate adopt` first")

// ready makes sure that the first step can be taken and the last one reached, as far as that can be seen before:
// whoever has to be asked for something is asked before anything has changed.
func (m *Migrator) ready(ctx context.Context, applied map[int64]bool) error {
	tables, err := m.appTables(ctx)
	if err != nil {
		return err
	}
	if !applied[baseline] && len(tables) > 0 {
		return ErrNotAdopted
	}
	if err := m.rights(ctx); err != nil {
		return err
	}
	if err := m.oldRoleIsApart(ctx); err != nil {
		return err
	}
	if !applied[rowLevelSecurity] {
		if err := m.blind(ctx); err != nil {
			return err
		}
	}
	if err := m.makeGroups(ctx); err != nil {
		return err
	}
	return m.duplicates(ctx, applied)
}

// appTables are the tables of the baseline that are there.
func (m *Migrator) appTables(ctx context.Context) ([]string, error) {
	return m.strings(ctx, `SELECT relname FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname = ANY (string_to_array($1, ',')) ORDER BY 1`,
		strings.Join(m.baselineTables(), ","))
}

// rights asks for what the steps need of the server, the database and the tables.
func (m *Migrator) rights(ctx context.Context) error {
	var version int
	var login, database string
	var mayDatabase, maySchema bool
	err := m.db.QueryRowContext(ctx, `SELECT current_setting('server_version_num')::int / 10000, current_user, current_database(),
		has_database_privilege(current_database(), 'CREATE'), has_schema_privilege('public', 'CREATE')`).
		Scan(&version, &login, &database, &mayDatabase, &maySchema)
	if err != nil {
		return fmt.Errorf("look at this login's rights: %w", err)
	}
	if version < migrations.OldestServer {
		return fmt.Errorf("PostgreSQL %d is older than %d: upgrade it", version, migrations.OldestServer)
	}
	foreign, err := m.strings(ctx, `SELECT format('%I, of %I', relname, pg_get_userbyid(relowner)) FROM pg_class
		WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname = ANY (string_to_array($1, ','))
			AND NOT pg_has_role(relowner, 'USAGE') ORDER BY 1`, strings.Join(m.baselineTables(), ","))
	if err != nil {
		return err
	}
	if len(foreign) > 0 {
		return fmt.Errorf("DATABASE_ADMIN_URL logs in as %s, which does not own all tables: log in as their owner (%s)",
			quote(login), strings.Join(foreign, "; "))
	}
	var sql strings.Builder
	if !mayDatabase {
		fmt.Fprintf(&sql, "grant create on database %s to %s;\n", quote(database), quote(login))
	}
	if !maySchema {
		fmt.Fprintf(&sql, "grant create on schema public to %s;\n", quote(login))
	}
	if sql.Len() > 0 {
		return &NotReadyError{Reason: fmt.Sprintf("%s may not create what the backend needs", quote(login)), SQL: sql.String()}
	}
	return nil
}

// duplicates looks under all new unique keys at once, so that nobody finds them one by one.
func (m *Migrator) duplicates(ctx context.Context, applied map[int64]bool) error {
	if !applied[baseline] {
		return nil
	}
	var all []error
	for _, s := range m.steps {
		if s.index == nil || !s.index.unique || applied[s.version] {
			continue
		}
		early, err := s.index.before(ctx, m.db)
		if err != nil {
			return err
		}
		if err := early.duplicates(ctx, m.db); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}
