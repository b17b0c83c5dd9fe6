-- The oldest message of the queue becomes held. Works where Redis is full, too: what begins with
-- a command that frees memory may go on with one that needs some.
-- KEYS: queue, held, since. ARGV: tag. Answers the message, or nothing.
local raw = redis.call('RPOP', KEYS[1])
if not raw then
  return false
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[2], ARGV[1], raw)
redis.call('ZADD', KEYS[3], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
return raw
