-- What lies in the list of those just taken becomes held.
-- KEYS: taken, held, since. ARGV: tag. Answers 1; or 0 where somebody gave it back meanwhile.
local raw = redis.call('LPOP', KEYS[1])
if not raw then
  return 0
end
local now = redis.call('TIME')
redis.call('HSET', KEYS[2], ARGV[1], raw)
redis.call('ZADD', KEYS[3], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[1])
return 1
