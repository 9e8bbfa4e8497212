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
-- In front of it stand clock.lua, and for each algorithm among the claims its state and its decision
-- (bucket.lua and take_bucket.lua, and so on), by name in the table decide: a script that holds only
-- what it needs takes half the time.
--
-- Reply: the moment in µs, then for each claim four integers: 1 if it would pass by itself, else 0;
-- what remains; the wait in µs until it can pass, -1 for never; the wait in µs until all is there.

-- MGET, unlike GET, does not fail for a key of another type.
if #KEYS == 1 then
  -- Most calls: without the tables that several claims need.
  local cost = tonumber(ARGV[3])
  local wait, left, reset, state, charged_reset = decide[ARGV[2]](
    redis.call('MGET', KEYS[1])[1], cost, tonumber(ARGV[4]), ARGV[5], ARGV[6])
  if state then
    save(KEYS[1], state, charged_reset)
    return {now, 1, left - cost, 0, charged_reset}
  end
  return {now, wait == 0 and 1 or 0, left, wait, reset}
end

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
