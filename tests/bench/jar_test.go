package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestJar_replacesAndDeletes(t *testing.T) {
	j := NewJar(map[string]string{"a": "1", "b": "2"})
	require.Equal(t, "a=1; b=2", j.Header())
	j.Take([]byte("b=3; Path=/; Secure; HttpOnly"))
	require.Equal(t, "a=1; b=3", j.Header())
	j.Take([]byte("a=; Path=/; Max-Age=0; Secure"))
	require.Equal(t, "b=3", j.Header())
	j.Take([]byte("garbage"))
	require.Equal(t, "b=3", j.Header())
	var none *Jar
	none.Take([]byte("a=1"))
	require.Empty(t, none.Header())
}

// A client without a jar made the edge seal a new ticket for every request: the bench measured a browser that
// does not exist.
func TestRun_keepsCookies(t *testing.T) {
	var sets atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("ticket"); err != nil || c.Value != "new" {
			sets.Add(1)
			w.Header().Add("Set-Cookie", "ticket=new; Path=/; HttpOnly")
		}
		fmt.Fprint(w, "ok")
	}))
	defer server.Close()
	jar := NewJar(map[string]string{"ticket": "old"})
	request := func(uint64) []byte {
		return fmt.Appendf(nil, "GET / HTTP/1.1\r\nHost: bench\r\nCookie: %s\r\n\r\n", jar.Header())
	}
	r, err := Run(context.Background(), server.Listener.Addr().String(), 2, 200*time.Millisecond, request, jar)
	require.NoError(t, err)
	require.Greater(t, r.Requests, 10)
	require.LessOrEqual(t, sets.Load(), int64(2), "one for each connection at most")
	sets.Store(0)
	_, err = Pace(context.Background(), server.Listener.Addr().String(), 100, 1, 200*time.Millisecond, request, jar)
	require.NoError(t, err)
	require.Zero(t, sets.Load())
}
