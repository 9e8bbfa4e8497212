//go:build unix && !linux

package stack

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const childrenDieWithParent = false

// dieWithParent does nothing: only Linux ties a child's life to its parent's. After a crash of the starter
// the command `stack run` finds what was left behind and names it.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

func forkThread() {}

// waitStopped returns when ps shows the process as stopped ("T").
func (p *Process) waitStopped() error {
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(p.Pid())).Output()
		if err == nil && strings.HasPrefix(strings.TrimSpace(string(state)), "T") {
			return nil
		}
	}
	return fmt.Errorf("pause %s: not stopped 5s after SIGSTOP", p.spec.Name)
}
