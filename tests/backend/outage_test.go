package backend

import (
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// Connections that died in the pool are found out before anything was done on them: no request notices.
func TestServe_isNotNoticedThatTheDatabaseWasRestarted(t *testing.T) {
	pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{})
	h := houseOn(t, pg)
	b := stack.BackendForTest(t, h.options())
	var answers []<-chan answer
	release := h.hold() // ten at once fill the pool
	for range 10 {
		answers = append(answers, h.later(b.URL()+"/api/clients"))
	}
	h.waiting()
	release()
	for _, a := range answers {
		require.Equal(t, http.StatusOK, (<-a).status)
	}
	for _, end := range []func() error{pg.Kill, func() error { return nil }} { // crashed, and stopped in order
		require.NoError(t, end())
		require.NoError(t, pg.Restart(t.Context()))
		for n := range 12 {
			response, body := h.get(b.URL() + "/api/clients")
			require.Equal(t, http.StatusOK, response.StatusCode, "request %d: %s", n, body)
		}
	}
}

// A connection that ends in the middle of a request ends that request, and no other.
func TestServe_answers503WhenItsConnectionEndsInTheMiddle(t *testing.T) {
	for name, end := range map[string]func(h *house, pid int) error{
		"by an operator": func(h *house, pid int) error {
			return h.database.Exec(h.t.Context(), fmt.Sprintf("select pg_terminate_backend(%d)", pid))
		},
		"by kill -9": func(_ *house, pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }, // all of them, then
	} {
		t.Run(name, func(t *testing.T) {
			pg := stack.OwnPostgresForTest(t, stack.PostgresOptions{})
			h := houseOn(t, pg)
			b := stack.BackendForTest(t, h.options())
			for _, path := range []string{"/api/clients", "/clients"} {
				release := h.hold()
				request := h.later(b.URL() + path)
				require.NoError(t, end(h, h.waiting()))
				got := <-request
				require.NoError(t, got.err)
				require.Equal(t, http.StatusServiceUnavailable, got.status, got.body)
				require.NotContains(t, got.body, "SQLSTATE")
				release()
				require.Eventually(t, func() bool { // PostgreSQL recovers from the crash of a child
					response, _ := h.get(b.URL() + path)
					return response.StatusCode == http.StatusOK
				}, patience, 20*time.Millisecond)
			}
			response, _ := h.get(b.URL() + "/ready")
			require.Equal(t, http.StatusOK, response.StatusCode)
		})
	}
}

// A lock that somebody holds for too long is a matter of waiting, and says so.
func TestServe_answers503WhenALockIsHeldForTooLong(t *testing.T) {
	h := newHouse(t)
	options := h.options()
	options.DatabaseURL += "&lock_timeout=50ms"
	b := stack.BackendForTest(t, options)
	release := h.hold()
	response, body := h.get(b.URL() + "/api/clients")
	require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	require.Equal(t, "unavailable", code(t, body))
	require.NotEmpty(t, response.Header.Get("Retry-After"))
	release()
	response, _ = h.get(b.URL() + "/api/clients")
	require.Equal(t, http.StatusOK, response.StatusCode)
}
