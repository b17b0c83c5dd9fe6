-- Makes all that was seen of a stranger, or of another person, a person's. Returns how many
-- sightings that were; -1, with nothing done, where the person was erased meanwhile. They live as
-- long as they were to. Votes still open about them go on for the person, by the key that says who
-- they have turned out to be.
-- facetrail/sightings.lua stands before this text.
-- KEYS: sightings. ARGV[1]: msgpack of keys, owner, person (JSON as events have it) and remember
-- (seconds).
local call = cmsgpack.unpack(ARGV[1])
local keys, owner = call.keys, call.owner
local person = who_now(keys, cjson.decode(call.person).id)
if person == owner then
  return 0
end
if redis.call('EXISTS', keys.erased .. person) == 1 then
  return -1
end
local stranger = is_stranger(owner) and owner or nil
local before = owned(not stranger and owner or nil, stranger)
local theirs = keys.sightings_of .. owner
local times = redis.call('ZRANGE', theirs, 0, -1, 'WITHSCORES')
for i = 1, #times, 2 do
  local name = times[i]
  local line = redis.call('HGET', KEYS[1], name)
  if line then
    redis.call('HSET', KEYS[1], name, owned(person, nil) .. string.sub(line, #before + 1))
    redis.call('ZADD', keys.sightings_of .. person, times[i + 1], name)
  end
end
redis.call('DEL', theirs)
redis.call('ZUNIONSTORE', keys.seen .. person, 2, keys.seen .. person, keys.seen .. owner,
  'AGGREGATE', 'MAX')
redis.call('DEL', keys.seen .. owner)
if stranger then
  redis.call('SET', keys.named_stranger .. stranger, person, 'EX', call.remember)
  tell(keys, stranger)
else
  local former = keys.formerly .. person
  redis.call('SET', keys.merged .. owner, call.person, 'EX', call.remember)
  redis.call('SUNIONSTORE', former, former, keys.formerly .. owner)
  redis.call('DEL', keys.formerly .. owner)
  redis.call('SADD', former, owner)
  redis.call('EXPIRE', former, call.remember)
end
return #times / 2
