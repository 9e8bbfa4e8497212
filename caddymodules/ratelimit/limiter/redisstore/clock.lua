-- The first part of every script: the moment of the call, and how a state is written.
--
-- Formats of the states. Numbers are whole; none exceeds 2^53, up to which a Lua number holds every
-- integer. Those of 8 and 4 bytes are big-endian. bucket.lua, log.lua and slices.lua have one each.
-- A state that is not of its format counts as none, and is overwritten by the next charge.
--
-- Quotients. With a whole dividend below 2^53, ceil and floor of a/b are exact: a/b is at least 1/b
-- away from the next whole number, which is more than half the distance of neighbouring doubles there.
local ceil, floor, min, max = math.ceil, math.floor, math.min, math.max
local sub, rep = string.sub, string.rep
local pack, unpack_bytes = struct.pack, struct.unpack

local largest = 9007199254740992

local testing = ARGV[1] ~= ''

-- now is the moment of the call in µs: the server's, or a test's.
local now
if testing then
  now = tonumber(ARGV[1])
else
  local time = redis.call('TIME')
  now = time[1] * 1000000 + time[2]
end

-- save writes a state that is worth nothing once reset µs have passed.
local function save(key, state, reset)
  if testing then
    redis.call('SET', key, state)
  else
    redis.call('SET', key, state, 'PXAT', floor((now + reset) / 1000) + 1)
  end
end

