//go:build unix

package identity

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openKeyFile does not wait for a writer when the path is a named pipe.
func openKeyFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// validateFile refuses a key that others can read or change. The group may read: a key that root owns
// and the server's group reads is common and good.
func validateFile(path string, info fs.FileInfo) error {
	if err := validateOwner(path, info); err != nil {
		return err
	}
	if perm := info.Mode().Perm(); perm&0o027 != 0 {
		return fmt.Errorf("%s is open to others (mode %04o): chmod 0600, or 0640 for the server's group", path, perm)
	}
	return nil
}

// validateDirectory refuses a folder in which others can put or replace files. A sticky one is
// accepted, as mounts of Kubernetes secrets are: there validateFile's look at the owner protects.
func validateDirectory(path string, info fs.FileInfo) error {
	if err := validateOwner(path, info); err != nil {
		return err
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return fmt.Errorf("others can add keys to %s (mode %04o): chmod 0750", path, perm)
	}
	return nil
}

func validateOwner(path string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%s: its owner cannot be seen", path)
	}
	if self := os.Geteuid(); stat.Uid != 0 && int(stat.Uid) != self {
		return fmt.Errorf("%s belongs to user %d: chown it to root or to user %d, which runs this", path, stat.Uid, self)
	}
	return nil
}
