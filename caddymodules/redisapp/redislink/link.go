package redislink

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Link is one user's way to Redis. Its methods are safe for concurrent use, and none but Close waits for
// anything longer than the context of its call says.
type Link struct {
	opts      Options
	user      string
	settings  Settings
	opTimeout atomic.Int64 // nanoseconds

	breaker *breaker
	conn    atomic.Pointer[conn] // nil while there is no connection
	changes *changes
	arrival atomic.Pointer[Arrival] // of the newest connection
	// unwell is set by the first error that Redis answers on a connection.
	unwell atomic.Bool

	mu      sync.Mutex
	closing []*func()
	scripts []*Script
	reason  error  // the last one told; nil while Redis is well, and before it has been tried
	kind    string // of reason

	stop context.CancelCauseFunc
	wg   sync.WaitGroup
}

// Open returns at once; a supervisor connects in the background, and goes on for as long as it takes. The link
// is Open until the first connection has answered a probe. The user names what the link is for, in keys, client
// names and metrics: "limits", "sessions", "census".
func Open(opts Options, user string, settings Settings) *Link {
	if opts.Namespace == "" {
		opts.Namespace = defaultNamespace
	}
	l := &Link{opts: opts, user: user, settings: settings.withDefaults(), changes: newChanges()}
	l.opTimeout.Store(int64(l.settings.OpTimeout))
	l.breaker = newBreaker(l.settings.OpTimeout, l.moved)
	if l.settings.OnChange != nil {
		l.changes.subscribe(l.settings.OnChange)
	}
	ctx, stop := context.WithCancelCause(context.Background())
	l.stop = stop
	l.wg.Go(func() { l.supervise(ctx) })
	l.wg.Go(func() { l.changes.run(ctx.Done()) })
	return l
}

// Close ends the connection and waits for the link's goroutines. Calls in flight end with ErrConnectionLost,
// later ones with ErrUnavailable. No Change is told of it. Close must not be called from a callback.
func (l *Link) Close() error {
	l.mu.Lock()
	last := slices.Clone(l.closing)
	l.mu.Unlock()
	for _, f := range last {
		(*f)()
	}
	l.breaker.shut()
	l.stop(errLinkClosed)
	l.wg.Wait()
	return nil
}

// BeforeClose has f called when Close begins, while calls still go through: for what must be told to Redis last.
// f bounds its own time. cancel takes it back.
func (l *Link) BeforeClose(f func()) (cancel func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closing = append(l.closing, &f)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.closing = slices.DeleteFunc(l.closing, func(other *func()) bool { return other == &f })
	}
}

// State is the state of the breaker. It is one atomic load.
func (l *Link) State() State { return l.breaker.State() }

// LastError is the reason of the last Change, for a caller that subscribed after it: why Redis is
// unavailable, nil while it is not, and before the first attempt to connect has ended.
func (l *Link) LastError() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// Cluster says whether Redis is a Cluster, where the keys of one script must share a slot.
func (l *Link) Cluster() bool { return l.opts.Cluster }

// User is the name given to Open.
func (l *Link) User() string { return l.user }

// SetOpTimeout changes [Settings.OpTimeout] for calls from now on.
func (l *Link) SetOpTimeout(d time.Duration) {
	if d <= 0 {
		d = defaultOpTimeout
	}
	l.opTimeout.Store(int64(d))
	l.breaker.setGroup(d)
}

// Preload has the scripts loaded into every new connection, and within a second into the present one, so that
// their first calls need not send the source.
func (l *Link) Preload(scripts ...*Script) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.scripts) == 0 {
		l.scripts = append(l.scripts, rightsScript)
	}
	l.scripts = append(l.scripts, scripts...)
}

// Subscribe has f told every later Change, in order and one at a time, on a goroutine that all subscribers
// share: f must not block. After cancel has returned f is not called any more; cancel must not be called from a
// callback. To miss nothing, subscribe first and ask State
// and Trouble then.
func (l *Link) Subscribe(f func(Change)) (cancel func()) { return l.changes.subscribe(f) }

// Eval runs a script. It does not return later than ctx ends, or than OpTimeout when ctx has no deadline. A
// server that does not know the script is sent its source.
func (l *Link) Eval(ctx context.Context, call Call) (rueidis.RedisMessage, error) {
	f, err := l.admit(ctx)
	if err != nil {
		return rueidis.RedisMessage{}, l.held(err)
	}
	began := l.settings.Now()
	ctx, cancel := l.bound(ctx)
	defer cancel()
	message, err := f.send(ctx, call.bySHA(f.client.B())).ToMessage()
	if code(err) == noScript {
		message, err = f.send(ctx, call.bySource(f.client.B())).ToMessage()
	}
	return message, l.ended(began, err)
}

// Reply is that of one call of a pipeline. Err is as Eval returns it.
type Reply struct {
	Message rueidis.RedisMessage
	Err     error
}

