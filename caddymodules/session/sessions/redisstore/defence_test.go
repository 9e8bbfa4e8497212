package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/redisstore"
)

// A failover can leave a session beside its tombstone. The tombstone wins: no activity is recorded, and nothing
// rotates.
func TestTouch_yieldsToATombstone(t *testing.T) {
	link, ns, now := connect(t, redis, 1<<20), namespace(), time.Now().Truncate(time.Millisecond)
	store := open(t, redisstore.Config{Link: link, Namespace: ns, TestClock: func() time.Time { return now }})
	selector := sessions.Selector{1}
	_, err := store.Create(t.Context(), creation(selector))
	require.NoError(t, err)
	touched, err := store.Touch(t.Context(), []sessions.Touch{{Selector: selector}})
	require.NoError(t, err)
	require.True(t, touched[0].Active)

	now = now.Add(time.Hour - time.Millisecond)
	touched, err = store.Touch(t.Context(), []sessions.Touch{{Selector: selector}})
	require.NoError(t, err)
	assert.True(t, touched[0].Active, "a moment before the absolute end")
	now = now.Add(time.Millisecond)
	touched, err = store.Touch(t.Context(), []sessions.Touch{{Selector: selector}})
	require.NoError(t, err)
	assert.False(t, touched[0].Active, "at the absolute end")
	now = now.Add(-time.Minute)

	set(t, link, "gh:"+ns+":d:{"+selector.String()+"}", "revoked")
	touched, err = store.Touch(t.Context(), []sessions.Touch{{Selector: selector}})
	require.NoError(t, err)
	assert.False(t, touched[0].Active, "beside a tombstone")
}

func TestRotate_whenItIsDue(t *testing.T) {
	link, ns, now := connect(t, redis, 1<<20), namespace(), time.Now().Truncate(time.Millisecond)
	store := open(t, redisstore.Config{Link: link, Namespace: ns, TestClock: func() time.Time { return now }})
	rotate := func(selector sessions.Selector, every time.Duration) sessions.Outcome {
		reply, err := store.Rotate(t.Context(), sessions.Rotation{
			Selector: selector, Old: sessions.Verifier{1}.Hash(), New: sessions.Verifier{2}.Hash(), Next: []byte("sealed"), Every: every,
		})
		require.NoError(t, err)
		return reply.Outcome
	}
	begun := now
	for i, c := range []struct {
		name    string
		every   time.Duration
		after   time.Duration
		rebuilt bool
		want    sessions.Outcome
	}{
		{"a moment early", time.Minute, time.Minute - time.Millisecond, false, sessions.NotDue},
		{"due", time.Minute, time.Minute, false, sessions.Rotated},
		{"never", 0, time.Minute, false, sessions.NotDue},
		{"rebuilt from a ticket", time.Minute, time.Minute, true, sessions.NotDue},
	} {
		selector := sessions.Selector{byte(i + 1)}
		now = begun
		_, err := store.Create(t.Context(), creation(selector))
		require.NoError(t, err)
		if c.rebuilt {
			require.NoError(t, link.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed {
				return b.Hset().Key("gh:"+ns+":s:{"+selector.String()+"}").FieldValue().FieldValue("rebuilt", "1").Build()
			}).Error())
		}
		now = begun.Add(c.after)
		assert.Equal(t, c.want, rotate(selector, c.every), c.name)
	}
}

func set(t *testing.T, link interface {
	Do(ctx context.Context, build func(rueidis.Builder) rueidis.Completed) rueidis.RedisResult
}, key, value string) {
	t.Helper()
	require.NoError(t, link.Do(t.Context(), func(b rueidis.Builder) rueidis.Completed {
		return b.Set().Key(key).Value(value).Ex(time.Minute).Build()
	}).Error())
}
