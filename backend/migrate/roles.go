package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Groups are the roles that rights and policies name. They cannot log in; the operator's logins are members of one.
var Groups = []string{"gatehouse_app", "gatehouse_jobs", "gatehouse_auditor"}

// NotReadyError says what a person with more rights has to do first.
type NotReadyError struct {
	Reason string
	// SQL is what to run, as a superuser or as whoever has the rights.
	SQL string
}

func (e *NotReadyError) Error() string {
	return fmt.Sprintf("%s; let somebody who may run this, then run it again:\n\n%s", e.Reason, e.SQL)
}

// RolesSQL is what a person with CREATEROLE runs before the first migration. The logins' names are examples.
func RolesSQL() string {
	var b strings.Builder
	b.WriteString("-- The groups that rights and policies name. They cannot log in.\n")
	for _, group := range Groups {
		fmt.Fprintf(&b, "%s\n", createGroup(group))
	}
	b.WriteString(`
-- The logins, by the names that you like: one that serves (DATABASE_URL), one for jobs (DATABASE_JOBS_URL).
-- Neither may own a table, be a superuser or have BYPASSRLS: the backend would refuse to start.
-- create role gatehouse_app_login login inherit password '…' in role gatehouse_app;
-- create role gatehouse_jobs_login login inherit password '…' in role gatehouse_jobs;
`)
	return b.String()
}

func createGroup(name string) string { return "create role " + name + " nologin;" }

// missingGroups are those that the server has not, and whether this login may make them.
func (m *Migrator) missingGroups(ctx context.Context) (missing []string, may bool, err error) {
	for _, group := range Groups {
		var there bool
		err := m.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
			(SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user)`, group).Scan(&there, &may)
		if err != nil {
			return nil, false, fmt.Errorf("look for the role %s: %w", group, err)
		}
		if !there {
			missing = append(missing, group)
		}
	}
	return missing, may, nil
}

// makeGroups creates the groups that are missing, as far as this login may.
func (m *Migrator) makeGroups(ctx context.Context) error {
	missing, may, err := m.missingGroups(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 && !may {
		return &NotReadyError{Reason: "the roles " + strings.Join(missing, ", ") + " are not there, and this login may not create them", SQL: RolesSQL()}
	}
	for _, group := range missing {
		_, err := m.db.ExecContext(ctx, createGroup(group))
		var pg *pgconn.PgError
		if errors.As(err, &pg) && (pg.Code == "42710" || pg.Code == "23505") {
			continue // Somebody who migrates another database of this server was first.
		}
		if err != nil {
			return fmt.Errorf("create the role %s: %w", group, err)
		}
		m.printf("role %s", group)
	}
	return nil
}
