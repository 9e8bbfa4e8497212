package stack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The logins that the product is given. The groups, whose names are the product's own, are made by its migrations.
const (
	// OwnerLogin migrates: it owns databases and their tables and may create roles, and is no superuser.
	OwnerLogin = "gatehouse_owner"
	// AppLogin serves; it is in the group gatehouse_app.
	AppLogin = "gatehouse_app_login"
	// JobsLogin purges and seals; it is in the group gatehouse_jobs.
	JobsLogin = "gatehouse_jobs_login"
)

// productLogins are AppLogin and JobsLogin with their groups.
var productLogins = []struct{ login, group string }{
	{AppLogin, "gatehouse_app"},
	{JobsLogin, "gatehouse_jobs"},
}

// NoGroupError says that a login was to join a group that nobody has made.
type NoGroupError struct{ Login, Group string }

func (e *NoGroupError) Error() string {
	return fmt.Sprintf("%s cannot join %s: there is no such group yet; the migrations make it, so run them first", e.Login, e.Group)
}

// Login makes an ordinary login if there is none of that name, with the password that DSN has for it, and makes it a
// member of groups. Calling it again is fine, also to add groups.
//
// The groups are not made here: they are the product's (NOLOGIN, made by its migrations), and a group that came from
// the superuser would hide a migration that forgets one, and could not be administered by OwnerLogin from PostgreSQL
// 16 on. So the order is: OwnerLogin, migrations, then the logins that serve. A group that is not there yet is a
// *NoGroupError; the login itself has been made by then.
func (pg *Postgres) Login(ctx context.Context, name string, groups ...string) error {
	return pg.login(ctx, name, "NOCREATEROLE", groups)
}

// Owner makes OwnerLogin.
func (pg *Postgres) Owner(ctx context.Context) error {
	return pg.login(ctx, OwnerLogin, "CREATEROLE", nil)
}

// ProductLogins makes AppLogin and JobsLogin, and members of their groups as far as those are there.
func (pg *Postgres) ProductLogins(ctx context.Context) error {
	for _, l := range productLogins {
		var absent *NoGroupError
		if err := pg.Login(ctx, l.login, l.group); err != nil && !errors.As(err, &absent) {
			return err
		}
	}
	return nil
}

func (pg *Postgres) login(ctx context.Context, name, attributes string, groups []string) error {
	pg.roles.Lock()
	defer pg.roles.Unlock()
	return pg.as(ctx, maintenance, func(conn *pgx.Conn) error {
		there, err := hasRole(ctx, conn, name)
		if err != nil {
			return err
		}
		verb := "CREATE"
		if there {
			verb = "ALTER"
		}
		role := pgx.Identifier{name}.Sanitize()
		// The password is hexadecimal and needs no quoting.
		sql := fmt.Sprintf("%s ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOBYPASSRLS INHERIT %s PASSWORD '%s'", verb, role, attributes, pg.password(name))
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("make the login %s: %w", name, err)
		}
		for _, group := range groups {
			there, err := hasRole(ctx, conn, group)
			if err != nil {
				return err
			}
			if !there {
				return &NoGroupError{Login: name, Group: group}
			}
			if _, err := conn.Exec(ctx, "GRANT "+pgx.Identifier{group}.Sanitize()+" TO "+role); err != nil {
				return fmt.Errorf("make %s a member of %s: %w", name, group, err)
			}
		}
		return nil
	})
}

func hasRole(ctx context.Context, conn *pgx.Conn, name string) (there bool, err error) {
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&there)
	return there, err
}

// password of a login: the same in each run, and written down nowhere.
func (pg *Postgres) password(login string) string {
	mac := hmac.New(sha256.New, pg.secret)
	mac.Write([]byte(login))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
