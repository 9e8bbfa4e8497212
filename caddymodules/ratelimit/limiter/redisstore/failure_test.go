package redisstore

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// all are a claim of each algorithm, which together are one call.
func all(t *testing.T, key string, cost int64) []limiter.Claim {
	t.Helper()
	var claims []limiter.Claim
	for _, a := range algorithms {
		claims = append(claims, claim(t, key, perMinute(a, 10), cost))
	}
	return claims
}

// remaining looks at what each of the claims has left.
func remaining(t *testing.T, s *Store, claims []limiter.Claim) []int64 {
	t.Helper()
	looks := append([]limiter.Claim(nil), claims...)
	for i := range looks {
		looks[i].Cost = 0
	}
	require.NoError(t, s.Take(within(t), looks))
	var left []int64
	for _, c := range looks {
		left = append(left, c.Decision.Remaining)
	}
	return left
}

// Trap 7: a server that has forgotten the scripts is no failure, and nothing is counted twice.
func TestStore_scriptsFlushed(t *testing.T) {
	s, server := open(t)
	flush := func() { cli(t, server, "SCRIPT", "FLUSH", "SYNC") }
	claims := all(t, "key", 1)
	flush()
	require.NoError(t, s.Take(within(t), claims))
	require.Equal(t, []int64{9, 9, 9}, remaining(t, s, claims))
	flush()
	require.NoError(t, s.Refund(within(t), claims))
	require.Equal(t, []int64{10, 10, 10}, remaining(t, s, claims))
	var merges []limiter.Merge
	for _, c := range claims {
		merges = append(merges, admitted(c, 2, time.Now()))
	}
	flush()
	require.NoError(t, s.Merge(within(t), merges))
	require.Equal(t, []int64{8, 8, 8}, remaining(t, s, claims))
	flush()
	require.NoError(t, s.TakeMerging(within(t), merges, claims))
	require.Equal(t, []int64{5, 5, 5}, remaining(t, s, claims))
}

func TestStore_outOfMemory(t *testing.T) {
	s, server := open(t, "maxmemory-policy noeviction")
	claims := all(t, "key", 3)
	require.NoError(t, s.Take(within(t), claims))

	cli(t, server, "CONFIG", "SET", "maxmemory", "1")
	again := all(t, "key", 1)
	err := s.Take(within(t), again)
	require.ErrorIs(t, err, limiter.ErrUnavailable)
	require.ErrorIs(t, err, redislink.ErrUnavailable)
	require.ErrorContains(t, err, "OOM")
	err = s.TakeMerging(within(t), []limiter.Merge{admitted(claims[0], 1, time.Now())}, again)
	require.ErrorIs(t, err, limiter.ErrUnavailable, "nothing was executed, so the merges are still to be sent")
	// What makes room is still done.
	require.NoError(t, s.Refund(within(t), claims))

	cli(t, server, "CONFIG", "SET", "maxmemory", "0")
	require.Equal(t, []int64{10, 10, 10}, remaining(t, s, claims))
}

// A primary that was demoted under a live connection.
func TestStore_demoted(t *testing.T) {
	s, server := open(t)
	claims := all(t, "key", 1)
	require.NoError(t, s.Take(within(t), claims))
	cli(t, server, "REPLICAOF", "127.0.0.1", "1")
	err := s.Take(within(t), all(t, "key", 1))
	require.ErrorIs(t, err, limiter.ErrUnavailable)
	require.ErrorContains(t, err, "READONLY")
	require.ErrorIs(t, s.Merge(within(t), []limiter.Merge{admitted(claims[0], 1, time.Now())}), limiter.ErrUnavailable)
	require.ErrorIs(t, s.Refund(within(t), claims), limiter.ErrUnavailable)
	cli(t, server, "REPLICAOF", "NO", "ONE")
	require.Equal(t, []int64{9, 9, 9}, remaining(t, s, claims))
}

// A user who may not run a command that a script needs has nothing charged, whatever the order.
func TestStore_missingRight(t *testing.T) {
	for _, right := range []string{"-mget", "-set", "-time"} {
		server := stack.RedisForTest(t, stack.RedisOptions{ACL: []string{"user limits on >secret ~gh:* &* +@all"}})
		opts := standalone(server)
		opts.Username, opts.Password = "limits", "secret"
		s := New(connect(t, opts), Options{})
		claims := all(t, "key", 1)
		cli(t, server, "ACL", "SETUSER", "limits", right)
		err := s.Take(within(t), claims)
		require.ErrorIs(t, err, limiter.ErrUnavailable, right)
		require.Equal(t, "0", cli(t, server, "EXISTS", stateKey(s, claims[0]), stateKey(s, claims[1]), stateKey(s, claims[2])), right)
	}
}

// A call that was given up is executed when the server wakes, once.
func TestStore_hung(t *testing.T) {
	s, server := open(t)
	require.NoError(t, s.Take(within(t), all(t, "key", 0)), "the server knows the script")
	require.NoError(t, server.Pause())
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	claims := all(t, "key", 4)
	err := s.Take(ctx, claims)
	require.ErrorIs(t, err, limiter.ErrUnanswered)
	require.ErrorIs(t, err, redislink.ErrTimeout)
	require.NotErrorIs(t, err, limiter.ErrConnectionLost)
	require.NotErrorIs(t, err, limiter.ErrUnavailable)
	require.NoError(t, server.Resume())
	require.Equal(t, []int64{6, 6, 6}, remaining(t, s, claims))
}

