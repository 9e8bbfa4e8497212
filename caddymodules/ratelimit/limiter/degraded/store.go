package degraded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// Primary is the shared store.
type Primary interface {
	limiter.Store
	// TakeMerging is a Take that is preceded, on the same connection, by Merge. On
	// limiter.ErrUnavailable neither was executed; an error that is none of the contract says that
	// the merges were, and that the claims were not charged.
	TakeMerging(ctx context.Context, merges []limiter.Merge, claims []limiter.Claim) error
	// Merge puts into the shared store what this node has admitted alone.
	Merge(ctx context.Context, merges []limiter.Merge) error
	// ServerOffset is the shared store's clock minus this process's wall clock at its start
	// continued by its monotonic clock.
	ServerOffset() time.Duration
}

// Census knows how many nodes share the limits, and this node's place among them, from 0 (-1 when
// it is not known).
type Census interface {
	Share() (nodes, rank int)
}

// Mode is how a Store decides.
type Mode uint8

const (
	// Exact asks the shared store alone.
	Exact Mode = iota
	// Degraded decides at this node's share.
	Degraded
	// HandOver asks both: the shared store does not know yet what all nodes admitted alone.
	HandOver
)

// String returns the word that metrics and events use.
func (m Mode) String() string {
	return [...]string{"exact", "degraded", "hand_over"}[m]
}

// Options of a Store.
type Options struct {
	// HandOver is how long both stores are asked after the shared one is back, at least; all nodes
	// have told it what they know by then. Default: 2.5s.
	HandOver time.Duration
	// MergeTimeout bounds one call that hands over keys nobody asked for. Default: 1s.
	MergeTimeout time.Duration
	// OnMode is told each change of mode, in order. It must not block.
	OnMode func(Mode)
}

// Store is a limiter.Store that always decides, in time.
//
// The request that meets a failure is decided by this node's share at once, whatever the mode. The
// only errors are limiter.ErrClosed, for policies that are configured so, and that of a context
// which had ended before the call.
type Store struct {
	primary Primary
	local   *localstore.Store
	census  Census
	opts    Options

	mode atomic.Uint32
	// lost is the number of the outage in which the shared store lost its data, while that is
	// being handed over; else 0.
	lost atomic.Uint32

	mu       sync.Mutex // guards the transitions below
	served   bool       // the shared store has been up at least once
	cancel   context.CancelFunc
	handover sync.WaitGroup
	closed   bool
}

// New returns a store that decides alone until LinkUp is called.
func New(primary Primary, local *localstore.Store, census Census, opts Options) *Store {
	if opts.HandOver <= 0 {
		opts.HandOver = 2500 * time.Millisecond
	}
	if opts.MergeTimeout <= 0 {
		opts.MergeTimeout = time.Second
	}
	s := &Store{primary: primary, local: local, census: census, opts: opts}
	s.mode.Store(uint32(Degraded))
	return s
}

// Mode is how the store decides now.
func (s *Store) Mode() Mode { return Mode(s.mode.Load()) }

// Take implements limiter.Store. Claims whose policy is Local are decided here in any mode; all
// claims are still all or nothing.
func (s *Store) Take(ctx context.Context, claims []limiter.Claim) error {
	return s.take(ctx, claims, s.takeShared)
}

// TakeDegraded decides at this node's share at once: for a request that has already met a failure.
func (s *Store) TakeDegraded(ctx context.Context, claims []limiter.Claim) error {
	return s.take(ctx, claims, s.takeFailed)
}

func (s *Store) take(ctx context.Context, claims []limiter.Claim, shared func(context.Context, []limiter.Claim) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", limiter.ErrUnavailable, err)
	}
	for i := range claims {
		if claims[i].Policy.Local {
			return s.takeMixed(ctx, claims, shared)
		}
	}
	return shared(ctx, claims)
}

func (s *Store) takeFailed(_ context.Context, claims []limiter.Claim) error {
	return s.takeDegraded(claims, true)
}

func (s *Store) takeShared(ctx context.Context, claims []limiter.Claim) error {
	switch s.Mode() {
	case Degraded:
		return s.takeDegraded(claims, true)
	case HandOver:
		return s.takeBoth(ctx, claims)
	case Exact:
	}
	var merges []limiter.Merge
	if s.local.Unsynced() > 0 {
		merges = s.local.Drain(nil, claims, s.clock())
	}
	if err := s.takeMerging(ctx, merges, claims); err != nil {
		return s.takeDegraded(claims, unsynced(err))
	}
	nodes, _ := s.census.Share()
	s.local.Observe(claims, nodes, false)
	return nil
}

