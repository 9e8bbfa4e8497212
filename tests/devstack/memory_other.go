//go:build unix && !linux

package devstack

// memoryDir is empty: no directory of these systems is in memory.
func memoryDir() string { return "" }
