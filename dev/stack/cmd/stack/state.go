package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// state is the directory that a run keeps for the next one, and the note in it by which other commands find the
// run. One run at a time has it.
type state struct {
	dir  string
	lock *os.File
}

// note is what a run leaves for `stack redis`, and for the next run if it crashes.
type note struct {
	PID int `json:"pid"`
	// Control is the path of the Unix socket that takes commands; empty until Redis runs.
	Control string `json:"control,omitempty"`
	// Started are the processes of the run by name, program and pid.
	Started []started `json:"started"`
}

type started struct {
	Name    string `json:"name"`
	Program string `json:"program"`
	PID     int    `json:"pid"`
}

// stateDir is dir, or the default one of the checkout.
func stateDir(dir string) (string, error) {
	if dir != "" {
		return filepath.Abs(dir)
	}
	root, err := stack.ModuleRoot()
	if err != nil {
		return "", err
	}
	return filepath.Join(root, stack.StateDir), nil
}

// openState takes the directory for this run. Another run that has it, or processes that a crashed one has left,
// are errors that say what to do.
func openState(dir string) (*state, error) {
	s := &state{dir: dir}
	if err := s.open(); err != nil {
		return nil, permissionCure(err, dir)
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		s.lock.Close()
		if n, err := s.read(); err == nil {
			return nil, fmt.Errorf("it runs already (pid %d): stop it by Ctrl-C where it runs, or by `kill %d`", n.PID, n.PID)
		}
		return nil, fmt.Errorf("another run has %s: stop it by Ctrl-C where it runs", dir)
	}
	if err := s.leftovers(); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

// permissionCure adds what to do about a directory that a run as another user has made.
func permissionCure(err error, dir string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fmt.Errorf("%w: another user's run has made it; remove it (sudo rm -rf %s), or run as that user", err, dir)
}

func (s *state) open() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	// Whoever made it, with whatever umask: the accounts of the servers walk through it when this is root.
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	// Not only the repository's .gitignore: the directory may be anywhere.
	if err := os.WriteFile(s.path(".gitignore"), []byte("*\n"), 0o600); err != nil {
		return err
	}
	lock, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	s.lock = lock
	return err
}

// leftovers finds processes of a run that crashed, and clears away what else it left. On Linux there are none:
// they died with it.
func (s *state) leftovers() error {
	n, err := s.read()
	if err != nil {
		return nil //nolint:nilerr // no note, or half of one: nothing is known to be left
	}
	var left, kill []string
	for _, p := range n.Started {
		// A pid is used again some day, so the program's name has to match as well.
		if programOf(p.PID) == p.Program {
			left = append(left, fmt.Sprintf("%s (pid %d)", p.Name, p.PID))
			kill = append(kill, strconv.Itoa(p.PID))
		}
	}
	if len(left) == 0 {
		if n.Control != "" { // its socket, in a directory of its own
			_ = os.Remove(n.Control)
			_ = os.Remove(filepath.Dir(n.Control))
		}
		return nil
	}
	return fmt.Errorf("an earlier run has crashed and left %s: stop what is left by `kill %s`", strings.Join(left, ", "), strings.Join(kill, " "))
}

// programOf is the file name of the program that runs as pid; empty when none does.
func programOf(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		name, err = exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	}
	if err != nil {
		return ""
	}
	return filepath.Base(strings.TrimSpace(string(name)))
}

func (s *state) path(parts ...string) string {
	return filepath.Join(append([]string{s.dir}, parts...)...)
}

func (s *state) notePath() string { return s.path("run.json") }

func (s *state) read() (note, error) {
	var n note
	text, err := os.ReadFile(s.notePath())
	if err != nil {
		return n, err
	}
	return n, json.Unmarshal(text, &n)
}

func (s *state) write(n note) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	// Renamed into place, so that nobody reads half a note.
	part := s.notePath() + ".part"
	if err := os.WriteFile(part, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(part, s.notePath())
}

// close removes the note and lets the next run in.
func (s *state) close() {
	_ = os.Remove(s.notePath())
	s.lock.Close()
}
