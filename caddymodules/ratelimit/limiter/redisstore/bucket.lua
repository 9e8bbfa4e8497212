-- The state of gcra: moment in µs, debt, repay and token, 8 bytes each. A token costs token units of
-- debt, 1 µs repays repay of them.

-- read_bucket returns at, debt, repay and token as stored, or nothing.
local function read_bucket(state)
  if not state or #state ~= 32 then return end
  local at, debt, repay, token = unpack_bytes('>I8I8I8I8', state)
  if at <= largest and debt <= largest and repay > 0 and repay <= largest and token > 0 and token <= largest then
    return at, debt, repay, token
  end
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
local function bucket(state, capacity, token, repay)
  local at, debt, old_repay, old_token = read_bucket(state)
  if not at then return now, 0 end
  if old_token ~= token or old_repay ~= repay then
    debt = ceil(debt / old_token) * token
  end
  return repaid(at, min(debt, capacity * token), repay)
end

local function bucket_state(at, debt, repay, token)
  return pack('>I8I8I8I8', at, debt, repay, token)
end

