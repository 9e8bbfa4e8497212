-- Reads a user's not-before in the same round trip as a validation.
-- KEYS: 1 not-before (ms).
-- Reply: milliseconds, 0 if there is none.
return tonumber(redis.call('GET', KEYS[1]) or '0')
