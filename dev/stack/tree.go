package stack

import (
	"errors"
	"fmt"
	"syscall"
	"time"
)

// treePatience is how long processes that were signalled may take to show it.
const treePatience = 5 * time.Second

// signalAll signals processes that are not our children. One that is gone is fine.
func signalAll(pids []int, sig syscall.Signal) error {
	var errs []error
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			errs = append(errs, fmt.Errorf("send %s to pid %d: %w", sig, pid, err))
		}
	}
	return errors.Join(errs...)
}

// waitGone returns when none of the processes runs any more. A negative number is a group.
func waitGone(pids []int) error {
	return waitEach(pids, "running", func(pid int) bool {
		if pid < 0 {
			return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		}
		state := processState(pid)
		return state == 0 || state == 'Z' // a zombie, where nobody asks for its exit status
	})
}

// waitStopped returns when all of the processes have stopped or ended: SIGSTOP is on its way when kill(2) returns.
func waitStopped(pids []int) error {
	return waitEach(pids, "not stopped", func(pid int) bool {
		switch processState(pid) {
		case 0, 'Z', 'T', 't':
			return true
		}
		return false
	})
}

func waitEach(pids []int, still string, ok func(int) bool) error {
	deadline := time.Now().Add(treePatience)
	for _, pid := range pids {
		for !ok(pid) {
			if time.Now().After(deadline) {
				return fmt.Errorf("pid %d is still %s %s after its signal", pid, still, treePatience)
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}
