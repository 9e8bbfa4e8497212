-- Enters a session under its session at the provider.
-- KEYS: 1 the sessions (set of selectors).
-- ARGV: 1 selector, 2 time to live (ms), which only ever grows.
-- Reply: 1.
redis.call('SADD', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
