package migrate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"
)

// Usage is what Command takes.
const Usage = `usage: backend migrate <command>

  up       apply what is missing; safe while the app goes on, and after a kill at any moment
             --old-role NAME  let the old app work on beside the backend: its login sees live rows of all
                              organizations, and what it deletes can be restored
             --blind NAME     a role with rights on the tables that is to see no rows any more (repeatable)
             --drop-old-role  take the old app's view away, after the cut-over
  plan     print what up would do, with which locks, and what would stop it
  status   print what has been applied, and when
  adopt    take over a database that the app has made, when it is what the migrations begin with
  down     give the app its own schema back; refused while rows are in the trash
             --discard-audit  the audit trail goes with it
  roles    print the SQL that makes the roles, for somebody who may

DATABASE_ADMIN_URL names the database, and logs in as the owner of its tables.
`

// UsageError says what is wrong with the arguments.
type UsageError struct{ Reason string }

func (e *UsageError) Error() string { return e.Reason + "\n\n" + Usage }

// ErrNoDatabase is what a command that needs the database gets without its DSN.
var ErrNoDatabase = errors.New("DATABASE_ADMIN_URL is not set: it names the database, and logs in as the owner of its tables")

// Command runs one command for a person, and prints to stdout. dsn is DATABASE_ADMIN_URL; roles needs none.
func Command(ctx context.Context, args []string, stdout io.Writer, dsn string) error {
	if len(args) == 0 {
		return &UsageError{Reason: "say which command"}
	}
	name := args[0]
	flags := flag.NewFlagSet("backend migrate "+name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	var c choices
	switch name {
	case "down":
		flags.BoolVar(&c.discardAudit, "discard-audit", false, "")
	case "up", "plan":
		flags.StringVar(&c.oldRole, "old-role", "", "")
		flags.BoolVar(&c.dropOldRole, "drop-old-role", false, "")
		flags.Func("blind", "", func(role string) error {
			c.blind = append(c.blind, role)
			return nil
		})
	}
	if err := flags.Parse(args[1:]); errors.Is(err, flag.ErrHelp) {
		_, err := io.WriteString(stdout, Usage)
		return err
	} else if err != nil {
		return &UsageError{Reason: err.Error()}
	}
	if flags.NArg() > 0 {
		return &UsageError{Reason: fmt.Sprintf("%s takes no %q", name, flags.Arg(0))}
	}
	if c.oldRole != "" && c.dropOldRole {
		return &UsageError{Reason: "--old-role and --drop-old-role are two ways"}
	}
	switch name {
	case "up", "plan", "status", "adopt", "down":
	case "roles":
		_, err := io.WriteString(stdout, RolesSQL())
		return err
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, Usage)
		return err
	default:
		return &UsageError{Reason: fmt.Sprintf("there is no command %q", name)}
	}
	if dsn == "" {
		return ErrNoDatabase
	}
	m, err := Open(ctx, dsn, Options{Output: stdout, OldRole: c.oldRole, Blind: c.blind})
	if err != nil {
		return err
	}
	return errors.Join(m.command(ctx, name, c), m.Close())
}

// choices are what flags say.
type choices struct {
	discardAudit, dropOldRole bool
	oldRole                   string
	blind                     []string
}

func (m *Migrator) command(ctx context.Context, name string, c choices) error {
	switch name {
	case "up":
		if c.dropOldRole {
			return m.DropOldRole(ctx)
		}
		return m.Up(ctx)
	case "plan":
		return m.Plan(ctx)
	case "adopt":
		return m.Adopt(ctx)
	case "down":
		return m.Down(ctx, c.discardAudit)
	}
	states, err := m.Status(ctx)
	if err != nil {
		return err
	}
	for _, s := range states {
		when := "pending"
		if !s.AppliedAt.IsZero() {
			when = s.AppliedAt.UTC().Format(time.RFC3339)
		}
		m.printf("%05d  %-20s  %s", s.Version, when, s.Name)
	}
	return nil
}
