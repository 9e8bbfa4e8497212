package session

import (
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// A logout that overtakes the login must not leave the ID token of the ended session behind in Redis.
func TestRedisTokens_keepNoneOfAnEndedSession(t *testing.T) {
	redis := stack.RedisForTest(t, stack.RedisOptions{})
	link := redislink.Open(redislink.Options{Addresses: []string{redis.Addr()}, NodeID: t.Name()}, "sessions", redislink.Settings{OpTimeout: time.Second})
	t.Cleanup(func() { _ = link.Close() })
	require.Eventually(t, func() bool { return link.State() == redislink.StateClosed }, 30*time.Second, time.Millisecond)
	tokens := redisTokens{link: link, namespace: "test"}
	alive, ended := sessions.Selector{1}, sessions.Selector{2}

	require.NoError(t, tokens.keep(t.Context(), alive, "sealed", time.Minute))
	got, err := tokens.load(t.Context(), alive)
	require.NoError(t, err)
	assert.Equal(t, "sealed", got)
	left, err := link.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed { return b.Pttl().Key(tokens.key("t", alive)).Build() }).ToInt64()
	require.NoError(t, err)
	assert.Positive(t, left, "the key expires")

	require.NoError(t, link.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed {
		return b.Set().Key(tokens.key("d", ended)).Value("revoked").Ex(time.Minute).Build()
	}).Error())
	require.NoError(t, tokens.keep(t.Context(), ended, "sealed", time.Minute))
	got, err = tokens.load(t.Context(), ended)
	require.NoError(t, err)
	assert.Empty(t, got)
}
