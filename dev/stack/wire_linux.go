package stack

import (
	"errors"
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// dropArriving has the kernel throw away what arrives at a socket. The filter, a program of one instruction that
// keeps nothing of a packet, is asked before TCP is: a listener's sees the SYN, a connection's the data, the
// acknowledgements and the end.
func dropArriving(s syscall.Conn) error {
	keepNothing := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	return control(s, "drop packets", func(fd int) error {
		return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &keepNothing})
	})
}

// passArriving takes the filter away.
func passArriving(s syscall.Conn) error {
	return control(s, "let packets pass", func(fd int) error {
		err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
		if errors.Is(err, unix.ENOENT) { // it has none
			return nil
		}
		return err
	})
}

func control(s syscall.Conn, what string, change func(fd int) error) error {
	raw, err := s.SyscallConn()
	if err == nil {
		var inner error
		if err = raw.Control(func(fd uintptr) { inner = change(int(fd)) }); err == nil {
			err = inner
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
