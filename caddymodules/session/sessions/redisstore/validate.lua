-- Decides on a verifier and records activity.
-- KEYS: as in lib.lua.
-- ARGV: 1 hash of the verifier, 2 active (0/1), 3 age of the caller's own activity (ms, -1 none),
--       4 last activity of a ticket (ms), 5 idle, 6 idle of the route, 7 absolute of the route (ms, 0
--       none), 8 settling (0/1), 9 end on reuse (0/1), 10 grace, 11 keep (ms), 12 test clock or ''.
-- Reply: as answer in lib.lua.
local now, keep, test = clock(ARGV[12]), tonumber(ARGV[11]), ARGV[12]
local rec, over = open(now, keep, test)
if not rec then return over end
local absolute = tonumber(rec.absolute)

local outcome = role(rec, ARGV[1])
if outcome == REUSED and ARGV[9] == '1' then
  bury('reuse', absolute, keep, test)
  return answer(outcome, '', now, 0, 0)
end
if outcome == UNKNOWN or outcome == REUSED then
  return answer(outcome, '', now, 0, stored(), rec)
end

local last = last_activity(rec)
local age, ticket = tonumber(ARGV[3]), tonumber(ARGV[4])
if age >= 0 then last = math.max(last, now - age) end
if ticket <= now then last = math.max(last, ticket) end

local idle = now - last
if idle >= tonumber(ARGV[5]) then
  if ARGV[8] == '1' then return answer(WOULD_IDLE, '', now, last, stored(), rec) end
  bury('idle', absolute, keep, test)
  return answer(ENDED, 'idle', now, last, 0)
end
local route_idle, route_absolute = tonumber(ARGV[6]), tonumber(ARGV[7])
if route_idle > 0 and idle >= route_idle then
  return answer(ROUTE_IDLE, '', now, last, stored(), rec)
end
if route_absolute > 0 and now >= tonumber(rec.created) + route_absolute then
  return answer(ROUTE_ABSOLUTE, '', now, last, stored(), rec)
end

if outcome == FIRST_USE then
  rec.used = '1'
  redis.call('HSET', KEYS[1], 'used', '1')
  if rec.prev then
    rec.prev_until = int(now + tonumber(ARGV[10]))
    redis.call('HSET', KEYS[1], 'prev_until', rec.prev_until)
  end
end
if ARGV[2] == '1' then
  set(KEYS[2], int(now), absolute + keep, test)
end
return answer(outcome, '', now, last, stored(), rec)
