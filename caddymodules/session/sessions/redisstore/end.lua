-- Buries a session: tombstone first, then everything else.
-- KEYS: as in lib.lua.
-- ARGV: 1 hash of a verifier that is or was the session's, 2 proven (0/1): the verifier need not be,
--       3 reason, 4 absolute end of a session that is not there (ms), 5 keep (ms), 6 test clock or ''.
-- Reply: the session's fields and values, none if there was none or the verifier is not its.
local now, keep, test = clock(ARGV[6]), tonumber(ARGV[5]), ARGV[6]
if redis.call('EXISTS', KEYS[3]) == 1 then return {} end
local rec, proven = load(KEYS[1]), ARGV[2] == '1'
if not rec then
  local absolute = tonumber(ARGV[4])
  if proven and absolute > now then bury(ARGV[3], absolute, keep, test) end
  return {}
end
if not proven and rec.cur ~= ARGV[1] and rec.prev ~= ARGV[1] and not retired(rec, ARGV[1]) then
  return {}
end
bury(ARGV[3], tonumber(rec.absolute), keep, test)
return flat(rec)
