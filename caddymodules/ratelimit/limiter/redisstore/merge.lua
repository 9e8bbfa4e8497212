-- Adds what a node admitted while it could not ask Redis. No key admits more after it than before.
--
-- KEYS[i]  the state of merge i
-- ARGV[1]  a test's clock in µs, empty for the server's; then for each merge six:
--   algorithm, capacity, scale, pace  as in take.lua
--   floor                             units of debt that there are at least (g)
--   added                             units of debt on top (g); times in µs, ascending, 8 bytes each,
--                                     big-endian (l); pairs of a time in µs and a count, 8 bytes each (s)
-- Times are those of the server's clock; one that is ahead of it counts as now.
--
-- Reply: the number of merges.

-- Each add function returns the new state and the time in µs after which it is worth nothing.

local function add_bucket(state, capacity, token, repay, least, added)
  token, repay = tonumber(token), tonumber(repay)
  local at, debt = bucket(state, capacity, token, repay)
  local full = capacity * token
  debt = min(full, max(debt, tonumber(least)) + min(full, tonumber(added)))
  return bucket_state(at, debt, repay, token), at - now + ceil(debt / repay)
end

local function add_log(state, _, window, _, _, added)
  window = tonumber(window)
  local log, n = log_of(state)
  local latest = max(now, n > 0 and time_at(log, n) or 0)
  local since = now - window
  local merged, m = {}, 0
  local i, j, more = 1, 1, floor(#added / 8)
  local mine, theirs = n > 0 and time_at(log, 1), more > 0 and min(time_at(added, 1), latest)
  while mine or theirs do
    local at
    if mine and (not theirs or mine <= theirs) then
      at, i = mine, i + 1
      mine = i <= n and time_at(log, i)
    else
      at, j = theirs, j + 1
      theirs = j <= more and min(time_at(added, j), latest)
    end
    if at > since then
      m = m + 1
      merged[m] = pack('>I8', at)
    end
  end
  -- More than the newest of these no limit counts.
  return table.concat(merged, '', max(1, m - log_entries + 1), m), latest + window - now
end

local function add_slices(state, _, window, width, _, added)
  window, width = tonumber(window), tonumber(width)
  local counts, newest, n = slices_of(state, width)
  local latest = max(now, newest * width)
  for position = 1, #added - 15, 16 do
    local at, count = unpack_bytes('>I8I8', added, position)
    local i = newest - floor(min(at, latest) / width) + 1
    if i >= 1 and i <= ring then
      for j = n + 1, i do counts[j] = 0 end
      n = max(n, i)
      counts[i] = min(counts[i] + count, largest_count)
    end
  end
  return slices_state(counts, newest, n, width), (newest + 1) * width + window - now
end

local add = {g = add_bucket, l = add_log, s = add_slices}

for i = 1, #KEYS do
  -- Read one by one: two merges may be of one key.
  local state = redis.call('MGET', KEYS[i])[1]
  local a = i * 6 - 4
  local reset
  state, reset = add[ARGV[a]](state, tonumber(ARGV[a + 1]), ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5])
  save(KEYS[i], state, reset)
end
return #KEYS
