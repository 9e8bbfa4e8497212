package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/redisstore"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions/sessionstest"
	"github.com/gatehouse-proxy/gatehouse/dev/stack"
)

// redis is shared by the tests that do not hurt it; each has a namespace of its own.
var (
	redis      *stack.Redis
	namespaces atomic.Int64
)

func TestMain(m *testing.M) {
	var err error
	if redis, err = stack.StartRedis(context.Background(), stack.RedisOptions{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := redis.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func namespace() string { return "test-" + strconv.FormatInt(namespaces.Add(1), 10) }

// connect opens a link of its own to a server, and waits until it can be used.
func connect(t testing.TB, server *stack.Redis, cacheBytes int) *redislink.Link {
	t.Helper()
	link := redislink.Open(
		redislink.Options{Addresses: []string{server.Addr()}, NodeID: t.Name()}, "sessions",
		redislink.Settings{OpTimeout: time.Second, CacheBytes: cacheBytes},
	)
	t.Cleanup(func() { _ = link.Close() })
	link.Preload(redisstore.Scripts()...)
	require.Eventually(t, func() bool { return link.State() == redislink.StateClosed }, 30*time.Second, time.Millisecond)
	return link
}

func open(t testing.TB, c redisstore.Config) *redisstore.Store {
	t.Helper()
	// A second, for a machine under load: these tests are not about time.
	c.Timeout = time.Second
	store, err := redisstore.New(c)
	require.NoError(t, err)
	return store
}

func TestStore(t *testing.T) {
	for name, cacheBytes := range map[string]int{"copies kept": 1 << 20, "no copies": 0} {
		t.Run(name, func(t *testing.T) {
			link := connect(t, redis, cacheBytes)
			sessionstest.TestStore(t, func(t *testing.T, now func() time.Time) sessions.Store {
				return open(t, redisstore.Config{Link: link, Namespace: namespace(), TestClock: now})
			})
		})
	}
}

func creation(selector sessions.Selector) sessions.Creation {
	return sessions.Creation{
		Record: sessions.Record{
			Session: sessions.Session{Identity: sessionstest.Person(), Selector: selector},
			Current: sessions.Verifier{1}.Hash(),
		},
		Lifetime: time.Hour,
	}
}

// TestStore_everyKeyExpires looks at what is really in the server.
func TestStore_everyKeyExpires(t *testing.T) {
	server, err := stack.StartRedis(t.Context(), stack.RedisOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	store := open(t, redisstore.Config{Link: connect(t, server, 1<<20), Namespace: "ttl"})
	ctx := t.Context()
	person := sessionstest.Person()
	user := sessions.UserOf(person.Issuer, person.Subject)
	for i := range byte(2) {
		selector := sessions.Selector{i}
		_, err = store.Enroll(ctx, sessions.Enrollment{
			User: user, ProviderSession: sessions.ProviderSessionOf(person.Issuer, person.ProviderSession),
			Selector: selector, Lifetime: time.Hour,
		})
		require.NoError(t, err)
		_, err = store.Create(ctx, creation(selector))
		require.NoError(t, err)
		reply, err := store.Validate(ctx, sessions.Validation{
			Selector: selector, Hash: sessions.Verifier{1}.Hash(), Active: true, Age: -1, Idle: time.Minute,
		})
		require.NoError(t, err)
		require.Equal(t, sessions.Current, reply.Outcome)
	}
	_, err = store.Touch(ctx, []sessions.Touch{{Selector: sessions.Selector{0}, Age: time.Second}})
	require.NoError(t, err)
	_, err = store.RevokeUser(ctx, user, time.Hour)
	require.NoError(t, err)
	_, err = store.End(ctx, sessions.End{Selector: sessions.Selector{1}, Hash: sessions.Verifier{1}.Hash(), Reason: sessions.ReasonRevoked})
	require.NoError(t, err)

	listed, err := server.CLI("keys", "gh:ttl:*")
	require.NoError(t, err)
	found := strings.Fields(listed)
	var kinds []string
	for _, key := range found {
		kinds = append(kinds, strings.Split(key, ":")[2])
		ttl, err := server.CLI("pttl", key)
		require.NoError(t, err)
		ms, err := strconv.ParseInt(strings.TrimSpace(ttl), 10, 64)
		require.NoError(t, err, key)
		left := time.Duration(ms) * time.Millisecond
		assert.InDelta(t, (time.Hour + sessions.TombstoneTTL).Seconds(), left.Seconds(), 120, key)
	}
	assert.ElementsMatch(t, []string{"s", "a", "d", "u", "i", "nb"}, kinds)
}

// TestStore_holdsNoSecret: who reads the whole store can neither make a cookie nor a ticket.
func TestStore_holdsNoSecret(t *testing.T) {
	link := connect(t, redis, 0)
	ns := namespace()
	node := sessions.NewNode(sessions.NodeConfig{Store: open(t, redisstore.Config{Link: link, Namespace: ns})})
	m, err := sessions.New(sessions.Config{
		Namespace: ns, Node: node, Keys: sessions.RandomKeys(), Rotation: time.Second, RideThrough: time.Minute,
		Issuers: map[string]string{"corp": "https://login.example.com"},
	})
	require.NoError(t, err)
	_, cookies, err := m.Login(t.Context(), sessions.Request{Host: "a"}, sessionstest.Person())
	require.NoError(t, err)
	all := []string{cookies.Session}
	require.Eventually(t, func() bool {
		v := m.Check(t.Context(), sessions.Request{Cookie: cookies.Session, Host: "a"})
		next, result := m.Cookies(t.Context(), &v)
		all = append(all, next.Session)
		return result == sessions.RotationWon
	}, 30*time.Second, 50*time.Millisecond)
	dump := contents(t, ns)
	require.Contains(t, dump, "u@example.com")
	for _, value := range all {
		if value == "" {
			continue
		}
		cookie, ok := sessions.ParseCookie(value)
		require.True(t, ok)
		assert.NotContains(t, dump, value[len(value)-43:])
		assert.NotContains(t, dump, string(cookie.Verifier[:]))
	}
}

// contents is all that a namespace holds, keys and values.
func contents(t *testing.T, ns string) string {
	t.Helper()
	listed, err := redis.CLI("keys", "gh:"+ns+":*")
	require.NoError(t, err)
	all := listed
	for key := range strings.FieldsSeq(listed) {
		for kind, command := range map[string][]string{
			"string": {"get", key}, "hash": {"hgetall", key}, "set": {"smembers", key}, "zset": {"zrange", key, "0", "-1"},
		} {
			is, err := redis.CLI("type", key)
			require.NoError(t, err)
			if is != kind {
				continue
			}
			value, err := redis.CLI(command...)
			require.NoError(t, err)
			all += "\n" + value
		}
	}
	return all
}

// TestStore_takesCopiesBack: another node's write ends a copy, and nothing else costs a call.
func TestStore_takesCopiesBack(t *testing.T) {
	ns, ctx := namespace(), t.Context()
	counted := &counter{Link: connect(t, redis, 1<<20)}
	here := open(t, redisstore.Config{Link: counted, Namespace: ns})
	there := open(t, redisstore.Config{Link: connect(t, redis, 1<<20), Namespace: ns})
	selector := sessions.Selector{9}
	created, err := there.Create(ctx, creation(selector))
	require.NoError(t, err)

	first, err := here.Read(ctx, selector, sessions.CachedSession{})
	require.NoError(t, err)
	second, err := here.Read(ctx, selector, first)
	require.NoError(t, err)
	third, err := here.Read(ctx, selector, second)
	require.NoError(t, err)
	assert.Same(t, second.Record, third.Record, "an unchanged copy was read again")
	assert.Equal(t, int64(2), counted.asked.Load(), "one HGETALL and one GET")

	_, err = there.RevokeUser(ctx, created.User(), time.Hour)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		third, err = here.Read(ctx, selector, third)
		return err == nil && third.NotBefore != 0
	}, 30*time.Second, time.Millisecond, "the revocation was not seen")
	_, err = there.End(ctx, sessions.End{Selector: selector, Proven: true, Reason: sessions.ReasonRevoked})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		third, err = here.Read(ctx, selector, third)
		return err == nil && third.Record == nil
	}, 30*time.Second, time.Millisecond, "the end was not seen")
}

