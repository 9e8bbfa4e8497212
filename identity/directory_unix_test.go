//go:build unix

package identity

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDirectory_judgesPermissions(t *testing.T) {
	keyPEM, _, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		dir, file os.FileMode
		want      string
	}{
		"private":                      {0o700, 0o600, ""},
		"read by the group":            {0o750, 0o640, ""},
		"a directory that others read": {0o755, 0o400, ""},
		"a sticky one for all":         {0o777 | fs.ModeSticky, 0o400, ""},
		"a file that others read":      {0o700, 0o604, "chmod 0600"},
		"a file that others write":     {0o700, 0o602, "chmod 0600"},
		"a file that the group writes": {0o700, 0o660, "chmod 0600"},
		"a directory for the group":    {0o770, 0o600, "others can add keys"},
		"a directory for all":          {0o707, 0o600, "others can add keys"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "keys")
			path := filepath.Join(dir, "1.pem")
			for _, err := range []error{os.Mkdir(dir, 0o700), os.WriteFile(path, keyPEM, 0o600), os.Chmod(path, tc.file), os.Chmod(dir, tc.dir)} {
				if err != nil {
					t.Fatal(err)
				}
			}
			_, err := Directory(dir).Keys(t.Context())
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("got %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// A link, or a file moved in from elsewhere, is validated by its owner.
func TestDirectory_judgesOwners(t *testing.T) {
	self := uint32(os.Geteuid())
	for uid, good := range map[uint32]bool{0: true, self: true, self + 1: false} {
		info := owned{uid: uid}
		if err := validateFile("1.pem", info); (err == nil) != good {
			t.Errorf("a file of user %d: %v, want good = %v", uid, err, good)
		}
		if err := validateDirectory("keys", info); (err == nil) != good {
			t.Errorf("a directory of user %d: %v, want good = %v", uid, err, good)
		}
	}
}

// A named pipe that nobody writes to must not hold up the start.
func TestDirectory_doesNotWaitForAPipe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "1.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Directory(dir).Keys(t.Context()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("got %v", err)
	}
}

type owned struct{ uid uint32 }

func (owned) Name() string       { return "" }
func (owned) Size() int64        { return 0 }
func (owned) Mode() fs.FileMode  { return 0o600 }
func (owned) ModTime() time.Time { return time.Time{} }
func (owned) IsDir() bool        { return false }
func (o owned) Sys() any         { return &syscall.Stat_t{Uid: o.uid} }
