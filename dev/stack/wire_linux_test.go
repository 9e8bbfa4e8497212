package stack

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// unacknowledged is how many packets of a connection were sent and not acknowledged.
func unacknowledged(t *testing.T, c net.Conn) int {
	t.Helper()
	var info *unix.TCPInfo
	require.NoError(t, control(c.(*net.TCPConn), "look", func(fd int) (err error) {
		info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err
	}))
	return int(info.Unacked)
}
