-- Says that a consumer lives, and works at what it holds; gives back what others left behind.
-- KEYS: queue, held, since, consumers, deaths, rejected. ARGV: start of the lists of those just
--   taken, start of the leases, lease in ms, time in ms after which what nobody renewed comes
--   again, times after which a message that always dies with its worker is set aside, messages
--   kept there, its own name ('' for none), tags it works at.
-- Answers how many messages came again, and how many were set aside.
local queue, held, since, consumers, deaths, rejected = unpack(KEYS)
local taken_of, lease_of, lease, patience, most, kept, own = unpack(ARGV)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

redis.call('SREM', consumers, '')  -- frees memory, so that a full Redis allows what follows
if own ~= '' then
  redis.call('SET', lease_of .. own, 1, 'PX', lease)
  redis.call('SADD', consumers, own)
end
for index = 8, #ARGV do
  redis.call('ZADD', since, 'XX', now, ARGV[index])
end

local again, aside = 0, 0
for _, name in ipairs(redis.call('SMEMBERS', consumers)) do
  if redis.call('EXISTS', lease_of .. name) == 0 then
    while redis.call('LMOVE', taken_of .. name, queue, 'LEFT', 'RIGHT') do
      again = again + 1
    end
    redis.call('SREM', consumers, name)
  end
end

local overdue = redis.call('ZRANGEBYSCORE', since, '-inf', now - patience, 'LIMIT', 0, 1000)
for _, tag in ipairs(overdue) do
  local raw = redis.call('HGET', held, tag)
  redis.call('ZREM', since, tag)
  redis.call('HDEL', held, tag)
  if raw then
    local times = redis.call('HINCRBY', deaths, redis.sha1hex(raw), 1)
    redis.call('EXPIRE', deaths, 3600)
    if times < tonumber(most) then
      redis.call('RPUSH', queue, raw)
      again = again + 1
    else
      redis.call('XADD', rejected, 'MAXLEN', '~', kept, '*', 'kind', 'queued', 'message', raw,
        'reason', 'the workers that held it ended ' .. times .. ' times')
      aside = aside + 1
    end
  end
end
return {again, aside}
