-- Says that a node is alive, and counts the nodes that are.
--
-- KEYS[1]  nodes: ZSET, member = node id, score = when it was last seen, ms of Redis TIME
-- KEYS[2]  leaves: how many nodes have left in order
-- ARGV[1]  node id
-- ARGV[2]  ms after which a silent node is no longer live
-- ARGV[3]  ms after which a silent node is forgotten; also the TTL of nodes
--
-- Reply: { live nodes, rank of this one among them in the order of ids (0 is the first), leaves }

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('(%.0f', now - ARGV[3]))
redis.call('PEXPIRE', KEYS[1], ARGV[3])

local live = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', now - ARGV[2]), '+inf')
local rank = 0
for _, id in ipairs(live) do
  if id < ARGV[1] then
    rank = rank + 1
  end
end

return { #live, rank, tonumber(redis.call('GET', KEYS[2]) or 0) }
