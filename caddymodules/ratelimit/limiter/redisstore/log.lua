-- The state of log: the times of admissions in µs, ascending, 8 bytes each.

-- log_entries is the most that any limit counts.
local log_entries = 1000

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