func TestStore_connectionLost(t *testing.T) {
	s, server := open(t)
	require.NoError(t, server.Pause())
	failed := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		failed <- s.Take(ctx, all(t, "key", 1))
	}()
	time.Sleep(20 * time.Millisecond) // let it be sent; too early is an error too, if another
	require.NoError(t, server.Kill())
	err := <-failed
	require.Error(t, err)
	if !errors.Is(err, limiter.ErrUnavailable) {
		require.ErrorIs(t, err, limiter.ErrConnectionLost)
		require.ErrorIs(t, err, redislink.ErrConnectionLost)
		require.ErrorIs(t, err, limiter.ErrUnanswered)
	}
	require.Error(t, s.Take(within(t), all(t, "key", 1)))
}

func TestStore_closed(t *testing.T) {
	link := redislink.Open(standalone(start(t)), "limits", redislink.Settings{})
	s := New(link, Options{})
	require.NoError(t, link.Close())
	require.ErrorIs(t, s.Take(t.Context(), all(t, "key", 1)), limiter.ErrUnavailable)
	require.ErrorIs(t, s.Refund(t.Context(), []limiter.Claim{{
		Policy: all(t, "key", 1)[0].Policy, Cost: 1, Decision: limiter.Decision{Allowed: true, ResetAfter: time.Hour},
	}}), limiter.ErrUnavailable)
	require.ErrorIs(t, s.Merge(t.Context(), []limiter.Merge{{Policy: all(t, "key", 1)[0].Policy}}), limiter.ErrUnavailable)
	require.NoError(t, s.Merge(t.Context(), nil), "nothing to do does not fail")
	require.NoError(t, s.Refund(t.Context(), nil))
	require.NoError(t, s.Take(t.Context(), nil))
}

// failing is a connection on which the scripts that match fail as told, and all others are carried.
type failing struct {
	Redis
	script *redislink.Script
	err    error
}

func (f failing) Eval(ctx context.Context, call redislink.Call) (rueidis.RedisMessage, error) {
	if call.Script == f.script {
		return rueidis.RedisMessage{}, f.err
	}
	return f.Redis.Eval(ctx, call)
}

func (f failing) Pipeline(ctx context.Context, calls []redislink.Call) []redislink.Reply {
	replies := make([]redislink.Reply, len(calls))
	for i, call := range calls {
		if replies[i].Err = f.err; call.Script != f.script {
			replies[i] = f.Redis.Pipeline(ctx, calls[i:i+1])[0]
		}
	}
	return replies
}

// What a TakeMerging tells of its merges must never have them sent twice, nor forgotten if they were not sent.
func TestTakeMerging_failsInPart(t *testing.T) {
	whole, _ := open(t)
	for _, tt := range []struct {
		name      string
		script    *redislink.Script
		err, want error
		not       error
	}{
		{"merges unavailable", mergeScript, redislink.ErrUnavailable, limiter.ErrUnavailable, limiter.ErrUnanswered},
		{"merges unanswered", mergeScript, redislink.ErrTimeout, limiter.ErrUnanswered, limiter.ErrUnavailable},
		{"take unavailable", takeScripts[7], redislink.ErrUnavailable, redislink.ErrUnavailable, limiter.ErrUnavailable},
		{"take unanswered", takeScripts[7], redislink.ErrTimeout, limiter.ErrUnanswered, limiter.ErrUnavailable},
		{"take lost", takeScripts[7], redislink.ErrConnectionLost, limiter.ErrConnectionLost, limiter.ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := New(failing{whole.redis, tt.script, tt.err}, Options{})
			claims := all(t, "key", 1)
			err := s.TakeMerging(within(t), []limiter.Merge{admitted(claims[0], 1, time.Now())}, claims)
			require.ErrorIs(t, err, tt.want)
			require.NotErrorIs(t, err, tt.not)
			require.False(t, strings.HasSuffix(err.Error(), ": "), "%q has a cause", err)
		})
	}
}

// Some of the merges were executed: to send all again would count those twice.
func TestMerge_failsInPart(t *testing.T) {
	replies := func(errs ...error) (rs []redislink.Reply) {
		for _, err := range errs {
			rs = append(rs, redislink.Reply{Err: err})
		}
		return rs
	}
	require.NoError(t, mergeError(replies(nil, nil)))
	require.ErrorIs(t, mergeError(replies(redislink.ErrUnavailable, redislink.ErrUnavailable)), limiter.ErrUnavailable)
	require.ErrorIs(t, mergeError(replies(redislink.ErrUnavailable, redislink.ErrTimeout)), limiter.ErrUnanswered)
	err := mergeError(replies(nil, redislink.ErrUnavailable))
	require.ErrorIs(t, err, redislink.ErrUnavailable)
	require.NotErrorIs(t, err, limiter.ErrUnavailable)
	require.ErrorContains(t, err, "1 of 2")
}

// A reply that is not of take.lua's shape decides nothing, and may have charged.
func TestTake_strangeReply(t *testing.T) {
	whole, _ := open(t)
	for name, script := range map[string]string{
		"short": "return {1, 1}", "text": "return 'text'", "no integers": "return {'1', '1', '9', '0', '0'}", "nothing": "return {}",
	} {
		t.Run(name, func(t *testing.T) {
			s := New(replacing{whole.redis, redislink.NewScript(script)}, Options{})
			require.ErrorIs(t, s.Take(within(t), all(t, "key", 1)[:1]), limiter.ErrUnanswered)
		})
	}
}

// replacing runs another script instead of any.
type replacing struct {
	Redis
	script *redislink.Script
}

func (r replacing) Eval(ctx context.Context, call redislink.Call) (rueidis.RedisMessage, error) {
	call.Script = r.script
	return r.Redis.Eval(ctx, call)
}
