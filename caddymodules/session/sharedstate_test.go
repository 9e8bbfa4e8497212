package session

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// linked is the app redis with one link.
type linked struct{ link *redislink.Link }

func (linked) Configured() bool                                         { return true }
func (linked) Namespace() string                                        { return "tests" }
func (linked) NodeID() string                                           { return "test" }
func (linked) Census() *redislink.Census                                { return nil }
func (l linked) Acquire(string, time.Duration) (*redislink.Link, error) { return l.link, nil }

// Where nothing listens at the port the connection may have failed before the first handler hears of it:
// nobody was told that people cannot sign in.
func TestKept_tellsOfARedisThatRefusedBefore(t *testing.T) {
	f := open(t, "")
	link := redislink.Open(redislink.Options{Addresses: []string{"127.0.0.1:1"}, NodeID: "test"}, linkUser, redislink.Settings{})
	defer func() { require.NoError(t, link.Close()) }()
	require.Eventually(t, func() bool { return link.LastError() != nil }, 30*time.Second, time.Millisecond)

	k, err := joinSharedState(linked{link}, f.Handler)
	require.NoError(t, err)
	defer func() { require.NoError(t, k.release(f.Handler)) }()
	assert.Len(t, f.logs.FilterMessage("redis is unavailable, people stay signed in by what this node knows and by their tickets").All(), 1)
}
