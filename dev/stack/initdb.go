package stack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// initKept makes a cluster whose data lasts: synced, with checksums, and open to those alone who know the password.
func (pg *Postgres) initKept(ctx context.Context) error {
	if err := pg.writeOwn("initdb.password", pg.password(superuser)+"\n"); err != nil {
		return err
	}
	passwordFile := filepath.Join(pg.dir, "initdb.password")
	err := pg.initdb(ctx, "--data-checksums", "--auth=scram-sha-256", "--pwfile="+passwordFile)
	return errors.Join(err, os.Remove(passwordFile))
}

// throwAwayArgs make the smallest cluster in the least time.
var throwAwayArgs = []string{"--no-sync", "--wal-segsize=1", "--auth=trust"}

// initThrowAway copies a cluster that an earlier process has made and kept below StateDir, which takes a tenth of
// the time; the first makes it. Outside of a checkout, or where the folder is somebody else's, each makes its own.
func (pg *Postgres) initThrowAway(ctx context.Context) error {
	kept, err := pg.keptCluster(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return pg.initdb(ctx, throwAwayArgs...)
	}
	if err := copyTree(kept, pg.dataDir()); err != nil {
		return fmt.Errorf("copy %s: %w", kept, err)
	}
	return pg.account.own(pg.dir)
}

// keptCluster returns the folder of the cluster to copy, made when there is none of this version.
func (pg *Postgres) keptCluster(ctx context.Context) (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(strings.Join(append(throwAwayArgs, initdbArgs(pg.programs.Bin, pg.programs.Version)...), "\x00")))
	parent := filepath.Join(root, StateDir, "initdb")
	kept := filepath.Join(parent, hex.EncodeToString(key[:6]))
	if _, err := os.Stat(kept); err == nil {
		return kept, nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	unlock, err := lockFile(ctx, filepath.Join(parent, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(kept); err == nil {
		return kept, nil // by who held the lock
	}
	if err := pg.initdb(ctx, throwAwayArgs...); err != nil {
		return "", err
	}
	// Renamed when it is whole. The data itself becomes a copy like all others.
	whole, err := os.MkdirTemp(parent, "new-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(whole) //nolint:errcheck // renamed by then, or of no use
	if err := copyTree(pg.dataDir(), filepath.Join(whole, "data")); err != nil {
		return "", err
	}
	if err := os.RemoveAll(pg.dataDir()); err != nil {
		return "", err
	}
	return kept, os.Rename(filepath.Join(whole, "data"), kept)
}

// initdbArgs are common to all clusters. more only goes into the key of the kept one.
func initdbArgs(more ...string) []string {
	args := append(more, "--username="+superuser, "--encoding=UTF8", "--lc-messages=C")
	if runtime.GOOS == "darwin" { // which has no C.UTF-8 in all versions
		return append(args, "--lc-collate=C", "--lc-ctype=en_US.UTF-8")
	}
	return append(args, "--locale=C.UTF-8")
}

// initdb makes the data, which has its name only when it is whole. When ctx ends it ends initdb and what that has
// started.
func (pg *Postgres) initdb(ctx context.Context, args ...string) error {
	unfinished := filepath.Join(pg.dir, "data.new")
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	p, err := spawn(Spec{
		Name: "initdb", Path: pg.programs.path("initdb"),
		Args: append(initdbArgs("--pgdata="+unfinished), args...),
		Env:  postgresEnv(), Dir: pg.dir, Log: filepath.Join(pg.dir, "initdb.log"), Account: pg.account,
	})
	if err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return fmt.Errorf("initdb: %w", errors.Join(ctx.Err(), p.endGroup()))
	}
	if p.ExitCode() != 0 {
		return fmt.Errorf("initdb: %w%s", p.Err(), p.tailForError())
	}
	return errors.Join(os.Rename(unfinished, pg.dataDir()), os.Remove(p.spec.Log))
}

// endGroup kills initdb. The server of its own that it talks to through a pipe then ends in order, and leaves no shared
// memory behind as one that is killed does; if it does not, it is killed too.
func (p *Process) endGroup() error {
	if err := p.Kill(); err != nil {
		return err
	}
	group := []int{-p.Pid()}
	if waitGone(group) == nil {
		return nil
	}
	return errors.Join(signalAll(group, syscall.SIGKILL), waitGone(group))
}

// copyTree copies folders and files, readable by the owner alone as PostgreSQL wants them. Links lead nowhere.
func copyTree(from, to string) error {
	source, err := os.OpenRoot(from)
	if err != nil {
		return err
	}
	defer source.Close() //nolint:errcheck // opened to read
	return fs.WalkDir(source.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.Mkdir(filepath.Join(to, path), 0o700)
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither folder nor file", path)
		}
		return copyFile(source, path, filepath.Join(to, path))
	})
}

func copyFile(source *os.Root, path, to string) error {
	in, err := source.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		_ = out.Close() // the copy's error is the better one
		return err
	}
	return out.Close()
}
