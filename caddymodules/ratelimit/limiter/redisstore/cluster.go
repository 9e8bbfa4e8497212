package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/ratelimit/limiter"
)

// refundTimeout bounds a refund in the background.
const refundTimeout = time.Second

func sameKey(claims []limiter.Claim) bool {
	for i := range claims[1:] {
		if claims[i+1].Key != claims[0].Key {
			return false
		}
	}
	return true
}

// takeByKey decides the claims of one key after another, that with the least room first, and stops
// where one is refused.
func (s *Store) takeByKey(ctx context.Context, claims []limiter.Claim) error {
	for i := range claims {
		claims[i].Decision = limiter.Decision{}
	}
	var charged []limiter.Claim
	for _, group := range s.groups(claims) {
		part := make([]limiter.Claim, len(group))
		for i, at := range group {
			part[i] = claims[at]
		}
		err := s.take(ctx, part)
		if err != nil {
			s.refundLater(ctx, charged)
			return err
		}
		for i, at := range group {
			claims[at].Decision = part[i].Decision
		}
		if !limiter.Allowed(part) {
			s.refundLater(ctx, charged)
			uncharge(claims, charged)
			return nil
		}
		charged = append(charged, part...)
	}
	return nil
}

// groups are the indices of the claims by key, the key with the least room first.
func (s *Store) groups(claims []limiter.Claim) [][]int {
	order := make([]int, len(claims))
	room := make([]float64, len(claims))
	for i := range claims {
		order[i] = i
		room[i] = s.wires.of(claims[i].Policy).remembered()
	}
	for i := range claims {
		for j := range claims {
			if claims[i].Key == claims[j].Key {
				room[i] = min(room[i], room[j])
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(room[a], room[b]), bytes.Compare(claims[a].Key[:], claims[b].Key[:]))
	})
	var groups [][]int
	for n, i := range order {
		if n == 0 || claims[i].Key != claims[order[n-1]].Key {
			groups = append(groups, nil)
		}
		last := &groups[len(groups)-1]
		*last = append(*last, i)
	}
	return groups
}

// uncharge corrects what the decisions of charged claims say to what it is after their refund.
func uncharge(claims, charged []limiter.Claim) {
	for i := range claims {
		for j := range charged {
			if claims[i].Key == charged[j].Key && claims[i].Policy == charged[j].Policy {
				claims[i].Decision.Remaining += claims[i].Cost
			}
		}
	}
}

// refundLater gives back in the background, once, whatever becomes of the request.
func (s *Store) refundLater(ctx context.Context, charged []limiter.Claim) {
	if len(charged) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), refundTimeout)
	s.refunds.Go(func() {
		defer cancel()
		_ = s.Refund(ctx, charged) // best effort: what is not given back expires
	})
}
