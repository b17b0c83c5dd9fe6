-- Finished messages are forgotten, and the oldest of the queue are held. Works where Redis is
-- full, too: what begins with a command that frees memory may go on with one that needs some.
-- KEYS: queue, since. ARGV: start of the places' keys, how many are finished, their tags; then a
--   tag for each message that is wanted. Answers the messages.
local queue, since = unpack(KEYS)
local place_of, finished = ARGV[1], tonumber(ARGV[2])
redis.call('ZREM', since, '')
for index = 3, 2 + finished do
  redis.call('ZREM', since, ARGV[index])
  redis.call('DEL', place_of .. ARGV[index])
end
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local taken = {}
for index = 3 + finished, #ARGV do
  local raw = redis.call('LMOVE', queue, place_of .. ARGV[index], 'RIGHT', 'LEFT')
  if not raw then
    break
  end
  redis.call('ZADD', since, now, ARGV[index])
  table.insert(taken, raw)
end
return taken
