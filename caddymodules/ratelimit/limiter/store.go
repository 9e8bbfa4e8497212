package limiter

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of a Store. The degraded store turns all of them into decisions.
var (
	// ErrUnavailable says that the store decided nothing and charged nothing.
	ErrUnavailable = errors.New("limiter store unavailable")
	// ErrUnanswered says that the store was asked and gave no answer in time: it may have charged
	// the claims, or may yet do so.
	ErrUnanswered = errors.New("limiter store did not answer in time")
	// ErrConnectionLost is an ErrUnanswered whose connection broke: most likely not charged.
	ErrConnectionLost = fmt.Errorf("%w: connection lost", ErrUnanswered)
	// ErrClosed says that a policy with FailClosed could not be decided.
	ErrClosed = errors.New("limit cannot be decided and is configured to refuse")
)

// Key is what is counted: a digest of namespace, zone and the key of the request.
type Key [16]byte

// Claim asks one policy for one key, and receives its decision.
type Claim struct {
	Key    Key
	Policy *Policy
	// Cost is the number of tokens or events asked for, not negative. Zero only looks: it is never
	// refused.
	Cost int64
	// Decision is written by the store.
	Decision Decision
}

// Refundable says whether some of what the claim was charged is still held at the moment now of the
// store's clock. Later its tokens have come back by themselves, and a refund would give away those
// of somebody else.
func (c *Claim) Refundable(now int64) bool {
	return c.Cost > 0 && c.Decision.Allowed && now < c.Decision.At+c.Decision.ResetAfter.Microseconds()
}

// Decision is what a store said of one claim. When another claim of the same call was refused, an
// allowed claim was not charged: its Remaining and ResetAfter are those of a claim of cost 0.
type Decision struct {
	// Decided is false for a claim that the store did not come to, because one before it was refused.
	Decided bool
	// Allowed says whether this claim by itself would pass.
	Allowed bool
	// At is the moment of the decision in microseconds of the clock that decided. A refund goes by it.
	At int64
	// Degraded says that this node decided alone for want of the shared store.
	Degraded bool
	// Quota and Window are those in force: a share's while degraded.
	Quota  int64
	Window time.Duration
	// Remaining is what could still pass at this moment.
	Remaining int64
	// RetryAfter is the wait until Cost can pass if nobody else comes; zero when allowed, Never
	// when Cost exceeds the capacity.
	RetryAfter time.Duration
	// ResetAfter is the wait until the whole capacity is there again.
	ResetAfter time.Duration
}

// Store decides claims. Implementations are safe for concurrent use, and pass limitertest.TestStore.
type Store interface {
	// Take decides all claims at one moment and fills in their Decisions. All are charged, or,
	// if any is refused, none. No two claims of a call may have the same key and policy.
	//
	// On an error (ErrUnavailable, ErrUnanswered, ErrClosed, possibly wrapped) the Decisions mean
	// nothing. Take returns no later than ctx ends. A call is never repeated by the store.
	Take(ctx context.Context, claims []Claim) error

	// Refund gives back what a Take that passed has charged for these of its claims, as far as it
	// has not expired yet: it reads their Decisions. It is best effort: an error says that it may
	// not have happened.
	Refund(ctx context.Context, claims []Claim) error
}

// Allowed says whether every claim passed.
func Allowed(claims []Claim) bool {
	for i := range claims {
		if !claims[i].Decision.Allowed {
			return false
		}
	}
	return true
}
