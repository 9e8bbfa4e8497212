package backend

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// stopped waits until the process has said that it stops.
func stopped(t *testing.T, b *stack.Backend, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, b.Process().Signal(sig))
	require.Eventually(t, func() bool { return strings.Contains(b.Log(), `"msg":"stopping"`) }, patience, 5*time.Millisecond)
}

func ended(t *testing.T, b *stack.Backend) {
	t.Helper()
	select {
	case <-b.Process().Done():
	case <-time.After(patience):
		t.Fatal("it does not end")
	}
}

func TestServe_finishesWhatItHasBegun(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			h := newHouse(t)
			b := stack.BackendForTest(t, h.options())
			release := h.hold()
			request := h.later(b.URL() + "/api/clients/c1")
			h.waiting()
			stopped(t, b, sig)
			require.Eventually(t, func() bool { _, _, err := h.try(b.URL() + "/health"); return err != nil }, patience, 5*time.Millisecond, "new ones are not taken")
			release()
			got := <-request
			require.NoError(t, got.err)
			require.Equal(t, http.StatusOK, got.status)
			require.Contains(t, got.body, "Acme")
			ended(t, b)
			require.Equal(t, 0, b.Process().ExitCode())
			require.Contains(t, b.Log(), `"msg":"stopped"`)
			require.NotContains(t, b.Log(), "abandoned")
		})
	}
}

// Whoever is in a hurry signals twice.
func TestServe_endsAtOnceBySecondSignal(t *testing.T) {
	h := newHouse(t)
	b := stack.BackendForTest(t, h.options())
	release := h.hold()
	defer release()
	request := h.later(b.URL() + "/api/clients/c1")
	h.waiting()
	stopped(t, b, syscall.SIGTERM)
	require.NoError(t, b.Process().Signal(syscall.SIGTERM))
	ended(t, b)
	require.Error(t, (<-request).err)
}

// What takes longer than 10 s is rolled back, and the process ends in order all the same.
func TestServe_abandonsWhatTakesTooLong(t *testing.T) {
	h := newHouse(t)
	options := h.options()
	options.DatabaseURL += "&lock_timeout=1h&statement_timeout=1h"
	b := stack.BackendForTest(t, options)
	release := h.hold()
	defer release()
	request := h.later(b.URL() + "/api/clients/c1")
	h.waiting()
	stopped(t, b, syscall.SIGTERM)
	ended(t, b)
	require.Equal(t, 0, b.Process().ExitCode())
	require.Contains(t, b.Log(), "abandoned")
	require.NotContains(t, b.Log(), "panic")
	got := <-request
	require.NoError(t, got.err)
	require.Equal(t, http.StatusServiceUnavailable, got.status, "what was rolled back must not look done")
}
