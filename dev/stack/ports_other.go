//go:build unix && !linux

package stack

import (
	"fmt"
	"net"
	"sync"
)

var (
	givenMu sync.Mutex
	given   = map[int]bool{}
)

// ReservePort finds a free port and does not give it out again in this process. Other processes may take it:
// whoever starts a server on it tries again with another.
func ReservePort() (*Port, error) {
	givenMu.Lock()
	defer givenMu.Unlock()
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("reserve a port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return nil, fmt.Errorf("reserve a port: %w", err)
		}
		if given[port] {
			continue
		}
		given[port] = true
		return &Port{Number: port, release: func() {
			givenMu.Lock()
			defer givenMu.Unlock()
			delete(given, port)
		}}, nil
	}
}

// portHolder is left to lsof, which the error names.
func portHolder(int) (string, int) { return "", 0 }
