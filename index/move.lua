-- Moves photos from one person to another, who is made if new. Whoever has none left is gone.
-- ARGV: from, their spelling, to, their spelling, the new person as JSON or nothing, whether
-- nobody may be left without photos: 1 or 0, then the photos' digests; none: all of them.
-- Returns ok; gone, where one of them is not there; taken, for the name of the new person; photo,
-- for one that is not of theirs; all, where nothing would be left.
local from, from_spelling, to, to_spelling, json, must_stay = unpack(ARGV, 1, 6)
if redis.call('HEXISTS', PEOPLE, from) == 0 then
  return 'gone'
end
local new = json ~= ''
if new and redis.call('HEXISTS', NAMES, to_spelling) == 1 then
  return 'taken'
end
if not new and redis.call('HEXISTS', PEOPLE, to) == 0 then
  return 'gone'
end
local digests = {unpack(ARGV, 7)}
for _, digest in ipairs(digests) do
  if redis.call('HEXISTS', photos_of(from, ENROLLED), digest) == 0 then
    return 'photo'
  end
end
local rest = redis.call('HLEN', photos_of(from, ENROLLED)) - #digests
if #digests == 0 then
  digests, rest = digests_of(from), 0
end
if must_stay == '1' and rest == 0 then
  return 'all'
end
if new then
  redis.call('HSET', PEOPLE, to, json)
  redis.call('HSET', NAMES, to_spelling, to)
end
for _, digest in ipairs(digests) do
  move(digest, from, to)
end
if rest == 0 then
  take_out(from, from_spelling)
end
tell(to .. ' ' .. from)
return 'ok'
