package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// PostgresOptions say what the server is to be. The zero value is a throw-away server on a free port of 127.0.0.1.
type PostgresOptions struct {
	// Name stands in errors. Default: postgres.
	Name string
	// Dir holds data, configuration, passwords and log, and stays after Stop: such data is synced to disk and guarded
	// by passwords. Empty: a temporary directory, which goes with the server or with this process, whichever is
	// first; nothing in it is synced, and any password is taken.
	Dir string
	// InMemory puts a temporary directory into memory where the machine has plenty: making a database from a template
	// is a matter of some hundred files, which takes 10 times as long on some disks. For small data only.
	InMemory bool
	// Config are further lines of postgresql.conf, such as "statement_timeout = '1s'". They win over ours.
	Config []string
}

// Postgres is a private PostgreSQL server in UTC and C.UTF-8. Its port and data stay the same over Kill and Restart.
type Postgres struct {
	opts     PostgresOptions
	programs Programs
	account  *Account
	dir      string
	secret   []byte // what the passwords are made of
	janitor  *janitor
	lock     *os.File // on a directory that is kept

	roles     sync.Mutex // PostgreSQL refuses two changes of one role at once
	templates templates

	mu     sync.Mutex // guards port, proc and paused
	port   *Port
	proc   *Process
	paused bool
}

const (
	// superuser is who initdb makes. The product never signs in as it.
	superuser = "postgres"
	// maintenance is the database that is always there.
	maintenance = "postgres"
)

// StartPostgres starts a server and returns when it answers. A machine without one gives a *MissingError that names
// the line to type. When ctx ends first, be it in the middle of initdb, nothing is left running.
func StartPostgres(ctx context.Context, opts PostgresOptions) (*Postgres, error) {
	if opts.Name == "" {
		opts.Name = "postgres"
	}
	programs, err := PostgresPrograms()
	if errors.Is(err, errNoPostgres) {
		return nil, missing([]Need{NeedPostgres})
	} else if err != nil {
		return nil, err
	}
	account, err := unprivileged(postgresAccounts...)
	if err != nil {
		return nil, err
	}
	pg := &Postgres{opts: opts, programs: programs, account: account}
	if err := pg.layOut(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare %s: %w", opts.Name, err), pg.leave())
	}
	if err := onFreePort(ctx, func(port *Port) error {
		pg.port = port
		return pg.start(ctx)
	}); err != nil {
		return nil, errors.Join(err, pg.leave())
	}
	return pg, nil
}

func (pg *Postgres) start(ctx context.Context) error {
	if err := pg.writeConfig(); err != nil {
		return fmt.Errorf("configure %s: %w", pg.opts.Name, err)
	}
	proc, err := Start(ctx, Spec{
		Name: pg.opts.Name, Path: pg.programs.path("postgres"), Args: []string{"-D", pg.dataDir()}, Env: postgresEnv(),
		Dir: pg.dir, Log: pg.LogPath(), Account: pg.account,
		// Fast shutdown: clients are sent away. SIGTERM would wait for them.
		StopSignal: syscall.SIGINT,
		// Immediate shutdown: the postmaster ends its children and gives back the shared memory that SIGKILL would leak.
		DeathSignal: syscall.SIGQUIT,
		Ready:       pg.ping,
	})
	if err != nil {
		return err
	}
	pg.proc, pg.paused = proc, false
	return nil
}

// ping signs in and asks something, as a client would: PostgreSQL accepts before it has recovered from a crash.
func (pg *Postgres) ping(ctx context.Context) error {
	return pg.Exec(ctx, maintenance, "SELECT 1")
}

// Exec runs SQL in a database as the superuser, on a connection of its own. Several statements without arguments run
// as one transaction.
func (pg *Postgres) Exec(ctx context.Context, database, sql string, args ...any) error {
	return pg.as(ctx, database, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, sql, args...)
		return err
	})
}

// as lends a connection of the superuser's.
func (pg *Postgres) as(ctx context.Context, database string, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, pg.DSN(superuser, database))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // what it was opened for has been done
	return do(conn)
}

// Answers tells whether the server replies within limit.
func (pg *Postgres) Answers(limit time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return pg.ping(ctx) == nil
}

