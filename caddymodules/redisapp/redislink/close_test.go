package redislink

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClose_callsWhoAskedForIt(t *testing.T) {
	l := Open(Options{Addresses: []string{"127.0.0.1:1"}}, "test", Settings{})
	var called []string
	l.BeforeClose(func() { called = append(called, "first") })
	cancel := l.BeforeClose(func() { called = append(called, "cancelled") })
	l.BeforeClose(func() { called = append(called, "last") })
	cancel()
	cancel()
	require.NoError(t, l.Close())
	assert.Equal(t, []string{"first", "last"}, called)
}
