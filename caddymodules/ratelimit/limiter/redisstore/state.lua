-- What take.lua, merge.lua and refund.lua have in common: the formats of the states, and how a state
-- moves on with time and with a changed limit. It is put in front of each of them.
--
-- Formats. Numbers are whole; none exceeds 2^53, up to which a Lua number holds every integer.
--   gcra    "<at µs>:<debt>:<repay>:<token>": a token costs token units of debt, 1 µs repays repay
--   log     the times of admissions in µs, ascending, 8 bytes each, big-endian
--   slices  8 bytes width in µs, 8 bytes number of the newest slice, then the count of each slice,
--           4 bytes, newest first, up to 61
-- A state that is not of its format counts as none, and is overwritten by the next charge.
--
-- Quotients. With a whole dividend below 2^53, ceil and floor of a/b are exact: a/b is at least 1/b
-- away from the next whole number, which is more than half the distance of neighbouring doubles there.
local ceil, floor, min, max = math.ceil, math.floor, math.min, math.max
local format, match, sub, rep = string.format, string.match, string.sub, string.rep
local pack, unpack_bytes = struct.pack, struct.unpack

local largest = 9007199254740992
local ring = 61
local largest_count = 4294967295
local log_entries = 1000

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

-- read_bucket returns at, debt and the scale "<repay>:<token>" as stored, or nothing.
local function read_bucket(state)
  if not state then return end
  local at, debt, scale = match(state, '^(%d+):(%d+):(%d+:%d+)$')
  at, debt = tonumber(at), tonumber(debt)
  if at and at <= largest and debt <= largest then return at, debt, scale end
end

-- read_scale returns repay and token, or nothing.
local function read_scale(scale)
  local repay, token = match(scale, '(%d+):(%d+)')
  repay, token = tonumber(repay), tonumber(token)
  if repay > 0 and repay <= largest and token > 0 and token <= largest then return repay, token end
end

-- repaid returns at and debt as they are now. Time never moves back.
local function repaid(at, debt, repay)
  if now <= at then return at, debt end
  local elapsed = now - at
  -- Compared in time, so that elapsed * repay stays exact.
  if elapsed >= ceil(debt / repay) then return now, 0 end
  return now, debt - elapsed * repay
end

-- bucket returns at and debt now, in the scale of the limit. Tokens that were used under another
-- scale stay used, and repay at the new rate from the last charge on.
local function bucket(state, capacity, token, repay, scale)
  local at, debt, old_scale = read_bucket(state)
  if not at then return now, 0 end
  if old_scale ~= scale then
    local _, old_token = read_scale(old_scale)
    if not old_token then return now, 0 end
    debt = min(ceil(debt / old_token), capacity) * token
  end
  return repaid(at, min(debt, capacity * token), repay)
end

local function bucket_state(at, debt, scale)
  return format('%.0f:%.0f:', at, debt) .. scale
end

-- time_at returns the i-th time of a log, from 1.
local function time_at(log, i)
  return (unpack_bytes('>I8', log, i * 8 - 7))
end

-- log_of returns the log and the number of its times.
local function log_of(state)
  if not state or #state == 0 or #state % 8 ~= 0 then return '', 0 end
  local n = #state / 8
  local first, last = time_at(state, 1), time_at(state, n)
  if first > last or last > largest then return '', 0 end
  return state, n
end

-- expired returns how many of the n times of a log are at or before since.
local function expired(log, n, since)
  local low, high = 0, n
  while low < high do
    local middle = floor((low + high) / 2)
    if time_at(log, middle + 1) > since then high = middle else low = middle + 1 end
  end
  return low
end

-- slices_of returns the counts, newest first, the number of the newest slice, and the number of
-- counts. They are moved on to now, and cut anew where the width was another: each old slice is then
-- counted as if all of it came at its end.
local function slices_of(state, width)
  if not state or #state < 16 or #state > 16 + 4 * ring or #state % 4 ~= 0 then
    return {}, floor(now / width), 0
  end
  local n = (#state - 16) / 4
  local old_width, old_newest = unpack_bytes('>I8I8', state)
  if old_width < 1 or old_width > largest or (old_newest + 1) * old_width > largest then
    return {}, floor(now / width), 0
  end
  local old = {unpack_bytes('>' .. rep('I4', n), state, 17)} -- and one more: the position after them
  local at = max(now, old_newest * old_width)
  local newest = floor(at / width)
  local counts, last = {}, 0
  for i = 1, n do
    local count = old[i]
    if count > 0 then
      local j
      if width == old_width then
        j = i + newest - old_newest
      else
        j = newest - floor(min((old_newest - i + 2) * old_width - 1, at) / width) + 1
      end
      if j >= 1 and j <= ring then
        counts[j] = min((counts[j] or 0) + count, largest_count)
        last = max(last, j)
      end
    end
  end
  for j = 1, last do counts[j] = counts[j] or 0 end
  return counts, newest, last
end

local function slices_state(counts, newest, n, width)
  return pack('>I8I8' .. rep('I4', n), width, newest, unpack(counts, 1, n))
end
