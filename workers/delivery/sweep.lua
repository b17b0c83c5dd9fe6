-- Says that tags are worked at; gives back what others left behind.
-- KEYS: queue, since, deaths, rejected, counters. ARGV: start of the places' keys, time in ms after which
--   what nobody works at comes again, times after which a message that always dies with its
--   worker is set aside, messages kept there, bytes of one that are, and of one that has more;
--   then the tags.
-- Answers how many messages came again, and how many were set aside.
local queue, since, deaths, rejected, counters = unpack(KEYS)
local place_of, patience, most, kept, longest, cut = unpack(ARGV)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

redis.call('ZREM', since, '')  -- frees memory, so that a full Redis allows what follows
for index = 7, #ARGV do
  redis.call('ZADD', since, now, ARGV[index])
end

local again, aside = 0, 0
local overdue = redis.call('ZRANGEBYSCORE', since, '-inf', now - patience, 'LIMIT', 0, 1000)
for _, tag in ipairs(overdue) do
  redis.call('ZREM', since, tag)
  local raw = redis.call('LINDEX', place_of .. tag, 0)
  if raw then
    local times = redis.call('HINCRBY', deaths, redis.sha1hex(raw), 1)
    redis.call('EXPIRE', deaths, 3600)
    if times < tonumber(most) then
      redis.call('LMOVE', place_of .. tag, queue, 'LEFT', 'RIGHT')
      again = again + 1
    else
      local body = #raw > tonumber(longest) and string.sub(raw, 1, cut) or raw
      redis.call('XADD', rejected, 'MAXLEN', '~', kept, '*', 'kind', 'queued', 'size', #raw,
        'message', body, 'reason', 'the workers that held it ended ' .. times .. ' times')
      redis.call('HINCRBY', counters, 'rejected', 1)
      redis.call('DEL', place_of .. tag)
      aside = aside + 1
    end
  end
end
return {again, aside}
