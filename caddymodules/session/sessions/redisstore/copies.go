package redisstore

import (
	"context"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/gatehouse-proxy/gatehouse/caddymodules/session/sessions"
)

// version identifies the cached answers from which a copy was made. The link hands out the very same
// answer for as long as it is valid, so a copy is read once and compared from then on. Holding the
// answers keeps their memory from being used for others. The names of the keys are held to save
// making them with every request.
type version struct {
	record, notBefore       rueidis.RedisMessage
	recordKey, notBeforeKey string
}

// Read implements sessions.Store: two look-ups in this process as long as Redis has not said that
// anything changed.
func (s *Store) Read(ctx context.Context, selector sessions.Selector, held sessions.CachedSession) (sessions.CachedSession, error) {
	ctx, err := s.bound(ctx)
	if err != nil {
		return sessions.CachedSession{}, err
	}
	seen, _ := held.Version.(*version)
	if seen == nil || held.Record == nil {
		seen = &version{recordKey: s.keys.record(selector)}
	}
	message, err := s.link.DoCache(ctx, copyTTL, func(b rueidis.Builder) rueidis.Cacheable {
		return b.Hgetall().Key(seen.recordKey).Cache().ToStaticTTL()
	}).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		return sessions.CachedSession{}, failure(err)
	}
	record, notBeforeKey := held.Record, seen.notBeforeKey
	if seen.record != message || !message.IsCacheHit() {
		if record, err = decodeFields(selector, message); err != nil {
			return sessions.CachedSession{}, err
		}
		if record == nil {
			return sessions.CachedSession{}, nil
		}
		notBeforeKey = s.keys.notBefore(record.User())
	}
	at, nb, err := s.notBefore(ctx, notBeforeKey)
	if err != nil {
		return sessions.CachedSession{}, err
	}
	if record == held.Record && seen.notBefore == nb {
		return held, nil
	}
	return sessions.CachedSession{Record: record, NotBefore: at, Version: &version{message, nb, seen.recordKey, notBeforeKey}}, nil
}

// notBefore reads when a user's sessions were last revoked, from the copy if there is one.
func (s *Store) notBefore(ctx context.Context, key string) (sessions.Instant, rueidis.RedisMessage, error) {
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
