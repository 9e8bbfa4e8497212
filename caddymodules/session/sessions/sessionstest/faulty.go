package sessionstest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// Faulty is a store whose link can be cut. It counts the calls that reach it.
type Faulty struct {
	Store sessions.Store
	// Cut is the error of every call, which then does not reach the store.
	cut atomic.Pointer[error]
	// deaf calls reach the store, but their answers are lost.
	deaf  atomic.Bool
	calls atomic.Int64
	reads atomic.Int64
}

// Cut makes every call fail with ErrUnavailable.
func (f *Faulty) Cut() { f.CutWith(sessions.ErrUnavailable) }

// CutWith makes every call fail with an error.
func (f *Faulty) CutWith(err error) { f.cut.Store(&err) }

// Deafen loses the answers of every call from now on.
func (f *Faulty) Deafen() { f.deaf.Store(true) }

// Mend ends Cut and Deafen.
func (f *Faulty) Mend() {
	f.cut.Store(nil)
	f.deaf.Store(false)
}

// Calls is the number of calls so far, Reads not included; Reads the number of those.
func (f *Faulty) Calls() int64 { return f.calls.Load() }

// Reads is the number of calls of Read so far.
func (f *Faulty) Reads() int64 { return f.reads.Load() }

func (f *Faulty) send(n *atomic.Int64) error {
	if err := f.cut.Load(); err != nil {
		return *err
	}
	n.Add(1)
	return nil
}

func (f *Faulty) receive(err error) error {
	if f.deaf.Load() {
		return sessions.ErrUnanswered
	}
	return err
}

// Read implements sessions.Store.
func (f *Faulty) Read(ctx context.Context, s sessions.Selector, held sessions.CachedSession) (sessions.CachedSession, error) {
	if err := f.send(&f.reads); err != nil {
		return sessions.CachedSession{}, err
	}
	c, err := f.Store.Read(ctx, s, held)
	return c, f.receive(err)
}

// Validate implements sessions.Store.
func (f *Faulty) Validate(ctx context.Context, v sessions.Validation) (sessions.Reply, error) {
	if err := f.send(&f.calls); err != nil {
		return sessions.Reply{}, err
	}
	r, err := f.Store.Validate(ctx, v)
	return r, f.receive(err)
}

// Touch implements sessions.Store.
func (f *Faulty) Touch(ctx context.Context, touches []sessions.Touch) ([]sessions.Touched, error) {
	if err := f.send(&f.calls); err != nil {
		return nil, err
	}
	t, err := f.Store.Touch(ctx, touches)
	return t, f.receive(err)
}

// Rotate implements sessions.Store.
func (f *Faulty) Rotate(ctx context.Context, r sessions.Rotation) (sessions.Reply, error) {
	if err := f.send(&f.calls); err != nil {
		return sessions.Reply{}, err
	}
	reply, err := f.Store.Rotate(ctx, r)
	return reply, f.receive(err)
}

// Create implements sessions.Store.
func (f *Faulty) Create(ctx context.Context, c sessions.Creation) (*sessions.Record, error) {
	if err := f.send(&f.calls); err != nil {
		return nil, err
	}
	r, err := f.Store.Create(ctx, c)
	return r, f.receive(err)
}

// End implements sessions.Store.
func (f *Faulty) End(ctx context.Context, e sessions.End) (*sessions.Record, error) {
	if err := f.send(&f.calls); err != nil {
		return nil, err
	}
	r, err := f.Store.End(ctx, e)
	return r, f.receive(err)
}

// Enroll implements sessions.Store.
func (f *Faulty) Enroll(ctx context.Context, e sessions.Enrollment) ([]sessions.Selector, error) {
	if err := f.send(&f.calls); err != nil {
		return nil, err
	}
	others, err := f.Store.Enroll(ctx, e)
	return others, f.receive(err)
}

// Alive implements sessions.Store.
func (f *Faulty) Alive(ctx context.Context, s []sessions.Selector, idle time.Duration) ([]bool, error) {
	if err := f.send(&f.calls); err != nil {
		return nil, err
	}
	alive, err := f.Store.Alive(ctx, s, idle)
	return alive, f.receive(err)
}

// RevokeUser implements sessions.Store.
func (f *Faulty) RevokeUser(ctx context.Context, u sessions.User, lifetime time.Duration) (sessions.Instant, error) {
	if err := f.send(&f.calls); err != nil {
		return 0, err
	}
	at, err := f.Store.RevokeUser(ctx, u, lifetime)
	return at, f.receive(err)
}

// Withdraw implements sessions.Store.
func (f *Faulty) Withdraw(ctx context.Context, u sessions.User, p sessions.ProviderSession, s ...sessions.Selector) error {
	if err := f.send(&f.calls); err != nil {
		return err
	}
	return f.receive(f.Store.Withdraw(ctx, u, p, s...))
}

var _ sessions.Store = (*Faulty)(nil)
