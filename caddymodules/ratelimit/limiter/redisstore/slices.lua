-- The state of slices: the width in µs and the number of the newest slice, 8 bytes each, then the count
-- of each slice, 4 bytes, newest first, up to 61.
local ring = 61
local largest_count = 4294967295

-- slices_of returns the counts, newest first, the number of the newest slice, and the number of
-- counts. They are moved on to now, and cut anew where the width was another: each old slice is then
-- counted as if all of it came at its end.
local function slices_of(state, width)
  if not state or #state < 16 or #state > 16 + 4 * ring or #state % 4 ~= 0 then
    return {}, floor(now / width), 0
  end
  local n = (#state - 16) / 4
  local old_width, old_newest = unpack_bytes('>I8I8', state)
  if (old_newest + 1) * old_width > largest then
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
        last = j -- older ones come later
      end
    end
  end
  for j = 1, last do counts[j] = counts[j] or 0 end
  return counts, newest, last
end

local function slices_state(counts, newest, n, width)
  return pack('>I8I8' .. rep('I4', n), width, newest, unpack(counts, 1, n))
end

