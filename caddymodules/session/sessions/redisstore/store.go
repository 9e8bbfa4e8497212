package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// copyTTL is how long a copy is kept without the server having said that it changed.
const copyTTL = 10 * time.Minute

// DefaultTimeout bounds a call.
const DefaultTimeout = 150 * time.Millisecond

// Link is what the store needs of a connection to Redis: calls that end by their deadline, whatever
// Redis does. A *redislink.Link is one. DoCache should keep answers (redislink.Settings.CacheBytes);
// without, every request reads its session.
type Link interface {
	Eval(ctx context.Context, call redislink.Call) (rueidis.RedisMessage, error)
	Pipeline(ctx context.Context, calls []redislink.Call) []redislink.Reply
	Do(ctx context.Context, build func(rueidis.Builder) rueidis.Completed) rueidis.RedisResult
	DoCache(ctx context.Context, ttl time.Duration, build func(rueidis.Builder) rueidis.Cacheable) rueidis.RedisResult
}

// Config makes a Store.
type Config struct {
	Link Link
	// Namespace keeps the keys of deployments apart. Default: default.
	Namespace string
	// Timeout bounds a call. Default: DefaultTimeout.
	Timeout time.Duration
	// TestClock replaces the server's clock, and leaves the TTLs out. For tests only.
	TestClock func() time.Time
}

// Store is a sessions.Store.
type Store struct {
	link      Link
	keys      keys
	deadlines deadlines
	testClock func() time.Time
}

// New makes a Store. It asks Redis for nothing.
func New(c Config) (*Store, error) {
	if c.Namespace == "" {
		c.Namespace = "default"
	}
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	k, err := newKeys(c.Namespace)
	if err != nil {
		return nil, err
	}
	return &Store{link: c.Link, keys: k, deadlines: deadlines{timeout: c.Timeout}, testClock: c.TestClock}, nil
}

//go:embed lib.lua
var lib string

var (
	//go:embed create.lua
	createLua string
	//go:embed validate.lua
	validateLua string
	//go:embed rotate.lua
	rotateLua string
	//go:embed touch.lua
	touchLua string
	//go:embed end.lua
	endLua string
	//go:embed alive.lua
	aliveLua string
	//go:embed enroll.lua
	enrollLua string
	//go:embed join.lua
	joinLua string
	//go:embed revoke.lua
	revokeLua string
	//go:embed notbefore.lua
	notBeforeLua string

	createScript    = redislink.NewScript(lib + createLua)
	validateScript  = redislink.NewScript(lib + validateLua)
	rotateScript    = redislink.NewScript(lib + rotateLua)
	touchScript     = redislink.NewScript(lib + touchLua)
	endScript       = redislink.NewScript(lib + endLua)
	aliveScript     = redislink.NewScript(lib + aliveLua)
	enrollScript    = redislink.NewScript(enrollLua)
	joinScript      = redislink.NewScript(joinLua)
	revokeScript    = redislink.NewScript(revokeLua)
	notBeforeScript = redislink.NewScript(notBeforeLua)
)

// Scripts are those to load into a new connection (redislink.Link.Preload).
func Scripts() []*redislink.Script {
	return []*redislink.Script{
		createScript, validateScript, rotateScript, touchScript, endScript, aliveScript, enrollScript,
		joinScript, revokeScript, notBeforeScript,
	}
}

// Validate implements sessions.Store.
func (s *Store) Validate(ctx context.Context, v sessions.Validation) (sessions.Reply, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return sessions.Reply{}, err
	}
	age := int64(-1)
	if v.Age >= 0 {
		age = v.Age.Milliseconds()
	}
	call := redislink.Call{Script: validateScript, Keys: s.keys.session(v.Selector), Args: []string{
		string(v.Hash[:]), flag(v.Active), number(age), number(int64(v.TicketLast)),
		millis(v.Idle), millis(v.RouteIdle), millis(v.RouteAbsolute),
		flag(v.Settling), flag(v.RevokeReuse), millis(sessions.GracePeriod), millis(sessions.TombstoneTTL), s.clock(),
	}}
	if v.User == (sessions.User{}) {
		message, err := s.link.Eval(ctx, call)
		reply, err := decodeReply(v.Selector, message, err)
		if err == nil && reply.Record != nil {
			reply.NotBefore, _, err = s.notBefore(ctx, s.keys.notBefore(reply.Record.User()))
		}
		return reply, err
	}
	replies := s.link.Pipeline(ctx, []redislink.Call{
		call, {Script: notBeforeScript, Keys: []string{s.keys.notBefore(v.User)}},
	})
	reply, err := decodeReply(v.Selector, replies[0].Message, replies[0].Err)
	if err != nil || reply.Record == nil {
		return reply, err
	}
	if user := reply.Record.User(); user != v.User {
		reply.NotBefore, _, err = s.notBefore(ctx, s.keys.notBefore(user))
		return reply, err
	}
	at, err := asInt(replies[1].Message, replies[1].Err)
	reply.NotBefore = sessions.Instant(at)
	return reply, err
}

