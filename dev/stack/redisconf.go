package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// maxSocketPath is what fits into a socket address everywhere (macOS has 104 bytes with the closing zero).
const maxSocketPath = 103

// layOut makes the directory and puts into it what outlives a restart: the ACL file and the certificates.
func (r *Redis) layOut() error {
	if err := r.makeDir(); err != nil {
		return err
	}
	if r.opts.UnixSocket {
		if err := r.chooseSocket(); err != nil {
			return err
		}
	}
	if len(r.opts.ACL) > 0 {
		if err := r.writeFile("users.acl", strings.Join(r.aclLines(), "\n")+"\n"); err != nil {
			return err
		}
	}
	if r.opts.TLS != nil {
		if err := r.copyTLSFiles(); err != nil {
			return err
		}
	}
	return r.account.own(r.dir)
}

func (r *Redis) makeDir() error {
	if r.opts.Dir == "" {
		dir, err := r.account.makeTemp("gatehouse-redis-")
		if err != nil {
			return err
		}
		r.dir, r.temp = dir, append(r.temp, dir)
	} else {
		dir, err := filepath.Abs(r.opts.Dir)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		r.dir = dir
	}
	if !r.account.reaches(r.dir) {
		return fmt.Errorf("the account %q, which the server runs as because this is root, cannot reach %s: choose a directory outside of root's home", r.account.Name, r.dir)
	}
	return nil
}

func (r *Redis) chooseSocket() error {
	r.socket = filepath.Join(r.dir, "redis.sock")
	if len(r.socket) <= maxSocketPath {
		return nil
	}
	dir, err := os.MkdirTemp("/tmp", "gatehouse-") // short; TMPDIR is what made the other one long
	if err != nil {
		return err
	}
	r.temp = append(r.temp, dir)
	r.socket = filepath.Join(dir, "redis.sock")
	return r.account.own(dir)
}

// aclLines adds the administrator, and the default user with its password: an ACL file that does not name it
// would open it to everybody.
func (r *Redis) aclLines() []string {
	lines := slices.Clone(r.opts.ACL)
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "user default ") }) {
		secret := "nopass"
		if r.opts.Password != "" {
			secret = ">" + r.opts.Password
		}
		lines = append(lines, "user default on "+secret+" ~* &* +@all")
	}
	return append(lines, "user "+adminUser+" on >"+adminPassword+" ~* &* +@all")
}

// writeConfig writes redis.conf anew for each start, so that CONFIG REWRITE and REPLICAOF of a test do not
// outlive a restart unasked.
func (r *Redis) writeConfig() error {
	lines := []string{
		"bind 127.0.0.1",
		"dir " + strconv.Quote(r.dir),
		"daemonize no",
		"repl-diskless-sync-delay 0", // a replica of ours would wait 5 s for company
		"save \"\"",
		"enable-debug-command yes", // DEBUG SLEEP is how a test makes Redis slow
	}
	if r.opts.AppendOnly {
		lines = append(lines, "appendonly yes", "appendfsync always")
	} else {
		lines = append(lines, "appendonly no")
	}
	if r.opts.TLS == nil {
		lines = append(lines, fmt.Sprintf("port %d", r.port.Number))
	} else {
		lines = append(lines, r.tlsLines()...)
	}
	if r.socket != "" {
		lines = append(lines, "unixsocket "+strconv.Quote(r.socket), "unixsocketperm 777")
	}
	if len(r.opts.ACL) > 0 {
		lines = append(lines, "aclfile "+strconv.Quote(filepath.Join(r.dir, "users.acl")))
	} else if r.opts.Password != "" {
		lines = append(lines, "requirepass "+strconv.Quote(r.opts.Password))
	}
	if primary := r.opts.ReplicaOf; primary != nil {
		lines = append(lines, "replicaof 127.0.0.1 "+strconv.Itoa(primary.port.Number))
		if len(primary.opts.ACL) > 0 {
			lines = append(lines, "masteruser "+adminUser, "masterauth "+adminPassword)
		} else if primary.opts.Password != "" {
			lines = append(lines, "masterauth "+strconv.Quote(primary.opts.Password))
		}
	}
	lines = append(lines, r.opts.Config...)
	if err := r.writeFile("redis.conf", strings.Join(lines, "\n")+"\n"); err != nil {
		return err
	}
	return r.account.own(r.dir)
}

// writeFile writes for the server's eyes only. A file that is there is replaced, not written through: in a
// directory that another account owns it could be a link.
func (r *Redis) writeFile(name, text string) error {
	path := filepath.Join(r.dir, name)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		_ = f.Close() // the write's error is the better one
		return err
	}
	return f.Close()
}
