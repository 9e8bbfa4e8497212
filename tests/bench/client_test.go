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

func TestRun_countsWhatTheServerServed(t *testing.T) {
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := served.Add(1)
		if n%10 == 0 {
			w.Header().Set("Connection", "close")
		}
		if n%3 == 0 {
			w.WriteHeader(http.StatusTooManyRequests)
		}
		fmt.Fprint(w, r.URL.Path)
	}))
	defer server.Close()
	addr := server.Listener.Addr().String()
	r, err := Run(context.Background(), addr, 4, 300*time.Millisecond, func(n uint64) []byte {
		return fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: bench\r\n\r\n", n)
	})
	require.NoError(t, err)
	require.EqualValues(t, served.Load(), r.Requests)
	require.Equal(t, r.Requests, r.Statuses[200]+r.Statuses[429])
	require.Positive(t, r.Statuses[429])
	require.Positive(t, r.P50)
	require.LessOrEqual(t, r.P50, r.P99)
}

func TestRun_saysWhenNobodyListens(t *testing.T) {
	_, err := Run(context.Background(), "127.0.0.1:1", 1, time.Second, func(uint64) []byte { return nil })
	require.ErrorContains(t, err, "dial 127.0.0.1:1")
}