// counter counts what the server is asked.
type counter struct {
	redisstore.Link
	asked atomic.Int64
}

func (c *counter) DoCache(ctx context.Context, ttl time.Duration, build func(rueidis.Builder) rueidis.Cacheable) rueidis.RedisResult {
	result := c.Link.DoCache(ctx, ttl, build)
	if !result.IsCacheHit() {
		c.asked.Add(1)
	}
	return result
}

func (c *counter) Eval(ctx context.Context, call redislink.Call) (rueidis.RedisMessage, error) {
	c.asked.Add(1)
	return c.Link.Eval(ctx, call)
}

func (c *counter) Pipeline(ctx context.Context, calls []redislink.Call) []redislink.Reply {
	c.asked.Add(int64(len(calls)))
	return c.Link.Pipeline(ctx, calls)
}

// TestStore_namesFailures: a server that cannot serve is unavailable, a damaged session is not.
func TestStore_namesFailures(t *testing.T) {
	server, err := stack.StartRedis(t.Context(), stack.RedisOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	store := open(t, redisstore.Config{Link: connect(t, server, 1<<20)})
	ctx := t.Context()
	v := sessions.Validation{Selector: sessions.Selector{1}, Hash: sessions.Verifier{1}.Hash(), Age: -1, Idle: time.Minute}
	_, err = store.Create(ctx, creation(v.Selector))
	require.NoError(t, err)

	_, err = server.CLI("hset", "gh:default:s:{"+v.Selector.String()+"}", "cur", "short")
	require.NoError(t, err)
	_, err = store.Validate(ctx, v)
	require.Error(t, err)
	require.NotErrorIs(t, err, sessions.ErrUnavailable)
	require.NotErrorIs(t, err, sessions.ErrUnanswered)

	_, err = server.CLI("config", "set", "maxmemory", "1")
	require.NoError(t, err)
	_, err = store.Create(ctx, creation(sessions.Selector{2}))
	require.ErrorIs(t, err, sessions.ErrUnavailable, "out of memory")
	_, err = server.CLI("config", "set", "maxmemory", "0")
	require.NoError(t, err)
	_, err = server.CLI("script", "flush")
	require.NoError(t, err)
	_, err = store.Create(ctx, creation(sessions.Selector{2}))
	require.NoError(t, err, "a server that forgot the scripts is sent them")

	require.NoError(t, server.Kill())
	_, err = store.Validate(ctx, v)
	require.Error(t, err)
	require.Eventually(t, func() bool {
		_, err := store.Validate(ctx, v)
		return errors.Is(err, sessions.ErrUnavailable)
	}, 30*time.Second, 10*time.Millisecond)
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err = store.Validate(ended, v)
	require.ErrorIs(t, err, context.Canceled)
}

// TestStore_lostActivity: a server that evicted the activity alone ends nobody at once.
func TestStore_lostActivity(t *testing.T) {
	ns, ctx := namespace(), t.Context()
	store := open(t, redisstore.Config{Link: connect(t, redis, 0), Namespace: ns})
	selector := sessions.Selector{3}
	_, err := store.Create(ctx, creation(selector))
	require.NoError(t, err)
	_, err = redis.CLI("del", "gh:"+ns+":a:{"+selector.String()+"}")
	require.NoError(t, err)
	reply, err := store.Validate(ctx, sessions.Validation{
		Selector: selector, Hash: sessions.Verifier{1}.Hash(), Age: -1, Idle: time.Minute,
	})
	require.NoError(t, err)
	require.Equal(t, sessions.Current, reply.Outcome)
}
