package signin

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Steady work asks Redis seldom: copies are kept until Redis says that they changed, and activity is told
// once a minute. What scripts do inside Redis is not counted.
func TestRedis_isAskedSeldom(t *testing.T) {
	const most = 0.05 // commands a request
	s := start(t, "")
	crowd := make([]*person, people)
	for i := range crowd {
		crowd[i] = s.person("mia")
		crowd[i].signIn(i%2, "/")
		for range 3 {
			crowd[i].seen(crowd[i].call(0, "/"))
			crowd[i].seen(crowd[i].call(1, "/"))
		}
	}
	commands := monitor(t, s.redis.Addr())
	l := s.work(crowd)
	time.Sleep(70 * time.Second)
	all := l.end()
	n := commands()
	t.Logf("%d requests, statuses %v, %d commands about sessions: %.4f a request", all.total, all.statuses, n, float64(n)/float64(all.total))
	require.Equal(t, all.total, all.statuses[http.StatusOK])
	require.LessOrEqual(t, float64(n)/float64(all.total), most)
	require.Positive(t, n, "activity is told after a minute at the latest, so some must have been")
}

// monitor counts the commands about sessions that clients send from now on.
func monitor(t *testing.T, addr string) (count func() int64) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	_, err = conn.Write([]byte("MONITOR\r\n"))
	require.NoError(t, err)
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, 1<<20)
	require.True(t, lines.Scan())
	require.Equal(t, "+OK", lines.Text())
	var n atomic.Int64
	go func() {
		for lines.Scan() {
			line := lines.Text()
			if !strings.Contains(line, " lua]") && (strings.Contains(line, ":s:{") || strings.Contains(line, ":nb:{")) {
				n.Add(1)
			}
		}
	}()
	return n.Load
}
