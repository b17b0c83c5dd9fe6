-- Moves photos from one person to another, who is made if new. Whoever has none left is gone.
-- KEYS[12]: merges, of which the past is to follow.
-- ARGV: from, what they were as JSON, their spelling, to, their spelling, the new person as JSON
-- or nothing, then the photos' digests; none: all of them.
-- Returns ok, also where it was done before and the answer was lost; gone, where one of them is
-- not there; changed, where somebody else was faster; taken, for the name of the new person;
-- photo, for one that is not of theirs; all, where a new person would get everything.
local from, before, from_spelling, to, to_spelling, json = unpack(ARGV, 1, 6)
local new = json ~= ''
local merge = from .. ' ' .. to
if new and redis.call('HGET', NAMES, to_spelling) == to
  or not new and redis.call('SISMEMBER', KEYS[12], merge) == 1 then
  return 'ok'
end
local now = redis.call('HGET', PEOPLE, from)
if not now or not new and redis.call('HEXISTS', PEOPLE, to) == 0 then
  return 'gone'
end
if now ~= before then
  return 'changed'
end
if new and redis.call('HEXISTS', NAMES, to_spelling) == 1 then
  return 'taken'
end
local digests = {unpack(ARGV, 7)}
for _, digest in ipairs(digests) do
  if redis.call('HEXISTS', photos_of(from, ENROLLED), digest) == 0 then
    return 'photo'
  end
end
if new and redis.call('HLEN', photos_of(from, ENROLLED)) == #digests then
  return 'all'
end
if new then
  redis.call('HSET', PEOPLE, to, json)
  redis.call('HSET', NAMES, to_spelling, to)
else
  digests = digests_of(from)
end
for _, digest in ipairs(digests) do
  move(digest, from, to)
end
if not new then
  take_out(from, from_spelling)
  redis.call('SADD', KEYS[12], merge)
end
tell(to .. ' ' .. from)
return 'ok'
