-- Names the place into which a message may be put.
-- KEYS: since. ARGV: the tag.
redis.call('ZREM', KEYS[1], '')  -- frees memory, so that a full Redis allows what follows
local clock = redis.call('TIME')
redis.call('ZADD', KEYS[1], clock[1] * 1000 + math.floor(clock[2] / 1000), ARGV[1])
