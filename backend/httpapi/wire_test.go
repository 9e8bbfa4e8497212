package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/gatehouse-proxy/gatehouse/backend/caller"
)

// TestWire sends what no client of net/http would, over a connection.
func TestWire(t *testing.T) {
	f := newFixture(t)
	server := httptest.NewServer(caller.Log(caller.LogOptions{Logger: zap.NewNop()})(signed(f.api)))
	t.Cleanup(server.Close)
	chunk := "1000\r\n" + strings.Repeat("x", 0x1000) + "\r\n"
	for _, tt := range []struct {
		name, give string
		status     int
		code       string
	}{
		{"chunks of nothing", "DELETE /api/clients/c1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 503, "unavailable"},
		{"chunked body", "POST /api/clients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0c\r\n{\"name\":\"A\"}\r\n0\r\n\r\n", 503, "unavailable"},
		{"chunked body of a GET", "GET /api/clients HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400, "malformed_body"},
		{"endless chunks", "POST /api/clients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 257), 413, "body_too_large"},
		{"large by its own word", "POST /api/clients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9999999999\r\n\r\n{", 413, "body_too_large"},
		{"broken chunk", "POST /api/clients HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400, "malformed_body"},
		{"whole address", "GET http://elsewhere/api/clients HTTP/1.1\r\nHost: a\r\n\r\n", 503, "unavailable"},
		{"stars", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 200, ""}, // net/http answers it
		{"no slash", "GET api/clients HTTP/1.1\r\nHost: a\r\n\r\n", 400, ""},
		{"question marks", "GET /api/clients??limit=1 HTTP/1.1\r\nHost: a\r\n\r\n", 422, "invalid_parameter"},
		{"raw bytes in the path", "GET /api/clients/\xff\xfe HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not_found"},
		{"trace", "TRACE /api/clients HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method_not_allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil { // for who waits for ever
				t.Fatal(err)
			}
			go func() { _, _ = io.WriteString(conn, tt.give) }() // the server may answer before it has read all
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tt.status || !strings.Contains(string(body), fmt.Sprintf("%q", tt.code)) && tt.code != "" {
				t.Errorf("got %d %s, want %d %s", response.StatusCode, body, tt.status, tt.code)
			}
		})
	}
}
