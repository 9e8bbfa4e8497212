-- Takes a node that stops in order out of the count, and lets the others know, so that they need not remember
-- it for a minute.
--
-- KEYS[1]  nodes: ZSET of node ids, see heartbeat.lua
-- KEYS[2]  leaves: how many nodes have left in order
-- ARGV[1]  node id
-- ARGV[2]  TTL of leaves, ms
--
-- Reply: 1 when the node was counted, 0 when it was not

local counted = redis.call('ZREM', KEYS[1], ARGV[1])
if counted == 1 then
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return counted
