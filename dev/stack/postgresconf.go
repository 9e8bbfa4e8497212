package stack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// secretFile is in the directory of kept data: what the passwords of the logins are made of.
const secretFile = "secret"

// layOut makes the directory, and a database cluster in it if there is none yet.
func (pg *Postgres) layOut(ctx context.Context) error {
	if err := pg.makeDir(); err != nil {
		return err
	}
	var err error
	if !pg.temporary() {
		// Waits while the janitor of a run that was killed still stops its server.
		if pg.lock, err = lockedFile(ctx, filepath.Join(pg.dir, "lock")); err != nil {
			return err
		}
	}
	if pg.janitor, err = startJanitor(pg.dir, pg.lock, pg.account); err != nil {
		return err
	}
	if err := pg.loadSecret(); err != nil {
		return err
	}
	switch _, err := os.Lstat(filepath.Join(pg.dataDir(), "PG_VERSION")); {
	case errors.Is(err, fs.ErrNotExist) && pg.temporary():
		return pg.initThrowAway(ctx)
	case errors.Is(err, fs.ErrNotExist):
		return pg.initKept(ctx)
	case err != nil:
		return err
	}
	return pg.checkVersion()
}

func (pg *Postgres) makeDir() error {
	if pg.temporary() {
		dir, err := pg.makeTemp()
		if err != nil {
			return err
		}
		pg.dir = dir
		return pg.account.own(dir)
	}
	dir, err := filepath.Abs(pg.opts.Dir)
	if err != nil {
		return err
	}
	pg.dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if !pg.account.reaches(dir) {
		return fmt.Errorf("the account %q, which the server runs as because this is root, cannot reach %s: choose a directory outside of root's home", pg.account.Name, dir)
	}
	return pg.account.own(dir)
}

func (pg *Postgres) makeTemp() (string, error) {
	const pattern = "gatehouse-postgres-"
	if memory := memoryDir(); pg.opts.InMemory && memory != "" {
		return os.MkdirTemp(memory, pattern)
	}
	return pg.account.makeTemp(pattern)
}

// checkVersion tells of data of another version before the server does in its own words.
func (pg *Postgres) checkVersion() error {
	text, err := pg.readOwn(filepath.Join("data", "PG_VERSION"))
	if err != nil {
		return err
	}
	if was := strings.TrimSpace(text); was != strconv.Itoa(pg.programs.Major) {
		return fmt.Errorf("the data in %s is of PostgreSQL %s and this is %s in %s: set %s to the programs of that version, or remove the directory to begin anew",
			pg.dir, was, pg.programs.Version, pg.programs.Bin, postgresBinEnv)
	}
	return nil
}

// loadSecret takes the one that is kept, or makes one.
func (pg *Postgres) loadSecret() error {
	if !pg.temporary() {
		text, err := pg.readOwn(secretFile)
		if err == nil && len(text) > 0 {
			pg.secret = []byte(text)
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	pg.secret = []byte(hex.EncodeToString(random))
	if pg.temporary() {
		return nil
	}
	return pg.writeOwn(secretFile, string(pg.secret))
}

// writeConfig writes what PostgreSQL reads at its start anew each time: ALTER SYSTEM is the way for settings that are
// to outlive a restart.
func (pg *Postgres) writeConfig() error {
	_, port := splitAddr(pg.Addr())
	lines := []string{
		"listen_addresses = '127.0.0.1'",
		"port = " + port,
		"unix_socket_directories = ''",
		"max_connections = 200",
		"timezone = 'UTC'", "log_timezone = 'UTC'",
		"log_line_prefix = '%m [%p] %u@%d '",
		"password_encryption = 'scram-sha-256'",
		// Where the platform's shared memory is used, a killed server leaves it behind.
		"dynamic_shared_memory_type = mmap",
	}
	method := "scram-sha-256"
	if pg.temporary() {
		method = "trust"
		lines = append(lines,
			"fsync = off", "synchronous_commit = off", "full_page_writes = off",
			"wal_level = minimal", "max_wal_senders = 0", "max_wal_size = 256MB")
	}
	lines = append(lines, pg.opts.Config...)
	return errors.Join(
		pg.writeOwn("data/postgresql.conf", strings.Join(lines, "\n")+"\n"),
		pg.writeOwn("data/pg_hba.conf", "host all all 127.0.0.1/32 "+method+"\n")) //nolint:dupword // all databases, all users
}

// postgresEnv is this process's environment without what steers PostgreSQL's programs.
func postgresEnv() []string {
	var env []string
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if strings.HasPrefix(name, "PG") || strings.HasPrefix(name, "LC_") || name == "LANG" || name == "LANGUAGE" || name == "TZ" {
			continue
		}
		env = append(env, pair)
	}
	return append(env, "LC_ALL=C", "TZ=UTC")
}

// readOwn reads a file of the directory. The account could have laid a link there to a file of root's, which is not
// followed out of the directory.
func (pg *Postgres) readOwn(name string) (string, error) {
	root, err := os.OpenRoot(pg.dir)
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // opened to read
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// writeOwn replaces a file of the directory, for the server's eyes only.
func (pg *Postgres) writeOwn(name, text string) error {
	root, err := os.OpenRoot(pg.dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // opened to find the file
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		_ = f.Close() // the write's error is the better one
		return err
	}
	if err := f.Close(); err != nil || pg.account == nil {
		return err
	}
	return root.Lchown(name, pg.account.UID, pg.account.GID)
}
