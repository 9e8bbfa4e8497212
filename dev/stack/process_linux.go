package stack

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const childrenDieWithParent = true

// dieWithParent has the kernel send the child sig when its parent ends, also by SIGKILL or a panic. What the
// kernel calls the parent is the *thread* that forked: hence forkThread.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }

// forkThread ties the calling goroutine to its thread. The goroutine must never end: the Go runtime ends idle
// threads, and the children of one that ended would be killed in the middle of a test.
func forkThread() { runtime.LockOSThread() }

// waitStopped returns when all threads of the process have stopped: SIGSTOP is on its way when kill(2)
// returns, and a Redis that is "hung" could answer once more.
func (p *Process) waitStopped() error {
	for deadline := time.Now().Add(5 * time.Second); ; {
		var info unix.Siginfo
		// WNOWAIT and no WEXITED: this never takes the exit status that Wait is to get.
		err := unix.Waitid(unix.P_PID, p.Pid(), &info, unix.WSTOPPED|unix.WNOHANG|unix.WNOWAIT, nil)
		switch {
		case err == nil && info.Signo == int32(unix.SIGCHLD):
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("pause %s: %w", p.spec.Name, err)
		case !p.Running():
			return fmt.Errorf("pause %s: %w", p.spec.Name, p.Err())
		case time.Now().After(deadline):
			return fmt.Errorf("pause %s: still running 5s after SIGSTOP", p.spec.Name)
		}
		time.Sleep(time.Millisecond)
	}
}