// Addr is "127.0.0.1:<port>", the same for the server's whole life, restarts included.
func (pg *Postgres) Addr() string { return pg.port.Addr() }

// Version is what the server calls itself.
func (pg *Postgres) Version() string { return pg.programs.Version }

// DSN is a URL by which a login connects to a database: postgres://user:password@127.0.0.1:1234/db?sslmode=disable.
// The login need not exist yet; see Login.
func (pg *Postgres) DSN(login, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(login, pg.password(login)),
		Host: pg.Addr(), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Process is the server as it runs now, or ran last.
func (pg *Postgres) Process() *Process {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	return pg.proc
}

// Kill ends the server and all of its backends at once, as a crash of the machine would. Its port refuses connections
// until Restart. An ended server is fine.
func (pg *Postgres) Kill() error {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	return pg.kill()
}

func (pg *Postgres) kill() error {
	backends, err := pg.freeze()
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	if err != nil {
		return err
	}
	err, pg.paused = pg.proc.Kill(), false
	return errors.Join(err, signalAll(backends, syscall.SIGKILL), waitGone(backends))
}

// Pause hangs the server: connections are accepted by the kernel and neither they nor those that were there are
// answered.
func (pg *Postgres) Pause() error {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	backends, err := pg.freeze()
	if err != nil {
		return err
	}
	pg.paused = true
	return errors.Join(signalAll(backends, syscall.SIGSTOP), waitStopped(backends))
}

// freeze stops the postmaster, so that it starts nothing more, and returns its children.
func (pg *Postgres) freeze() ([]int, error) {
	if err := pg.proc.Pause(); err != nil {
		return nil, err
	}
	return childrenOf(pg.proc.Pid())
}

// Resume ends a Pause. What clients sent meanwhile is executed now.
func (pg *Postgres) Resume() error {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	return pg.resume()
}

func (pg *Postgres) resume() error {
	if !pg.paused {
		return nil
	}
	backends, err := childrenOf(pg.proc.Pid())
	if err != nil {
		return err
	}
	pg.paused = false
	return errors.Join(signalAll(backends, syscall.SIGCONT), pg.proc.Resume())
}

// Restart stops the server if it runs, clients or not, and starts it on the same port with the data that it had.
func (pg *Postgres) Restart(ctx context.Context) error {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	if err := pg.stop(pg.proc.spec.StopSignal); err != nil {
		return err
	}
	return pg.start(ctx)
}

// Stop ends the server in order, gives its port back and removes its directory if that was temporary, in which case
// nothing is saved first.
func (pg *Postgres) Stop() error {
	pg.mu.Lock()
	defer pg.mu.Unlock()
	sig := pg.proc.spec.StopSignal
	if pg.temporary() {
		sig = pg.proc.spec.DeathSignal
	}
	err := pg.stop(sig)
	pg.port.Release()
	return errors.Join(err, pg.leave())
}

func (pg *Postgres) stop(sig syscall.Signal) error {
	var err error
	if pg.proc.Running() { // else there is nobody to resume
		err = pg.resume()
	}
	return errors.Join(err, pg.proc.stopBy(sig, stopGrace))
}

// Log is all that the server has written since it was first started in its directory.
func (pg *Postgres) Log() string { return pg.Process().Log() }

// LogPath is the file of the log, beside the data.
func (pg *Postgres) LogPath() string { return filepath.Join(pg.dir, "postgres.log") }

func (pg *Postgres) dataDir() string { return filepath.Join(pg.dir, "data") }

func (pg *Postgres) temporary() bool { return pg.opts.Dir == "" }

// leave gives up the directory, when the server does not run.
func (pg *Postgres) leave() error {
	var err error
	if pg.temporary() && pg.dir != "" {
		err = os.RemoveAll(pg.dir)
	}
	err = errors.Join(err, pg.janitor.dismiss())
	if pg.lock != nil {
		err = errors.Join(err, pg.lock.Close())
	}
	return err
}

// splitAddr is for configuration that wants the port alone.
func splitAddr(addr string) (host, port string) {
	host, port, _ = net.SplitHostPort(addr) // ours are well-formed
	return host, port
}
