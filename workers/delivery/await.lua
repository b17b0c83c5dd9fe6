-- Names the place into which a message may be put, and forgets finished messages.
-- KEYS: since. ARGV: start of the places' keys, the tag; then tags of finished messages.
redis.call('ZREM', KEYS[1], '')  -- frees memory, so that a full Redis allows what follows
for index = 3, #ARGV do
  redis.call('ZREM', KEYS[1], ARGV[index])
  redis.call('DEL', ARGV[1] .. ARGV[index])
end
local clock = redis.call('TIME')
redis.call('ZADD', KEYS[1], clock[1] * 1000 + math.floor(clock[2] / 1000), ARGV[2])
