package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-proxy/gatehouse/backend/softdelete"
)

// working are the rights without which the backend cannot serve, by table: those of gatehouse_app, and no
// other table gives it any.
func working() map[string][]string {
	rights := map[string][]string{
		"deletions":            {"select", "insert", "update"},
		"idempotency_keys":     {"select", "insert", "update", "delete"},
		"users":                {"select"},
		"permissions":          {"select"},
		"user_identities":      {"select"},
		"audit_events":         {"select"},
		"audit_envelopes":      {"select"},
		"gatehouse_migrations": {"select"},
	}
	for _, e := range Entities {
		rights[e.Table] = []string{"select", "insert", "update"}
	}
	return rights
}

// isolated are the tables whose rows belong to an organization or a person.
func isolated() []string {
	tables := []string{"deletions", "idempotency_keys", "users", "user_identities", "audit_events", "audit_envelopes"}
	for _, e := range Entities {
		tables = append(tables, e.Table)
	}
	slices.Sort(tables)
	return tables
}

// secretColumns are those that nobody reads by our role, as table and column.
func secretColumns() [][2]string {
	columns := [][2]string{{"users", "password_hash"}}
	for _, e := range Entities {
		for _, f := range e.Fields {
			if f.Secret {
				columns = append(columns, [2]string{e.Table, f.Column})
			}
		}
	}
	return columns
}

// rights compares what the role may do with what it must and what it must not: on a table that we know,
// nothing but what working says; on any other of our schemas, neither removing nor owning.
func (i *inspection) rights(ctx context.Context) error {
	want := working()
	want["activity_events"], want["outbox"] = nil, nil
	names := []string{"select", "insert", "update", "delete", "truncate", "trigger"}
	var owned, excess, lack []string
	err := i.each(ctx, `
		select c.relname, c.relispartition, pg_has_role(session_user, c.relowner, 'member'),
			has_any_column_privilege(c.oid, 'select'), has_any_column_privilege(c.oid, 'insert'), has_any_column_privilege(c.oid, 'update'),
			has_table_privilege(c.oid, 'delete'), has_table_privilege(c.oid, 'truncate'), has_table_privilege(c.oid, 'trigger')
		from pg_class c
		where c.relnamespace in ('public'::regnamespace, 'gatehouse'::regnamespace) and c.relkind in ('r', 'p')
		order by c.relname`, func(scan scan) error {
		var table string
		var partition, owns bool
		has := make([]bool, len(names))
		if err := scan(&table, &partition, &owns, &has[0], &has[1], &has[2], &has[3], &has[4], &has[5]); err != nil {
			return err
		}
		if owns {
			owned = append(owned, table)
			return nil // an owner may do everything
		}
		needed, known := want[table]
		for n, name := range names {
			right := strings.ToUpper(name) + " on " + table
			switch {
			case has[n] && !slices.Contains(needed, name) && (known || partition || n > 2): // others may be read by whom their owner lets
				excess = append(excess, right)
			case !has[n] && slices.Contains(needed, name):
				lack = append(lack, right)
			}
		}
		return nil
	})
	if err == nil {
		excess, err = i.borrowed(ctx, excess)
	}
	if len(owned) > 0 {
		i.add("use a login of its own for the backend, that is no member of the owner's role", "the role %s owns tables: %s", quote(i.role), strings.Join(owned, ", "))
	}
	if len(excess) > 0 {
		i.add("revoke them from it, from the roles that it is a member of, and from PUBLIC",
			"the role %s has rights that it should not have: %s", quote(i.role), strings.Join(excess, ", "))
	}
	if len(lack) > 0 && i.member {
		i.add(fmt.Sprintf("grant them to %s", group), "the role %s lacks rights: %s", quote(i.role), strings.Join(lack, ", "))
	}
	return err
}

// borrowed appends the functions that work with their owner's rights and that the role may call, or put as
// triggers on tables of its own, although only the way in is for it; and the schemas where it may plant its own.
func (i *inspection) borrowed(ctx context.Context, excess []string) ([]string, error) {
	err := i.each(ctx, `
		select proname from pg_proc
		where pronamespace = 'gatehouse'::regnamespace and prosecdef and proname <> 'enter'
			and has_function_privilege(oid, 'execute') and not pg_has_role(session_user, proowner, 'member')
		order by proname`, func(scan scan) error {
		var function string
		err := scan(&function)
		excess = append(excess, "EXECUTE on gatehouse."+function)
		return err
	})
	if err != nil {
		return nil, err
	}
	// What is planted in a schema that statements look into is called instead of PostgreSQL's own, by us and by whoever
	// migrates: a database from before version 15 lets everybody.
	err = i.each(ctx, `
		select nspname from pg_namespace
		where nspname in ('public', 'gatehouse') and has_schema_privilege(oid, 'create') and not pg_has_role(session_user, nspowner, 'member')
		order by nspname`, func(scan scan) error {
		var schema string
		err := scan(&schema)
		excess = append(excess, "CREATE on schema "+schema)
		return err
	})
	return excess, err
}

// secrets refuses a role that can read a secret.
func (i *inspection) secrets(ctx context.Context) error {
	var readable []string
	for _, secret := range secretColumns() {
		var may bool
		err := i.conn.QueryRowContext(ctx, `select has_column_privilege(('public.' || quote_ident($1::text))::regclass, $2::text, 'select')`, secret[0], secret[1]).
			Scan(&may)
		if err != nil {
			return err
		}
		if may {
			readable = append(readable, secret[0]+"."+secret[1])
		}
	}
	if len(readable) > 0 {
		i.add("revoke SELECT on these tables from it and from its roles; our migrations grant it column by column",
			"the role %s can read secrets: %s", quote(i.role), strings.Join(readable, ", "))
	}
	return nil
}

// policies asks of each table for row-level security by the one policy of its name. A second one would be
// OR-ed, and show what the first does not.
func (i *inspection) policies(ctx context.Context) error {
	const cure = "run `backend migrate up` with DATABASE_ADMIN_URL, or drop what somebody has added"
	for _, table := range isolated() {
		var enabled bool
		var policies, ours int
		err := i.conn.QueryRowContext(ctx, `
			select c.relrowsecurity, count(p.oid), count(p.oid) filter (where p.polname = $1::text || '_organization' and p.polcmd = '*'
				and pg_get_expr(p.polqual, p.polrelid) ~ 'gatehouse\.(organization|actor)\(\)'
				and pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid))
			from pg_class c left join pg_policy p on p.polrelid = c.oid and p.polpermissive and exists (
				select from unnest(p.polroles) r where r = 0 or pg_has_role(session_user, r, 'member'))
			where c.oid = ('public.' || quote_ident($1::text))::regclass
			group by c.oid, c.relrowsecurity`, table).Scan(&enabled, &policies, &ours)
		switch {
		case err != nil:
			return err
		case !enabled:
			i.add(cure, "the table %s has no row-level security", table)
		case ours == 0 && (i.member || i.almighty): // to others the policies do not apply, and that has been told
			i.add(cure, "the table %s lacks its policy %s_organization", table, table)
		case policies > ours && !i.almighty: // to whom the policies of all roles apply
			i.add(cure, "the table %s has %d %s for this role beside its own, which show more rows", table, policies-ours, plural(policies-ours, "policy"))
		}
	}
	return nil
}

// edges refuses a foreign key of which nobody has said what a deletion does with it.
func (i *inspection) edges(ctx context.Context) error {
	wrong, err := softdelete.CheckForeignKeys(ctx, i.conn, Entities)
	for _, reason := range wrong {
		i.add("remove it, or declare it in this program", "a foreign key: %s", reason)
	}
	return err
}