// unsynced says whether the shared store must be told later of what is now admitted alone. A call that
// was only given up is executed when the store wakes: it counts there already.
func unsynced(err error) bool {
	return !errors.Is(err, limiter.ErrUnanswered) || errors.Is(err, limiter.ErrConnectionLost)
}

// takeBoth admits what this node's share and the shared store both admit; the latter is charged only
// if the former admits.
func (s *Store) takeBoth(ctx context.Context, claims []limiter.Claim) error {
	merges := s.local.Drain(nil, claims, s.clock())
	sub := borrow()
	defer giveBack(sub)
	closed := s.share(sub, claims)
	if err := s.local.Take(ctx, sub.claims); err != nil {
		s.restore(merges)
		return err
	}
	if !limiter.Allowed(sub.claims) {
		sub.answer(claims)
		if len(merges) > 0 {
			s.merge(ctx, merges)
		}
		return nil
	}
	err := s.takeMerging(ctx, merges, claims)
	switch {
	case err != nil && closed:
		_ = s.local.Refund(ctx, sub.claims) // the local store's Refund cannot fail
		return limiter.ErrClosed
	case err != nil:
		// Charged here already; now it is also owed, unless the shared store will count it.
		if unsynced(err) {
			s.local.AddUnsynced(sub.claims)
		}
		sub.answer(claims)
	case !limiter.Allowed(claims):
		_ = s.local.Refund(ctx, sub.claims) // the local store's Refund cannot fail
	default:
		nodes, _ := s.census.Share()
		s.local.Observe(claims, nodes, true)
	}
	return nil
}

// takeDegraded decides at this node's share. It remembers what it admits if that is owed to the shared
// store.
func (s *Store) takeDegraded(claims []limiter.Claim, unsynced bool) error {
	sub := borrow()
	defer giveBack(sub)
	if closed := s.share(sub, claims); closed {
		return limiter.ErrClosed
	}
	if unsynced {
		s.local.TakeDegraded(sub.claims)
	} else if err := s.local.Take(context.Background(), sub.claims); err != nil {
		return err
	}
	sub.answer(claims)
	return nil
}

// share fills sub with the claims as this node enforces them alone. closed says that there are some
// which it must not decide alone.
func (s *Store) share(sub *subset, claims []limiter.Claim) (closed bool) {
	nodes, rank := s.census.Share()
	for i := range claims {
		c := claims[i]
		switch c.Policy.OnFailure {
		case limiter.FailClosed:
			closed = true
			continue
		case limiter.FailOpen:
			continue
		case limiter.Share:
			c.Policy = c.Policy.ShareOf(nodes, rank)
		case limiter.PerNode:
		}
		sub.claims = append(sub.claims, c)
		sub.from = append(sub.from, i)
	}
	return closed
}

// takeMixed decides the claims that are this node's own first, and gives them back when the shared
// ones refuse.
func (s *Store) takeMixed(ctx context.Context, claims []limiter.Claim, take func(context.Context, []limiter.Claim) error) error {
	own, shared := borrow(), borrow()
	defer giveBack(own)
	defer giveBack(shared)
	for i := range claims {
		if claims[i].Policy.Local {
			own.add(claims, i)
		} else {
			shared.add(claims, i)
		}
	}
	if err := s.local.Take(ctx, own.claims); err != nil {
		return err
	}
	own.copyTo(claims)
	if !limiter.Allowed(own.claims) || len(shared.claims) == 0 {
		for _, i := range shared.from {
			claims[i].Decision = limiter.Decision{Allowed: true}
		}
		return nil
	}
	err := take(ctx, shared.claims)
	if err == nil {
		shared.copyTo(claims)
	}
	if err != nil || !limiter.Allowed(shared.claims) {
		_ = s.local.Refund(ctx, own.claims) // the local store's Refund cannot fail
		for _, i := range own.from {
			claims[i].Decision.Remaining += claims[i].Cost
		}
	}
	return err
}

// Refund implements limiter.Store: to whichever store was charged.
func (s *Store) Refund(ctx context.Context, claims []limiter.Claim) error {
	own, shared := borrow(), borrow()
	defer giveBack(own)
	defer giveBack(shared)
	for i := range claims {
		if claims[i].Policy.Local || claims[i].Decision.Degraded {
			own.add(claims, i)
		} else {
			shared.add(claims, i)
		}
	}
	_ = s.local.Refund(ctx, own.claims) // the local store's Refund cannot fail
	if len(shared.claims) == 0 {
		return nil
	}
	return s.primary.Refund(ctx, shared.claims)
}

var _ limiter.Store = (*Store)(nil)
