//go:build unix

package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Account is the unprivileged user that a server runs as when this process is root: a test or a demo has no
// business running a database as root, and PostgreSQL refuses to. A nil Account means "as this process".
type Account struct {
	Name     string
	UID, GID int
}

// redisAccounts are the users that packages of Redis and Valkey bring.
var redisAccounts = []string{"redis", "valkey"}

// postgresAccounts are those under which PostgreSQL runs here: its packages bring the first, and where it was built by
// hand the others do.
var postgresAccounts = append([]string{"postgres"}, redisAccounts...)

// unprivileged returns the first of names that this machine has, then nobody; nil when we are not root.
func unprivileged(names ...string) (*Account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range append(names, "nobody") {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseInt(u.Uid, 10, 64)
		gid, gidErr := strconv.ParseInt(u.Gid, 10, 64)
		if err := errors.Join(uidErr, gidErr); err != nil {
			return nil, fmt.Errorf("account %q: %w", name, err)
		}
		return &Account{Name: name, UID: int(uid), GID: int(gid)}, nil
	}
	return nil, fmt.Errorf("none of the accounts %v is on this machine: run as an ordinary user, not as root", append(names, "nobody"))
}

func (a *Account) apply(attr *syscall.SysProcAttr) {
	if a == nil {
		return
	}
	attr.Credential = &syscall.Credential{Uid: uint32(a.UID), Gid: uint32(a.GID)}
}

// own gives dir and all in it to the account. Links are given away themselves, never followed: the account
// could have laid one to a file of root's.
func (a *Account) own(dir string) error {
	if a == nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // opened to look and to give away
	return fs.WalkDir(root.FS(), ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(path, a.UID, a.GID)
	})
}

// DataDir is where Redis's data is kept between runs: dir, or when this is root and the server's account cannot
// walk down to it (a checkout in /root), a folder of its own below /var/lib, named by dir.
func DataDir(dir string) (string, error) { return dataDir(dir, redisAccounts) }

// PostgresDataDir is DataDir for PostgreSQL.
func PostgresDataDir(dir string) (string, error) { return dataDir(dir, postgresAccounts) }

func dataDir(dir string, accounts []string) (string, error) {
	account, err := unprivileged(accounts...)
	if err != nil {
		return "", err
	}
	dir, err = filepath.Abs(dir)
	if err != nil || account.reaches(dir) {
		return dir, err
	}
	name := sha256.Sum256([]byte(dir))
	parent := filepath.Join("/var/lib/gatehouse-stack", hex.EncodeToString(name[:4]))
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	for _, walked := range []string{filepath.Dir(parent), parent} {
		if err := os.Chmod(walked, 0o711); err != nil { // whatever the umask was, the account walks through
			return "", err
		}
	}
	return filepath.Join(parent, filepath.Base(dir)), nil
}

// makeTemp makes a temporary directory that the account can reach, also where TMPDIR is root's alone.
func (a *Account) makeTemp(pattern string) (string, error) {
	parent := os.TempDir()
	for _, other := range []string{"/tmp", "/var/tmp"} {
		if a.reaches(filepath.Join(parent, "any")) {
			break
		}
		parent = other
	}
	return os.MkdirTemp(parent, pattern)
}

// reaches tells whether the account can walk down to dir, which root's home for one forbids.
func (a *Account) reaches(dir string) bool {
	if a == nil {
		return true
	}
	for parent := filepath.Dir(dir); ; parent = filepath.Dir(parent) {
		info, err := os.Stat(parent)
		if err != nil {
			return false
		}
		search := fs.FileMode(0o001)
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			switch {
			case int(stat.Uid) == a.UID:
				search = 0o100
			case int(stat.Gid) == a.GID:
				search = 0o010
			}
		}
		if info.Mode().Perm()&search == 0 {
			return false
		}
		if parent == filepath.Dir(parent) {
			return true
		}
	}
}
