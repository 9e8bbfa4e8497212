package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/migrations"
)

// group is the role whose members serve.
const group = "gatehouse_app"

// inspect says why the role, the schema or the server will not do, all at once.
func inspect(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect to the database: %w", err)
	}
	defer conn.Close() //nolint:errcheck // it goes back to the pool
	i := inspection{conn: conn}
	if err := i.run(ctx); err != nil {
		return fmt.Errorf("inspect the database: %w", err)
	}
	return i.reasons.err()
}

type inspection struct {
	conn *sql.Conn
	role string
	// almighty says that the role is a superuser, whose rights nothing limits; member that it is one of group.
	almighty, member bool
	reasons
}

func (i *inspection) run(ctx context.Context) error {
	if err := i.server(ctx); err != nil {
		return err
	}
	if current, err := i.schema(ctx); err != nil || !current {
		return err // of a schema that is half there every table would be a reason
	}
	looks := []func(context.Context) error{i.policies, i.edges}
	if !i.almighty {
		looks = append(looks, i.rights, i.secrets)
	}
	for _, look := range looks {
		if err := look(ctx); err != nil {
			return err
		}
	}
	return nil
}

// server looks at the server and at the role itself.
func (i *inspection) server(ctx context.Context) error {
	var version int
	var mayPass, mayRoles, mayReplicate bool
	err := i.conn.QueryRowContext(ctx, `
		select current_setting('server_version_num')::int / 10000, rolname, rolsuper, rolbypassrls, rolcreaterole, rolreplication,
			coalesce((select pg_has_role(r.oid, g.oid, 'usage') from pg_roles g where g.rolname = $1), false)
		from pg_roles r where rolname = session_user`, group).
		Scan(&version, &i.role, &i.almighty, &mayPass, &mayRoles, &mayReplicate, &i.member)
	if err != nil {
		return err
	}
	if version < migrations.OldestServer {
		i.add("upgrade it", "PostgreSQL %d is older than %d", version, migrations.OldestServer)
	}
	for _, power := range []struct {
		has        bool
		what, name string
	}{
		{i.almighty, "is a superuser", "nosuperuser"},
		{mayPass, "passes by row-level security", "nobypassrls"},
		{mayRoles, "may make itself a member of other roles", "nocreaterole"},
		{mayReplicate, "may copy the whole database", "noreplication"},
	} {
		if power.has {
			i.add(fmt.Sprintf("ALTER ROLE %s %s, or a login of its own for the backend", quote(i.role), power.name),
				"the role %s %s", quote(i.role), power.what)
		}
	}
	if !i.member {
		i.add(fmt.Sprintf("GRANT %s TO %s", group, quote(i.role)), "the role %s is no member of %s, or does not inherit its rights", quote(i.role), group)
	}
	if i.almighty {
		return nil // and a member of all roles
	}
	return i.memberships(ctx)
}

// memberships refuses roles by which the backend could get what its own role has not.
func (i *inspection) memberships(ctx context.Context) error {
	return i.each(ctx, `
		select rolname from pg_roles
		where rolname <> session_user and pg_has_role(session_user, oid, 'member') and (
			rolsuper or rolbypassrls or rolcreaterole or rolreplication or rolname in (
				'gatehouse_jobs', 'gatehouse_auditor', 'pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files',
				'pg_write_server_files', 'pg_execute_server_program'))
		order by rolname`, func(scan scan) error {
		var other string
		if err := scan(&other); err != nil {
			return err
		}
		i.add(fmt.Sprintf("REVOKE %s FROM %s", quote(other), quote(i.role)), "the role %s is a member of %s", quote(i.role), quote(other))
		return nil
	})
}

// schema reports whether the database has all the migrations that this program was built with. That it
// has more is what it is like while a new version is being rolled out.
func (i *inspection) schema(ctx context.Context) (current bool, err error) {
	const cure = "run `backend migrate up` with DATABASE_ADMIN_URL"
	var there, readable bool
	err = i.conn.QueryRowContext(ctx, `
		select t is not null, coalesce(has_table_privilege(t, 'select'), false) from to_regclass('public.gatehouse_migrations') t`).
		Scan(&there, &readable)
	switch {
	case err != nil:
		return false, err
	case !there:
		i.add(cure, "the database has none of our migrations")
		return false, nil
	case !readable:
		i.add(fmt.Sprintf("GRANT %s TO %s", group, quote(i.role)), "the role %s may not read which migrations were applied", quote(i.role))
		return false, nil
	}
	missing, err := known()
	if err != nil {
		return false, err
	}
	err = i.each(ctx, `select version_id from public.gatehouse_migrations where is_applied`, func(scan scan) error {
		var applied int64
		err := scan(&applied)
		missing = slices.DeleteFunc(missing, func(version int64) bool { return version == applied })
		return err
	})
	if err == nil && len(missing) > 0 {
		i.add(cure, "the schema is older than this program: %d %s missing, the first is %05d", len(missing), plural(len(missing), "migration"), missing[0])
	}
	return len(missing) == 0, err
}

// known lists the versions that this program was built with.
func known() ([]int64, error) {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return nil, err
	}
	versions := make([]int64, len(names))
	for n, name := range names {
		digits, _, _ := strings.Cut(name, "_")
		if versions[n], err = strconv.ParseInt(digits, 10, 64); err != nil {
			return nil, fmt.Errorf("migration %s: %w", name, err)
		}
	}
	slices.Sort(versions)
	return versions, nil
}

type scan = func(...any) error

// each calls f with each row.
func (i *inspection) each(ctx context.Context, query string, f func(scan) error, args ...any) error {
	rows, err := i.conn.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // rows.Err tells
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// quote is an identifier as SQL that can be pasted.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
