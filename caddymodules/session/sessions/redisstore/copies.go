package redisstore

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// version identifies the cached answers from which a copy was made. The link hands out the very same
// answer for as long as it is valid, so a copy is read once and compared from then on. Holding the
// answers keeps their memory from being used for others.
type version struct {
	record, notBefore rueidis.RedisMessage
}

// Read implements sessions.Store: two look-ups in this process as long as Redis has not said that
// anything changed.
func (s *Store) Read(ctx context.Context, selector sessions.Selector, held sessions.Copy) (sessions.Copy, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return sessions.Copy{}, err
	}
	key := s.keys.record(selector)
	message, err := s.link.DoCache(ctx, copyTTL, func(b rueidis.Builder) rueidis.Cacheable {
		return b.Hgetall().Key(key).Cache().ToStaticTTL()
	}).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		return sessions.Copy{}, failure(err)
	}
	seen, _ := held.Version.(*version)
	record := held.Record
	if seen == nil || record == nil || seen.record != message || !message.IsCacheHit() {
		if record, err = decodeFields(selector, message); err != nil {
			return sessions.Copy{}, err
		}
	}
	if record == nil {
		return sessions.Copy{}, nil
	}
	at, nb, err := s.notBefore(ctx, record.User())
	if err != nil {
		return sessions.Copy{}, err
	}
	if record == held.Record && seen != nil && seen.notBefore == nb {
		return held, nil
	}
	return sessions.Copy{Record: record, NotBefore: at, Version: &version{message, nb}}, nil
}

// notBefore reads when the user's sessions were last revoked, from the copy if there is one.
func (s *Store) notBefore(ctx context.Context, user sessions.User) (sessions.Instant, rueidis.RedisMessage, error) {
	key := s.keys.notBefore(user)
	message, err := s.link.DoCache(ctx, copyTTL, func(b rueidis.Builder) rueidis.Cacheable {
		return b.Get().Key(key).Cache().ToStaticTTL()
	}).ToMessage()
	if rueidis.IsRedisNil(err) {
		return 0, message, nil
	}
	if err != nil {
		return 0, message, failure(err)
	}
	text, err := message.ToString()
	if err != nil {
		return 0, message, failure(err)
	}
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		// Whatever it says, somebody meant to revoke.
		return 0, message, errDamaged
	}
	return sessions.Instant(at), message, nil
}
