package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// rowLevelSecurity is the step from which on a role without a policy sees nothing.
const rowLevelSecurity = 201

// BlindError names the roles that would see no rows any more, and no error either.
type BlindError struct{ Roles []string }

func (e *BlindError) Error() string {
	return fmt.Sprintf("with row-level security these roles will see no rows of the app's tables, and no error: %s; "+
		"say --old-role NAME for the one that the old app logs in by, and --blind NAME for each that is to see nothing any more",
		strings.Join(e.Roles, ", "))
}

// blind finds the roles that have rights on the app's tables today and no policy tomorrow.
func (m *Migrator) blind(ctx context.Context) error {
	roles, err := m.strings(ctx, `
		SELECT DISTINCT coalesce(r.rolname, 'public') FROM pg_class c CROSS JOIN LATERAL (
				SELECT grantee FROM aclexplode(c.relacl) UNION SELECT x.grantee FROM pg_attribute a CROSS JOIN aclexplode(a.attacl) x WHERE a.attrelid = c.oid
			) g LEFT JOIN pg_roles r ON r.oid = g.grantee
		WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY (string_to_array($1, ','))
			AND c.relname NOT IN ('activity_events', 'outbox', 'permissions')
			AND (r.oid IS NULL OR NOT (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE')))
			AND coalesce(r.rolname, 'public') <> ALL (string_to_array($2, ',')) ORDER BY 1`,
		strings.Join(m.baselineTables(), ","), strings.Join(append(append([]string{m.opts.OldRole}, m.opts.Blind...), Groups...), ","))
	if err != nil {
		return err
	}
	if len(roles) > 0 {
		return &BlindError{Roles: roles}
	}
	return nil
}

// oldRoleIsApart makes sure that the old app has a login of its own. An owner is not bound by policies and would go on
// deleting for good.
func (m *Migrator) oldRoleIsApart(ctx context.Context) error {
	if m.opts.OldRole == "" {
		return nil
	}
	var login bool
	var power string
	err := m.db.QueryRowContext(ctx, `SELECT rolcanlogin, CASE WHEN rolsuper THEN 'is a superuser' WHEN rolbypassrls THEN 'has BYPASSRLS' ELSE '' END
		FROM pg_roles WHERE rolname = $1`, m.opts.OldRole).Scan(&login, &power)
	if err != nil {
		return fmt.Errorf("look for the role %s: %w", quote(m.opts.OldRole), err)
	}
	owns, err := m.strings(ctx, `SELECT relname FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relname = ANY (string_to_array($1, ','))
		AND pg_has_role($2::name, relowner, 'USAGE') ORDER BY 1`, strings.Join(m.baselineTables(), ","), m.opts.OldRole)
	if err != nil {
		return err
	}
	if len(owns) > 0 {
		power = "owns the tables"
	}
	switch {
	case power != "":
		name := quote(m.opts.OldRole + "_app")
		return &NotReadyError{
			Reason: fmt.Sprintf("%s %s, so nothing would turn its deletes into deletions: the old app needs a login of its own", quote(m.opts.OldRole), power),
			SQL: fmt.Sprintf("create role %[1]s login password '…';\ngrant usage on schema public to %[1]s;\n"+
				"grant select, insert, update, delete on all tables in schema public to %[1]s;\n"+
				"grant usage on all sequences in schema public to %[1]s;\n-- Let the old app log in as it, then name it by --old-role.\n", name),
		}
	case !login:
		return fmt.Errorf("the role %s cannot log in: name the login of the old app", quote(m.opts.OldRole))
	}
	return nil
}

// installOldRole gives the old app its view, a table at a time.
func (m *Migrator) installOldRole(ctx context.Context) error {
	if m.opts.OldRole == "" {
		return nil
	}
	if err := m.eachTable(ctx, "the old app's view of", "SELECT gatehouse.install_old_app($1, $2)", m.opts.OldRole); err != nil {
		return err
	}
	m.printf("role %s sees live rows, and what it deletes can be restored", m.opts.OldRole)
	return nil
}

// DropOldRole takes the old app's view away after the cut-over: its role sees no rows any more.
func (m *Migrator) DropOldRole(ctx context.Context) error {
	return m.alone(ctx, func() error {
		if there, err := m.hasFunction(ctx, "drop_old_app"); err != nil || !there {
			return errors.Join(err, errors.New("no old role was installed: the database has not been migrated up"))
		}
		return m.eachTable(ctx, "the old app's view of", "SELECT gatehouse.drop_old_app($1)")
	})
}

// eachTable calls a function for each table that has a policy of the old app's.
func (m *Migrator) eachTable(ctx context.Context, what, call string, args ...any) error {
	tables, err := m.strings(ctx, "SELECT unnest(gatehouse.trashable() || array['users'])")
	if err != nil {
		return err
	}
	for _, table := range tables {
		err := m.patiently(ctx, what+" "+table, func() error {
			return m.briefly(ctx, call, append([]any{table}, args...)...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// briefly runs a statement that gives way when it has to wait for a lock.
func (m *Migrator) briefly(ctx context.Context, query string, args ...any) error {
	tx, err := m.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // After Commit there is nothing to take back.
	if _, err := tx.ExecContext(ctx, "SELECT set_config('lock_timeout', $1, true)", fmt.Sprintf("%dms", m.opts.LockTimeout.Milliseconds())); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, query, args...); err != nil {
		return err
	}
	return tx.Commit()
}

func (m *Migrator) hasFunction(ctx context.Context, name string) (there bool, err error) {
	err = m.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		WHERE n.nspname = 'gatehouse' AND p.proname = $1)`, name).Scan(&there)
	return there, err
}
