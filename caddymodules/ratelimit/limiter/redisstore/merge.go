package redisstore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
)

// mergesPerCall bounds how long one script holds up the others' requests.
const mergesPerCall = 50

// Merge puts into Redis what this node has admitted alone. On limiter.ErrUnavailable none of it
// was executed; on any other error some of it may have been, and none must be sent again.
func (s *Store) Merge(ctx context.Context, merges []limiter.Merge) error {
	return mergeError(s.redis.Pipeline(ctx, s.mergeCalls(merges)))
}

// TakeMerging is Merge, then Take, on one connection in this order. Its errors are those of Take, and:
// on limiter.ErrUnavailable the merges were not executed; an error that is none of the contract says
// that they were, and that the claims were not charged.
func (s *Store) TakeMerging(ctx context.Context, merges []limiter.Merge, claims []limiter.Claim) error {
	if len(merges) == 0 || len(claims) == 0 || s.redis.Cluster() {
		if err := s.Merge(ctx, merges); err != nil {
			return err
		}
		return merged(len(merges), s.Take(ctx, claims))
	}
	a := s.takeArguments(claims)
	defer a.giveBack()
	calls := append(s.mergeCalls(merges), redislink.Call{Script: takeScript(claims), Keys: a.keys, Args: a.args})
	sent := s.opts.Micros()
	replies := s.redis.Pipeline(ctx, calls)
	last := len(replies) - 1
	if err := mergeError(replies[:last]); err != nil {
		return err
	}
	if err := replies[last].Err; err != nil {
		return merged(len(merges), contract(err))
	}
	return s.decide(replies[last].Message, sent, claims)
}

// merged hides that a Take was unavailable after merges: to its caller that would say that they were
// not executed either.
func merged(merges int, err error) error {
	if merges == 0 || !errors.Is(err, limiter.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("take after merging: %w", cause(err))
}

// mergeError is what the replies to merges come to.
func mergeError(replies []redislink.Reply) error {
	var unavailable, unanswered error
	failed := 0
	for _, r := range replies {
		switch err := contract(r.Err); {
		case err == nil:
		case errors.Is(err, limiter.ErrUnavailable):
			unavailable, failed = err, failed+1
		default:
			unanswered, failed = err, failed+1
		}
	}
	switch {
	case failed == 0:
		return nil
	case unanswered != nil:
		return unanswered
	case failed == len(replies):
		return unavailable
	default:
		return fmt.Errorf("merge: %d of %d calls were not executed: %w", failed, len(replies), cause(unavailable))
	}
}

// mergeCalls are the calls of merge.lua: several merges each, in a Cluster those of one key.
func (s *Store) mergeCalls(merges []limiter.Merge) []redislink.Call {
	var calls []redislink.Call
	for i := range merges {
		m := &merges[i]
		if i == 0 || len(calls[len(calls)-1].Keys) == mergesPerCall || s.redis.Cluster() && m.Key != merges[i-1].Key {
			calls = append(calls, redislink.Call{Script: mergeScript, Args: []string{s.clock()}})
		}
		w := s.wires.of(m.Policy)
		c := &calls[len(calls)-1]
		c.Keys = append(c.Keys, w.key(m.Key))
		c.Args = append(c.Args, w.algorithm, w.capacity, w.scale, w.pace, strconv.FormatInt(m.Floor, 10), added(m))
	}
	return calls
}

// added renders what merge.lua adds.
func added(m *limiter.Merge) string {
	var b []byte
	switch m.Policy.Algorithm {
	case limiter.GCRA:
		return strconv.FormatInt(m.Debt, 10)
	case limiter.Log:
		for _, t := range m.Times {
			b = binary.BigEndian.AppendUint64(b, uint64(max(0, t)))
		}
	case limiter.Slices:
		for _, c := range m.Slices {
			b = binary.BigEndian.AppendUint64(b, uint64(max(0, c.At)))
			b = binary.BigEndian.AppendUint64(b, uint64(max(0, c.Count)))
		}
	}
	return string(b)
}
