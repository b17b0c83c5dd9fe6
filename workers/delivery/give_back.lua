-- Held messages go back to where they came from, to be taken next, the first tag first.
-- KEYS: queue, since. ARGV: start of the places' keys, tags. Answers how many.
local given = 0
for index = #ARGV, 2, -1 do
  redis.call('ZREM', KEYS[2], ARGV[index])
  if redis.call('LMOVE', ARGV[1] .. ARGV[index], KEYS[1], 'LEFT', 'RIGHT') then
    given = given + 1
  end
end
return given
