-- Decides one claim of log; see take.lua. Returns the wait (0 passes), what remains and the reset without
-- the charge, and, for a claim that passes at a cost, the state and the reset with it.
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

