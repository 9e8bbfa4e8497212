-- Records activity that a node kept to itself.
-- KEYS: as in lib.lua.
-- ARGV: 1 age of the activity (ms), 2 keep (ms), 3 test clock or ''.
-- Reply: active (0/1), generation, last activity stored (ms), now (ms).
local now, test = clock(ARGV[3]), ARGV[3]
local fields = redis.call('HMGET', KEYS[1], 'state', 'absolute', 'gen')
if fields[1] ~= 'active' or now >= tonumber(fields[2]) or redis.call('EXISTS', KEYS[3]) == 1 then
  return { 0, 0, 0, now }
end
local last = math.max(stored(), now - tonumber(ARGV[1]))
set(KEYS[2], int(last), tonumber(fields[2]) + tonumber(ARGV[2]), test)
return { 1, tonumber(fields[3]), last, now }
