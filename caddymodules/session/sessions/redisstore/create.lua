-- Starts a session.
-- KEYS: as in lib.lua.
-- ARGV: 1 lifetime (ms), 2 keep (ms), 3 test clock or '', then fields and values but for the times.
-- Reply: now (ms), which is created and rotated_at, or -1 if the selector is taken or buried.
local now, test = clock(ARGV[3]), ARGV[3]
if redis.call('EXISTS', KEYS[1], KEYS[3]) > 0 then return -1 end
local absolute = now + tonumber(ARGV[1])
local ends = absolute + tonumber(ARGV[2])
redis.call('HSET', KEYS[1], 'created', int(now), 'rotated_at', int(now), 'absolute', int(absolute),
  unpack(ARGV, 4))
-- Never expired anew: that would invalidate every node's copy.
if test == '' then redis.call('PEXPIREAT', KEYS[1], int(ends)) end
set(KEYS[2], int(now), ends, test)
return now
