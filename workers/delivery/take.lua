-- The oldest messages of the queue are held. Works where Redis is full, too: what begins with a
-- command that frees memory may go on with one that needs some.
-- KEYS: queue, since. ARGV: start of the places' keys, a tag for each message that is wanted.
-- Answers the messages.
local queue, since = unpack(KEYS)
redis.call('ZREM', since, '')
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local taken = {}
for index = 2, #ARGV do
  local raw = redis.call('LMOVE', queue, ARGV[1] .. ARGV[index], 'RIGHT', 'LEFT')
  if not raw then
    break
  end
  redis.call('ZADD', since, now, ARGV[index])
  table.insert(taken, raw)
end
return taken
