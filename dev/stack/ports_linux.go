package stack

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ReservePort finds a free port and holds it by a socket that is bound and does not listen. Linux lets a
// server with SO_REUSEADDR (Redis, PostgreSQL, everything in Go) bind beside it, and gives the port to
// nobody who asks for "any", neither for listening nor as the near end of a connection.
func ReservePort() (*Port, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	port, err := bindAny(fd)
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	return &Port{Number: port, release: func() { _ = unix.Close(fd) }}, nil
}

func bindAny(fd int) (int, error) {
	// SO_REUSEADDR comes after bind, so that no two reservations can be found compatible.
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return 0, err
	}
	bound, ok := name.(*unix.SockaddrInet4)
	if !ok {
		return 0, fmt.Errorf("bound to %v, which is no IPv4 address", name)
	}
	return bound.Port, nil
}

// portHolder names the process that listens on port; empty when it belongs to somebody whose descriptors we
// may not read.
func portHolder(port int) (string, int) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeningInodes(table, port, sockets)
	}
	descriptors, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, descriptor := range descriptors {
		target, err := os.Readlink(descriptor)
		if err != nil || !sockets[target] {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(descriptor, "/")[2])
		if err != nil {
			continue
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			continue
		}
		return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(name)), pid), pid
	}
	return "", 0
}

// listeningInodes adds "socket:[<inode>]" of each socket of the table that listens on port.
func listeningInodes(table string, port int, to map[string]bool) {
	f, err := os.Open(table)
	if err != nil {
		return
	}
	defer f.Close()
	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		const listen = "0A"
		if len(fields) > 9 && strings.HasSuffix(fields[1], suffix) && fields[3] == listen {
			to["socket:["+fields[9]+"]"] = true
		}
	}
}
