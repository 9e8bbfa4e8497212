-- Decides claims together at one moment: all are charged, or, if any is refused, none. What refuses
-- writes nothing.
--
-- KEYS[i]  the state of claim i
-- ARGV[1]  a test's clock in µs, empty for the server's; then for each claim five:
--   algorithm  "g" gcra, "l" log, "s" slices
--   cost       tokens or events; 0 looks
--   capacity   tokens (g), or events in a window (l, s)
--   scale      units of debt a token costs (g), or the window in µs (l, s)
--   pace       units repaid in 1 µs (g), nothing (l), or the width of a slice in µs (s)
--
-- Reply: the moment in µs, then for each claim four integers: 1 if it would pass by itself, else 0;
-- what remains; the wait in µs until it can pass, -1 for never; the wait in µs until all is there.

-- Each decide function returns the wait (0 passes), what remains and the reset without the charge,
-- and, for a claim that passes at a cost, the state and the reset with it.

local function decide_bucket(state, cost, capacity, token, repay)
  local scale = repay .. ':' .. token
  token, repay = tonumber(token), tonumber(repay)
  local at, debt = bucket(state, capacity, token, repay, scale)
  local ahead = at - now
  local full = capacity * token
  local left = floor((full - debt) / token)
  local reset = debt > 0 and ahead + ceil(debt / repay) or 0
  if cost > capacity then return -1, left, reset end
  local most = (capacity - cost) * token
  if debt > most then return ahead + ceil((debt - most) / repay), left, reset end
  if cost == 0 then return 0, left, reset end
  debt = debt + cost * token
  return 0, left, reset, bucket_state(at, debt, scale), ahead + ceil(debt / repay)
end

local function decide_log(state, cost, capacity, window)
  window = tonumber(window)
  local log, n = log_of(state)
  local gone = expired(log, n, now - window)
  local own = n - gone
  local last = own > 0 and time_at(log, n) or 0
  local left = max(0, capacity - own)
  local reset = own > 0 and last + window - now or 0
  if cost > capacity then return -1, left, reset end
  if cost == 0 then return 0, left, reset end
  if own + cost > capacity then
    return time_at(log, gone + own + cost - capacity) + window - now, left, reset
  end
  local at = max(now, last)
  return 0, left, reset, sub(log, gone * 8 + 1) .. rep(pack('>I8', at), cost), at + window - now
end

local function decide_slices(state, cost, capacity, window, width)
  window, width = tonumber(window), tonumber(width)
  local counts, newest, n = slices_of(state, width)
  local at = max(now, newest * width)
  -- The slice in which the window begins, counted from the newest.
  local oldest = newest + 1 - max(0, floor((at - window) / width), newest - ring + 1)
  local own, last = 0, 0
  for i = min(n, oldest), 1, -1 do
    if counts[i] > 0 then own, last = own + counts[i], i end
  end
  -- A slice counts until the window begins after it.
  local function leaves(i) return (newest - i + 2) * width + window - now end
  local left = max(0, capacity - own)
  local reset = own > 0 and leaves(last) or 0
  if cost > capacity then return -1, left, reset end
  if cost == 0 then return 0, left, reset end
  local over = own + cost - capacity
  if over > 0 then
    local i = min(n, oldest)
    while true do
      over = over - counts[i]
      if over <= 0 then return leaves(i), left, reset end
      i = i - 1
    end
  end
  counts[1] = min((counts[1] or 0) + cost, largest_count)
  return 0, left, reset, slices_state(counts, newest, max(n, 1), width), leaves(1)
end

local decide = {g = decide_bucket, l = decide_log, s = decide_slices}

local states = redis.call('MGET', unpack(KEYS))
local passes, charged, charged_resets = true, {}, {}
local reply = {now}
for i = 1, #KEYS do
  local a, r = i * 5 - 3, i * 4 - 2
  local wait, left, reset
  wait, left, reset, charged[i], charged_resets[i] = decide[ARGV[a]](
    states[i], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), ARGV[a + 3], ARGV[a + 4])
  passes = passes and wait == 0
  reply[r], reply[r + 1], reply[r + 2], reply[r + 3] = wait == 0 and 1 or 0, left, wait, reset
end
if passes then
  for i = 1, #KEYS do
    if charged[i] then
      local a, r = i * 5 - 3, i * 4 - 2
      reply[r + 1], reply[r + 3] = reply[r + 1] - tonumber(ARGV[a + 1]), charged_resets[i]
      save(KEYS[i], charged[i], charged_resets[i])
    end
  end
end
return reply
