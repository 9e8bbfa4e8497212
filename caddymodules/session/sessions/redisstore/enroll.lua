-- Enters a session under its user, if the user has less than the most others.
-- KEYS: 1 the user's sessions (sorted set: selector by absolute end in ms).
-- ARGV: 1 selector, 2 lifetime (ms), 3 most others (0 any number), 4 keep (ms), 5 test clock or ''.
-- Reply: the others' selectors, oldest first, if there are too many; nothing once it is entered.
local now
if ARGV[5] ~= '' then
  now = tonumber(ARGV[5])
else
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local function int(n) return string.format('%.0f', n) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', int(now))
local most, others = tonumber(ARGV[3]), {}
if most > 0 then
  for _, selector in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    if selector ~= ARGV[1] then others[#others + 1] = selector end
  end
  if #others >= most then return others end
end
redis.call('ZADD', KEYS[1], int(now + tonumber(ARGV[2])), ARGV[1])
if ARGV[5] == '' then
  local newest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
  redis.call('PEXPIREAT', KEYS[1], int(tonumber(newest[2]) + tonumber(ARGV[4])))
end
return {}
