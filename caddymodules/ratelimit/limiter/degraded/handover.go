package degraded

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter/localstore"
)

// Pace of the hand-over of keys that nobody asks for: so many keys a call, a call a tick at most.
const (
	mergeBatch = 200
	mergeTick  = 5 * time.Millisecond
)

// LinkDown tells the store that the shared one cannot be asked.
func (s *Store) LinkDown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
		s.lost.Store(0)
	}
	s.setMode(Degraded)
}

// LinkUp tells the store that the shared one can be asked, and whether it still has its data. The
// first time, with nothing admitted alone so far, there is nothing to hand over.
func (s *Store) LinkUp(kept bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.Mode() != Degraded {
		return
	}
	first := !s.served
	s.served = true
	if first && s.local.Unsynced() == 0 {
		s.setMode(Exact)
		return
	}
	outage := s.local.BeginHandOver()
	if !kept && !first {
		s.lost.Store(outage)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.setMode(HandOver)
	s.handover.Go(func() { s.handOver(ctx) })
}

// Close ends a hand-over that is under way. The store goes on deciding.
func (s *Store) Close() {
	s.mu.Lock()
	s.closed = true
	if s.cancel != nil {
		s.cancel()
	}
	s.mu.Unlock()
	s.handover.Wait()
}

func (s *Store) setMode(m Mode) {
	if Mode(s.mode.Swap(uint32(m))) != m && s.opts.OnMode != nil {
		s.opts.OnMode(m)
	}
}

// clock maps the local store's moments to the shared store's.
func (s *Store) clock() localstore.Clock {
	return localstore.Clock{Offset: s.primary.ServerOffset().Microseconds(), Lost: s.lost.Load()}
}

// handOver tells the shared store of keys that nobody asks for, at a pace that leaves it room for
// requests, and ends when that is done and the other nodes have had the time to do the same.
func (s *Store) handOver(ctx context.Context) {
	enough := time.NewTimer(s.opts.HandOver)
	defer enough.Stop()
	tick := time.NewTicker(mergeTick)
	defer tick.Stop()
	var merges []limiter.Merge
	for done := false; !done; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		merges, done = s.local.DrainSome(merges[:0], mergeBatch, s.clock())
		if len(merges) > 0 {
			mctx, cancel := context.WithTimeout(ctx, s.opts.MergeTimeout)
			s.merge(mctx, merges)
			cancel()
		}
	}
	select {
	case <-ctx.Done():
		return
	case <-enough.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() == nil {
		s.cancel()
		s.cancel = nil
		s.lost.Store(0)
		s.setMode(Exact)
	}
}

// takeMerging sends the merges ahead of the claims, and keeps them if they were not delivered.
func (s *Store) takeMerging(ctx context.Context, merges []limiter.Merge, claims []limiter.Claim) error {
	if len(merges) == 0 {
		return s.primary.Take(ctx, claims)
	}
	err := s.primary.TakeMerging(ctx, merges, claims)
	if undelivered(err) {
		s.restore(merges)
	}
	return err
}

func (s *Store) merge(ctx context.Context, merges []limiter.Merge) {
	if err := s.primary.Merge(ctx, merges); undelivered(err) {
		s.restore(merges)
	}
}

// undelivered says whether merges have to be sent again. When their connection broke they most likely
// were not executed; counting them twice refuses too much for a while, forgetting them admits too much.
func undelivered(err error) bool {
	return errors.Is(err, limiter.ErrUnavailable) || errors.Is(err, limiter.ErrConnectionLost)
}

func (s *Store) restore(merges []limiter.Merge) { s.local.Restore(merges, s.clock()) }
