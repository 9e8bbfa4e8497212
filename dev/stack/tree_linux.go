package stack

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// childrenOf lists the processes that pid has started and that have not ended.
func childrenOf(pid int) ([]int, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var children []int
	for _, dir := range dirs {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		if _, parent := processStat(child); parent == pid {
			children = append(children, child)
		}
	}
	return children, nil
}

// processState is the letter that ps shows: T for stopped, Z for a zombie; 0 when there is no such process.
func processState(pid int) byte {
	state, _ := processStat(pid)
	return state
}

func processStat(pid int) (state byte, parent int) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, 0
	}
	// 12 (any name, also with blanks and parentheses) S 1 …
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 2 {
		return 0, 0
	}
	parent, err = strconv.Atoi(string(fields[1]))
	if err != nil {
		return 0, 0
	}
	return fields[0][0], parent
}
