//go:build unix && !linux

package stack

// memoryDir is empty: no directory of these systems is in memory.
func memoryDir() string { return "" }
