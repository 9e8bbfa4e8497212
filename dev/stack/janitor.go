package stack

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// janitor is a small shell that waits for this process to end, however it does, and then cleans up after one
// PostgreSQL. The kernel's signal (see dieWithParent) is not enough: it cannot remove a directory, a server that is
// paused does not hear it, and only Linux sends it. It holds the lock on a directory that is kept until it is done.
type janitor struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser // its end says that this process is gone
}

// The pid is believed only when that process works in the data directory, where the system can tell: it may be
// somebody else's by now. What was stopped by SIGSTOP must go on to hear anything.
const janitorScript = `trap '' HUP INT QUIT TERM
read -r word && exit 0
dir=$1
if read -r pid <"$dir/data/postmaster.pid" && { [ ! -d /proc/self ] || [ "/proc/$pid/cwd" -ef "$dir/data" ]; }; then
	kill -QUIT "$pid"
	for child in $(cat "/proc/$pid/task/$pid/children" || pgrep -P "$pid"); do kill -CONT "$child"; done
	kill -CONT "$pid"
	tries=0
	while kill -0 "$pid" && [ $tries -lt 100 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	kill -KILL "$pid"
fi
[ "$2" = keep ] || rm -rf "$dir" || { sleep 1; rm -rf "$dir"; }`

// startJanitor sets one onto dir, which is removed unless it is locked.
func startJanitor(dir string, lock *os.File, account *Account) (*janitor, error) {
	what := "remove"
	if lock != nil {
		what = "keep"
	}
	// A session of its own: neither Ctrl-C nor a closed terminal ends it first.
	cmd := exec.Command("/bin/sh", "-c", janitorScript, "gatehouse-janitor", dir, what)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	account.apply(cmd.SysProcAttr)
	if lock != nil {
		cmd.ExtraFiles = []*os.File{lock}
	}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the janitor of %s: %w", dir, err), pipe.Close())
	}
	return &janitor{cmd: cmd, pipe: pipe}, nil
}

// dismiss ends it with nothing done. A nil janitor is fine.
func (j *janitor) dismiss() error {
	if j == nil {
		return nil
	}
	_, err := io.WriteString(j.pipe, "dismissed\n")
	return errors.Join(err, j.pipe.Close(), j.cmd.Wait())
}
