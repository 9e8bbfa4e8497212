-- What the scripts of one session share; put in front of each of them. It is the state machine of
-- sessions.Entry, statement for statement, and sessionstest.TestStore holds the two together.
--
-- KEYS of these scripts, of one slot: 1 session (hash), 2 last activity (ms), 3 tombstone (reason),
-- 4 sealed tokens. Times are milliseconds, of the server's clock unless a test gives its own, which
-- also leaves the TTLs out.

-- Outcomes, as in sessions.Outcome.
local MISSING, ENDED, UNKNOWN, REUSED, WOULD_IDLE = 0, 1, 2, 3, 4
local ROUTE_IDLE, ROUTE_ABSOLUTE, CURRENT, FIRST_USE = 5, 6, 7, 8
local SUPERSEDED, GRACE, ROTATED, NOT_DUE = 9, 10, 11, 12

local MARK = 16 -- bytes of a retired verifier's hash that are kept
local MAX_RETIRED = 32

local function clock(test)
  if test ~= '' then return tonumber(test) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- int writes a whole number with all its digits.
local function int(n) return string.format('%.0f', n) end

-- set writes a key that lives until the moment.
local function set(key, value, untilms, test)
  if test ~= '' then
    redis.call('SET', key, value)
  else
    redis.call('SET', key, value, 'PXAT', int(untilms))
  end
end

local function load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local rec = {}
  for i = 1, #flat, 2 do rec[flat[i]] = flat[i + 1] end
  return rec
end

local function flat(rec)
  local fields = {}
  for field, value in pairs(rec or {}) do
    fields[#fields + 1] = field
    fields[#fields + 1] = value
  end
  return fields
end

-- bury writes the tombstone first.
local function bury(reason, absolute, keep, test)
  set(KEYS[3], reason, absolute + keep, test)
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[4])
end

-- answer is every reply about a verifier: outcome, reason, now, last, stored, fields.
local function answer(outcome, reason, now, last, stored, rec)
  return { outcome, reason, now, last, stored, flat(rec) }
end

local function stored()
  return tonumber(redis.call('GET', KEYS[2]) or '0')
end

-- last_activity falls back on the last sign of life, should the activity alone be lost.
local function last_activity(rec)
  local last = stored()
  if last > 0 then return last end
  return tonumber(rec.rotated_at)
end

local function retired(rec, hash)
  local list = rec.retired or ''
  local mark = string.sub(hash, 1, MARK)
  for i = 1, #list, MARK do
    if string.sub(list, i, i + MARK - 1) == mark then return true end
  end
  return false
end

-- retire drops a predecessor whose grace is over.
local function retire(rec, now)
  local over = tonumber(rec.prev_until or '0')
  if not rec.prev or over == 0 or now < over then return end
  local list = (rec.retired or '') .. string.sub(rec.prev, 1, MARK)
  rec.retired = string.sub(list, -MAX_RETIRED * MARK)
  rec.prev, rec.prev_until, rec.next = nil, nil, nil
  redis.call('HSET', KEYS[1], 'retired', rec.retired)
  redis.call('HDEL', KEYS[1], 'prev', 'prev_until', 'next')
end

local function role(rec, hash)
  if rec.cur == hash then return rec.used == '1' and CURRENT or FIRST_USE end
  if rec.prev == hash then return rec.used == '1' and GRACE or SUPERSEDED end
  if retired(rec, hash) then return REUSED end
  return UNKNOWN
end

-- open returns the session, or an answer when it is over.
local function open(now, keep, test)
  local reason = redis.call('GET', KEYS[3])
  if reason then return nil, answer(ENDED, reason, now, 0, 0) end
  local rec = load(KEYS[1])
  if not rec then return nil, answer(MISSING, '', now, 0, 0) end
  if rec.state ~= 'active' then return nil, answer(ENDED, 'revoked', now, 0, 0) end
  if now >= tonumber(rec.absolute) then
    bury('absolute', tonumber(rec.absolute), keep, test)
    return nil, answer(ENDED, 'absolute', now, 0, 0)
  end
  retire(rec, now)
  return rec
end
