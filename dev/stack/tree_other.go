//go:build unix && !linux

package stack

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
)

// childrenOf lists the processes that pid has started and that have not ended.
func childrenOf(pid int) ([]int, error) {
	table, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=").Output()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var children []int
	for lines := bufio.NewScanner(bytes.NewReader(table)); lines.Scan(); {
		var child, parent int
		if n, _ := fmt.Sscan(lines.Text(), &child, &parent); n == 2 && parent == pid {
			children = append(children, child)
		}
	}
	return children, nil
}

// processState is the letter that ps shows: T for stopped, Z for a zombie; 0 when there is no such process.
func processState(pid int) byte {
	state, err := exec.Command("ps", "-o", "state=", "-p", strconv.Itoa(pid)).Output()
	if state = bytes.TrimSpace(state); err != nil || len(state) == 0 {
		return 0
	}
	return state[0]
}
