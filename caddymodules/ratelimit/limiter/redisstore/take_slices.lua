-- Decides one claim of slices; see take.lua. Returns the wait (0 passes), what remains and the reset without
-- the charge, and, for a claim that passes at a cost, the state and the reset with it.
local function decide_slices(state, cost, capacity, window, width)
  window, width = tonumber(window), tonumber(width)
  local counts, newest, n = slices_of(state, width)
  local at = max(now, newest * width)
  -- The slice in which the window begins, counted from the newest.
  local oldest = newest + 1 - floor((at - window) / width)
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
  counts[1] = (counts[1] or 0) + cost
  return 0, left, reset, slices_state(counts, newest, max(n, 1), width), leaves(1)
end

