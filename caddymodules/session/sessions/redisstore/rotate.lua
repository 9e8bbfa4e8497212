-- Replaces the current verifier, if it is the caller's, was used, is due, and nobody may still hold
-- the one before it.
-- KEYS: as in lib.lua.
-- ARGV: 1 hash of the old verifier, 2 hash of the new one, 3 the new one sealed under the old,
--       4 rotation interval (ms, 0 never), 5 keep (ms), 6 test clock or ''.
-- Reply: as answer in lib.lua; when the rotation is lost, what validate would say of the old verifier.
local now, test = clock(ARGV[6]), ARGV[6]
local rec, over = open(now, tonumber(ARGV[5]), test)
if not rec then return over end

local outcome = role(rec, ARGV[1])
local every = tonumber(ARGV[4])
if outcome == FIRST_USE then
  outcome = NOT_DUE
elseif outcome == CURRENT then
  if every <= 0 or rec.prev or rec.rebuilt == '1' or now - tonumber(rec.rotated_at) < every then
    outcome = NOT_DUE
  else
    outcome = ROTATED
  end
end
local last = last_activity(rec)
if outcome == ROTATED then
  rec.prev, rec.next, rec.prev_until = rec.cur, ARGV[3], nil
  rec.cur, rec.used = ARGV[2], '0'
  rec.gen = int(tonumber(rec.gen) + 1)
  rec.rotated_at = int(now)
  redis.call('HSET', KEYS[1], 'prev', rec.prev, 'next', rec.next, 'cur', rec.cur, 'used', rec.used,
    'gen', rec.gen, 'rotated_at', rec.rotated_at)
end
return answer(outcome, '', now, last, stored(), rec)
