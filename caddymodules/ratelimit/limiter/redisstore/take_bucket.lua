-- Decides one claim of gcra; see take.lua. Returns the wait (0 passes), what remains and the reset without
-- the charge, and, for a claim that passes at a cost, the state and the reset with it.
local function decide_bucket(state, cost, capacity, token, repay)
  token, repay = tonumber(token), tonumber(repay)
  local at, debt = bucket(state, capacity, token, repay)
  local ahead = at - now
  local full = capacity * token
  local left = floor((full - debt) / token)
  local reset = debt > 0 and ahead + ceil(debt / repay) or 0
  if cost > capacity then return -1, left, reset end
  local most = (capacity - cost) * token
  if debt > most then return ahead + ceil((debt - most) / repay), left, reset end
  if cost == 0 then return 0, left, reset end
  debt = debt + cost * token
  return 0, left, reset, bucket_state(at, debt, repay, token), ahead + ceil(debt / repay)
end

