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
	r, err := Run(context.Background(), addr, 4, 300*time.Millisecond, plainRequest, nil)
	require.NoError(t, err)
	require.EqualValues(t, served.Load(), r.Requests)
	require.Equal(t, r.Requests, r.Statuses[200]+r.Statuses[429])
	require.Positive(t, r.Statuses[429])
	require.Positive(t, r.P50)
	require.LessOrEqual(t, r.P50, r.P99)
}

func TestRun_saysWhenNobodyListens(t *testing.T) {
	_, err := Run(context.Background(), "127.0.0.1:1", 1, time.Second, func(uint64) []byte { return nil }, nil)
	require.ErrorContains(t, err, "dial 127.0.0.1:1")
}

func plainRequest(n uint64) []byte {
	return fmt.Appendf(nil, "GET /%d HTTP/1.1\r\nHost: bench\r\n\r\n", n)
}

// A client that waits for an answer before it sends the next request would see one slow answer here. The people
// whom it stands for would have seen dozens.
func TestPace_chargesAStallToAllWhoWereDue(t *testing.T) {
	const stall = 600 * time.Millisecond
	var served atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if served.Add(1) == 10 {
			time.Sleep(stall)
		}
		fmt.Fprint(w, "ok")
	}))
	defer server.Close()
	r, err := Pace(context.Background(), server.Listener.Addr().String(), 100, 1, 800*time.Millisecond, plainRequest, nil)
	require.NoError(t, err)
	require.Equal(t, 80, r.Requests)
	require.Equal(t, map[int]int{200: 80}, r.Statuses)
	require.EqualValues(t, 80, served.Load())
	// 60 of the 80 were due during the stall, each 10 ms after the other: the one in the middle of all
	// waited for a third of it.
	require.GreaterOrEqual(t, r.Max, stall)
	require.GreaterOrEqual(t, r.P50, stall/4, "only the one that met it was charged")
	require.LessOrEqual(t, r.P50, r.P99)
	require.LessOrEqual(t, r.P99, r.P999)
	require.LessOrEqual(t, r.P999, r.Max)
}

func TestPace_sendsAtItsRate(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Path) }))
	defer server.Close()
	begun := time.Now()
	r, err := Pace(context.Background(), server.Listener.Addr().String(), 200, 8, 500*time.Millisecond, plainRequest, nil)
	require.NoError(t, err)
	require.Equal(t, 100, r.Requests)
	require.GreaterOrEqual(t, time.Since(begun), 495*time.Millisecond, "the last is due 5 ms before the end")
}

func TestPace_saysWhenNobodyListens(t *testing.T) {
	_, err := Pace(context.Background(), "127.0.0.1:1", 100, 2, 100*time.Millisecond, plainRequest, nil)
	require.ErrorContains(t, err, "dial 127.0.0.1:1")
}
