-- Keeps a sealed token beside its session, until the session's end.
-- KEYS: 1 the session's tokens (a hash), 2 its tombstone.
-- ARGV: 1 field, 2 sealed token, 3 time to live (ms).
-- Reply: 1; 0 if the session has ended meanwhile.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
