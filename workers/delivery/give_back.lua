-- Held messages go back to where they came from, to be taken next, the first tag first.
-- KEYS: queue, held, since. ARGV: tags. Answers how many.
local given = 0
for index = #ARGV, 1, -1 do
  local raw = redis.call('HGET', KEYS[2], ARGV[index])
  redis.call('ZREM', KEYS[3], ARGV[index])
  redis.call('HDEL', KEYS[2], ARGV[index])
  if raw then
    redis.call('RPUSH', KEYS[1], raw)
    given = given + 1
  end
end
return given
