-- Revokes all sessions that a user has at this moment.
-- KEYS: 1 not-before (ms).
-- ARGV: 1 time to live (ms), 2 test clock or ''.
-- Reply: the not-before that holds now, which never moves back.
local now
if ARGV[2] ~= '' then
  now = tonumber(ARGV[2])
else
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local at = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local text = string.format('%.0f', at)
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[1], text)
else
  redis.call('SET', KEYS[1], text, 'PX', ARGV[1])
end
return at
