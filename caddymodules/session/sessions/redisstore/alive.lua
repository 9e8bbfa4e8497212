-- Says whether a session could still be used, and changes nothing.
-- KEYS: as in lib.lua.
-- ARGV: 1 idle (ms), 2 test clock or ''.
-- Reply: 1 or 0.
local now = clock(ARGV[2])
local rec = load(KEYS[1])
if not rec or rec.state ~= 'active' or now >= tonumber(rec.absolute)
    or redis.call('EXISTS', KEYS[3]) == 1 or now - last_activity(rec) >= tonumber(ARGV[1]) then
  return 0
end
return 1
