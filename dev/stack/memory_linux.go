package stack

import "golang.org/x/sys/unix"

// memoryDir is a directory in memory with room for the data of tests; empty where there is none. A container has
// 64 MB there unless told otherwise, which a few databases would fill.
func memoryDir() string {
	const dir, room = "/dev/shm", 2 << 30
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	return dir
}
