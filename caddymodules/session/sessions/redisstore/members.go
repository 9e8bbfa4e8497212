package redisstore

import (
	"context"
	"time"

	"github.com/redis/rueidis"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/redisapp/redislink"
	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// Enroll implements sessions.Store.
func (s *Store) Enroll(ctx context.Context, e sessions.Enrollment) ([]sessions.Selector, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return nil, err
	}
	message, err := s.link.Eval(ctx, redislink.Call{Script: enrollScript, Keys: []string{s.keys.user(e.User)}, Args: []string{
		e.Selector.String(), millis(e.Lifetime), number(int64(e.Max)), millis(sessions.TombstoneTTL), s.clock(),
	}})
	if err != nil {
		return nil, failure(err)
	}
	names, err := message.AsStrSlice()
	if err != nil {
		return nil, failure(err)
	}
	others := make([]sessions.Selector, 0, len(names))
	for _, name := range names {
		selector, ok := sessions.ParseSelector(name)
		if !ok {
			return nil, errDamaged
		}
		others = append(others, selector)
	}
	if len(others) > 0 || e.ProviderSession == (sessions.ProviderSession{}) {
		return others, nil
	}
	_, err = asInt(s.link.Eval(ctx, redislink.Call{
		Script: joinScript, Keys: []string{s.keys.provider(e.ProviderSession)},
		Args: []string{e.Selector.String(), millis(e.Lifetime + sessions.TombstoneTTL)},
	}))
	return nil, err
}

// Alive implements sessions.Store.
func (s *Store) Alive(ctx context.Context, selectors []sessions.Selector, idle time.Duration) ([]bool, error) {
	ctx, err := s.bound(ctx)
	if err != nil || len(selectors) == 0 {
		return nil, err
	}
	calls := make([]redislink.Call, len(selectors))
	for i, selector := range selectors {
		calls[i] = redislink.Call{Script: aliveScript, Keys: s.keys.session(selector), Args: []string{millis(idle), s.clock()}}
	}
	alive := make([]bool, len(selectors))
	for i, reply := range s.link.Pipeline(ctx, calls) {
		n, err := asInt(reply.Message, reply.Err)
		if err != nil {
			return nil, err
		}
		alive[i] = n == 1
	}
	return alive, nil
}

// RevokeUser implements sessions.Store.
func (s *Store) RevokeUser(ctx context.Context, user sessions.User, lifetime time.Duration) (sessions.Instant, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return 0, err
	}
	at, err := asInt(s.link.Eval(ctx, redislink.Call{
		Script: revokeScript, Keys: []string{s.keys.notBefore(user)},
		Args: []string{millis(lifetime + sessions.TombstoneTTL), s.clock()},
	}))
	return sessions.Instant(at), err
}

// Withdraw implements sessions.Store.
func (s *Store) Withdraw(ctx context.Context, user sessions.User, provider sessions.ProviderSession, selectors ...sessions.Selector) error {
	ctx, err := s.bound(ctx)
	if err != nil || len(selectors) == 0 {
		return err
	}
	names := make([]string, len(selectors))
	for i, selector := range selectors {
		names[i] = selector.String()
	}
	err = s.link.Do(ctx, func(b rueidis.Builder) rueidis.Completed {
		return b.Zrem().Key(s.keys.user(user)).Member(names...).Build()
	}).Error()
	if err == nil && provider != (sessions.ProviderSession{}) {
		err = s.link.Do(ctx, func(b rueidis.Builder) rueidis.Completed {
			return b.Srem().Key(s.keys.provider(provider)).Member(names...).Build()
		}).Error()
	}
	if err != nil {
		return failure(err)
	}
	return nil
}