// Rotate implements sessions.Store.
func (s *Store) Rotate(ctx context.Context, r sessions.Rotation) (sessions.Reply, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return sessions.Reply{}, err
	}
	message, err := s.link.Eval(ctx, redislink.Call{Script: rotateScript, Keys: s.keys.session(r.Selector), Args: []string{
		string(r.Old[:]), string(r.New[:]), string(r.Next), millis(r.Every), millis(sessions.TombstoneTTL), s.clock(),
	}})
	return decodeReply(r.Selector, message, err)
}

// Touch implements sessions.Store.
func (s *Store) Touch(ctx context.Context, touches []sessions.Touch) ([]sessions.Touched, error) {
	ctx, err := s.bound(ctx)
	if err != nil || len(touches) == 0 {
		return nil, err
	}
	calls := make([]redislink.Call, len(touches))
	for i, t := range touches {
		calls[i] = redislink.Call{Script: touchScript, Keys: s.keys.session(t.Selector), Args: []string{
			millis(t.Age), millis(sessions.TombstoneTTL), s.clock(),
		}}
	}
	answers := make([]sessions.Touched, len(touches))
	for i, reply := range s.link.Pipeline(ctx, calls) {
		n, err := asInts(reply.Message, reply.Err, 4)
		if err != nil {
			return nil, err
		}
		answers[i] = sessions.Touched{
			Active: n[0] == 1, Generation: n[1], Stored: sessions.Instant(n[2]), Now: sessions.Instant(n[3]),
		}
	}
	return answers, nil
}

// Create implements sessions.Store.
func (s *Store) Create(ctx context.Context, c sessions.Creation) (*sessions.Record, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	fields, err := creationFields(&c.Record)
	if err != nil {
		return nil, err
	}
	now, err := asInt(s.link.Eval(ctx, redislink.Call{
		Script: createScript, Keys: s.keys.session(c.Record.Selector),
		Args: append([]string{millis(c.Lifetime), millis(sessions.TombstoneTTL), s.clock()}, fields...),
	}))
	switch {
	case err != nil:
		return nil, err
	case now < 0:
		return nil, sessions.ErrConflict
	}
	// What the state machine makes of it is what the script has written.
	e, _ := sessions.Entry{}.Create(sessions.Instant(now), c)
	return e.Record, nil
}

// End implements sessions.Store.
func (s *Store) End(ctx context.Context, e sessions.End) (*sessions.Record, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	message, err := s.link.Eval(ctx, redislink.Call{Script: endScript, Keys: s.keys.session(e.Selector), Args: []string{
		string(e.Hash[:]), flag(e.Proven), e.Reason.String(), number(int64(e.Absolute)), millis(sessions.TombstoneTTL), s.clock(),
	}})
	if err != nil {
		return nil, failure(err)
	}
	return decodeFields(e.Selector, message)
}

// bound gives a call its deadline.
func (s *Store) bound(ctx context.Context) (context.Context, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", sessions.ErrUnavailable, err)
	}
	return s.deadlines.current(), nil
}

func (s *Store) clock() string {
	if s.testClock == nil {
		return ""
	}
	return number(s.testClock().UnixMilli())
}

// failure gives the link's errors the contract's names. Others, such as a damaged record, stay what
// they are: the store is not away for one of them.
func failure(err error) error {
	switch {
	case errors.Is(err, redislink.ErrUnavailable):
		return fmt.Errorf("%w: %w", sessions.ErrUnavailable, err)
	case errors.Is(err, redislink.ErrUnanswered):
		return fmt.Errorf("%w: %w", sessions.ErrUnanswered, err)
	default:
		return fmt.Errorf("session in redis: %w", err)
	}
}

var _ sessions.Store = (*Store)(nil)