// Pipeline runs the calls with one message to Redis, one after another in their order; in Cluster those of one
// slot are in order. Scripts that the server does not know are run again by their source, after all the others
// and in order among themselves. The deadline is that of Eval.
func (l *Link) Pipeline(ctx context.Context, calls []Call) []Reply {
	if len(calls) == 0 {
		return nil
	}
	replies := make([]Reply, len(calls))
	f, err := l.admit(ctx)
	if err != nil {
		err = l.held(err)
		for i := range replies {
			replies[i].Err = err
		}
		return replies
	}
	began := l.settings.Now()
	ctx, cancel := l.bound(ctx)
	defer cancel()
	commands := make([]rueidis.Completed, len(calls))
	for i := range calls {
		commands[i] = calls[i].bySHA(f.client.B())
	}
	results := f.sendAll(ctx, commands)
	var unknown []int
	for i := range results {
		if code(results[i].Error()) == noScript {
			unknown = append(unknown, i)
		}
	}
	if len(unknown) > 0 {
		commands = make([]rueidis.Completed, len(unknown)) // the client may still hold the first ones
		for i, j := range unknown {
			commands[i] = calls[j].bySource(f.client.B())
		}
		for i, again := range f.sendAll(ctx, commands) {
			results[unknown[i]] = again
		}
	}
	var worst error
	for i := range results {
		replies[i].Message, err = results[i].ToMessage()
		result, failure, out := verdict(err)
		replies[i].Err = out
		if failure || worst == nil && result != Answered {
			worst = err
		}
	}
	_ = l.ended(began, worst)
	return replies
}

// Do sends another command than a script. Its errors are those of Eval. The command must not be one that blocks
// or subscribes: those would need a connection of their own.
func (l *Link) Do(ctx context.Context, build func(rueidis.Builder) rueidis.Completed) rueidis.RedisResult {
	f, err := l.admit(ctx)
	if err != nil {
		return rueidis.NewErrorResult(l.held(err))
	}
	began := l.settings.Now()
	ctx, cancel := l.bound(ctx)
	defer cancel()
	result := f.send(ctx, build(f.client.B()))
	return l.result(began, result)
}

// DoCache is Do for a reading command whose answer may be kept in this process for up to ttl, until Redis says
// that it changed. With Settings.CacheBytes of 0 it only reads.
func (l *Link) DoCache(ctx context.Context, ttl time.Duration, build func(rueidis.Builder) rueidis.Cacheable) rueidis.RedisResult {
	f, err := l.admit(ctx)
	if err != nil {
		return rueidis.NewErrorResult(l.held(err))
	}
	began := l.settings.Now()
	ctx, cancel := l.bound(ctx)
	defer cancel()
	return l.result(began, f.sendCached(ctx, build(f.client.B()), ttl))
}

// result replaces the errors that have a name here.
func (l *Link) result(began time.Time, result rueidis.RedisResult) rueidis.RedisResult {
	if err := l.ended(began, result.Error()); err != nil && code(err) == "" && !rueidis.IsRedisNil(err) {
		return rueidis.NewErrorResult(err)
	}
	return result
}

// admit finds the connection for a call, or says why nothing is to be sent.
func (l *Link) admit(ctx context.Context) (*conn, error) {
	if l.breaker.State() != StateClosed {
		return nil, errOpen
	}
	f := l.conn.Load()
	if f == nil {
		return nil, errOpen
	}
	switch ctx.Err() {
	case nil:
		return f, nil
	case context.DeadlineExceeded:
		return nil, errNoDeadline
	default:
		return nil, errNoCaller
	}
}

func noCancel() {}

// bound gives the call a deadline when it has none.
func (l *Link) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return ctx, noCancel
	}
	return context.WithTimeout(ctx, time.Duration(l.opTimeout.Load()))
}

// held reports a call that was not sent.
func (l *Link) held(err error) error {
	if l.settings.OnCall != nil {
		l.settings.OnCall(Rejected, 0)
	}
	return err
}

// ended tells the breaker and the observer how a call ended, and returns the error for its caller.
func (l *Link) ended(began time.Time, err error) error {
	result, failure, out := verdict(err)
	now := l.settings.Now()
	switch {
	case failure:
		l.breaker.failure(now, out)
	case result == Answered:
		l.breaker.success(now)
	case result == Erred:
		l.breaker.success(now)
		l.reportError(out)
	}
	if l.settings.OnCall != nil {
		l.settings.OnCall(result, now.Sub(began))
	}
	return out
}

// erred warns of the first error that Redis answers on each connection: one that every call meets would be told
// by nothing else.
func (l *Link) reportError(err error) {
	if l.unwell.CompareAndSwap(false, true) {
		l.warn(Warning{Kind: CallErred, Err: err})
	}
}
