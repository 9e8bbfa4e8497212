-- Gives back what claims have been charged, as far as it has not expired. A state that is gone, or
-- not of its format, is left alone. What is written keeps the TTL that it has.
--
-- KEYS[i]  the state of claim i
-- ARGV[1]  a test's clock in µs, empty for the server's; then for each claim four:
--   algorithm  "g" gcra, "l" log, "s" slices
--   cost       tokens or events to give back
--   at         the moment of the charge in µs, as take.lua replied it
--   until      the moment in µs at which all of it had come back by itself
--
-- Reply: the number of claims of which something was given back.

-- Each give function returns the new state, or nothing if there is nothing to give.

-- The bucket keeps its own scale: the limit may have changed since the charge.
local function give_bucket(state, cost)
  local at, debt, repay, token = read_bucket(state)
  if not at then return end
  at, debt = repaid(at, debt, repay)
  -- Compared in tokens, so that cost * token stays exact.
  debt = cost >= ceil(debt / token) and 0 or debt - cost * token
  return bucket_state(at, debt, repay, token)
end

-- Newer events of others stay longer in the window, so only events of the same moment are taken out.
local function give_log(state, cost, at)
  local log, n = log_of(state)
  local from = expired(log, n, at - 1)
  local to = from
  while to < n and to - from < cost and time_at(log, to + 1) == at do to = to + 1 end
  if to == from then return end
  return sub(log, 1, from * 8) .. sub(log, to * 8 + 1)
end

local function give_slices(state, cost, at)
  if not state or #state < 16 or #state > 16 + 4 * ring or #state % 4 ~= 0 then return end
  local width, newest = unpack_bytes('>I8I8', state)
  local position = 17 + 4 * (newest - floor(at / width))
  if position < 17 or position > #state - 3 then return end
  local count = unpack_bytes('>I4', state, position)
  if count == 0 then return end
  return sub(state, 1, position - 1) .. pack('>I4', max(0, count - cost)) .. sub(state, position + 4)
end

local give = {g = give_bucket, l = give_log, s = give_slices}

local states = redis.call('MGET', unpack(KEYS))
local given = 0
for i = 1, #KEYS do
  local a = i * 4 - 2
  if states[i] and now < tonumber(ARGV[a + 3]) then
    local state = give[ARGV[a]](states[i], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]))
    if state then
      redis.call('SET', KEYS[i], state, 'KEEPTTL')
      given = given + 1
    end
  end
end
return given
