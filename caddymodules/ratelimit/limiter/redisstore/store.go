package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// Redis is what the store needs of a connection; *redislink.Link is one. It returns when the context
// ends, and keeps no slice of a call after that.
type Redis interface {
	Eval(ctx context.Context, call redislink.Call) (rueidis.RedisMessage, error)
	Pipeline(ctx context.Context, calls []redislink.Call) []redislink.Reply
	Preload(scripts ...*redislink.Script)
	Cluster() bool
}

// Options of a Store. The zero value works.
type Options struct {
	// Micros is this process's clock in microseconds, which ServerOffset compares with the server's.
	// Default: the wall clock at New, continued by the monotonic clock.
	Micros func() int64
	// TestClock replaces the server's clock, and with it the expiry of keys. For tests alone.
	TestClock func() time.Time
}

// Store is a limiter.Store in Redis.
//
// In a Cluster the claims of one key are decided together, and one key after another, that with the
// least room first, until one refuses. Then what the earlier ones were charged is given back once, in
// the background: for one round trip a refused request may hold tokens, and the Remaining and
// ResetAfter of its allowed claims are as good as that.
type Store struct {
	redis  Redis
	opts   Options
	wires  wires
	offset offset
	// refunds are under way in the background.
	refunds sync.WaitGroup
}

// New returns a store on a connection, into which it has its scripts loaded.
func New(redis Redis, opts Options) *Store {
	if opts.Micros == nil {
		start := time.Now()
		opts.Micros = func() int64 { return start.UnixMicro() + time.Since(start).Microseconds() }
	}
	redis.Preload(append(takeScripts[1:], refundScript, mergeScript)...)
	return &Store{redis: redis, opts: opts}
}

// Take implements limiter.Store. Its errors are limiter.ErrUnavailable, limiter.ErrUnanswered and
// limiter.ErrConnectionLost, each with the link's own error inside.
func (s *Store) Take(ctx context.Context, claims []limiter.Claim) error {
	if len(claims) == 0 {
		return nil
	}
	if s.redis.Cluster() && !sameKey(claims) {
		return s.takeByKey(ctx, claims)
	}
	return s.take(ctx, claims)
}

// take decides the claims by one script.
func (s *Store) take(ctx context.Context, claims []limiter.Claim) error {
	a := s.takeArguments(claims)
	defer a.giveBack()
	sent := s.opts.Micros()
	message, err := s.redis.Eval(ctx, redislink.Call{Script: takeScript(claims), Keys: a.keys, Args: a.args})
	if err != nil {
		return contract(err)
	}
	return s.decide(message, sent, claims)
}

func (s *Store) takeArguments(claims []limiter.Claim) *arguments {
	a := borrow(s.clock())
	for i := range claims {
		c := &claims[i]
		w := s.wires.of(c.Policy)
		a.keys = append(a.keys, w.key(c.Key))
		a.args = append(a.args, w.algorithm, strconv.FormatInt(c.Cost, 10), w.capacity, w.scale, w.pace)
	}
	return a
}

// replied is how many integers take.lua replies for each claim, after the moment.
const replied = 4

// decide writes the decisions that take.lua has replied to a call sent at that moment.
func (s *Store) decide(message rueidis.RedisMessage, sent int64, claims []limiter.Claim) error {
	values, err := integers(message, 1+replied*len(claims))
	if err != nil {
		// It may have charged: whatever it was that answered.
		return &failure{limiter.ErrUnanswered, err}
	}
	at, _ := values[0].ToInt64()
	s.offset.observe(sent, s.opts.Micros(), at)
	for i := range claims {
		p := claims[i].Policy
		v := values[1+i*replied:]
		allowed, _ := v[0].ToInt64()
		remaining, _ := v[1].ToInt64()
		retry, _ := v[2].ToInt64()
		reset, _ := v[3].ToInt64()
		d := limiter.Decision{
			Decided: true, At: at, Allowed: allowed == 1, Quota: p.Capacity(), Window: p.Window(),
			Remaining: remaining, RetryAfter: limiter.Never, ResetAfter: time.Duration(reset) * time.Microsecond,
		}
		if retry >= 0 {
			d.RetryAfter = time.Duration(retry) * time.Microsecond
		}
		claims[i].Decision = d
		s.wires.of(p).remember(&d)
	}
	return nil
}

// integers is an array reply of so many integers.
func integers(message rueidis.RedisMessage, n int) ([]rueidis.RedisMessage, error) {
	values, err := message.ToArray()
	if err != nil {
		return nil, fmt.Errorf("read the script's reply: %w", err)
	}
	if len(values) != n {
		return nil, fmt.Errorf("the script replied %d values, want %d", len(values), n)
	}
	for i := range values {
		if !values[i].IsInt64() {
			return nil, errors.New("the script replied something that is no integer")
		}
	}
	return values, nil
}

// Refund implements limiter.Store. Claims that were not charged are passed over.
func (s *Store) Refund(ctx context.Context, claims []limiter.Claim) error {
	var calls []redislink.Call
	var a *arguments
	for i := range claims {
		c := &claims[i]
		if !c.Refundable(c.Decision.At) {
			continue
		}
		if a == nil || s.redis.Cluster() {
			a = borrow(s.clock())
			defer a.giveBack()
			calls = append(calls, redislink.Call{Script: refundScript})
		}
		w := s.wires.of(c.Policy)
		a.keys = append(a.keys, w.key(c.Key))
		a.args = append(a.args, w.algorithm, strconv.FormatInt(c.Cost, 10), strconv.FormatInt(c.Decision.At, 10),
			strconv.FormatInt(c.Decision.At+c.Decision.ResetAfter.Microseconds(), 10))
		last := &calls[len(calls)-1]
		last.Keys, last.Args = a.keys, a.args
	}
	var errs []error
	for _, reply := range s.redis.Pipeline(ctx, calls) {
		errs = append(errs, contract(reply.Err))
	}
	return errors.Join(errs...)
}

// ServerOffset is the server's clock minus Options.Micros, from the calls that showed it best; zero
// before the first reply.
func (s *Store) ServerOffset() time.Duration { return s.offset.value() }

// Settle waits for the refunds that are under way in the background, a second at most.
func (s *Store) Settle() { s.refunds.Wait() }

// clock is the scripts' first argument.
func (s *Store) clock() string {
	if s.opts.TestClock == nil {
		return ""
	}
	return strconv.FormatInt(s.opts.TestClock().UnixMicro(), 10)
}

var _ limiter.Store = (*Store)(nil)
