-- Erases a person. The gallery's encoder is free again once nobody is left.
-- KEYS[12]: people of whom what was seen has to be erased, too, and names of sightings. KEYS[13]:
-- files of Redis to be written anew.
-- ARGV: person's id, what they were as JSON, spelling of their name, how many photos of others go,
-- their digests, then names of others' sightings.
-- Returns ok; gone; or changed, where somebody else was faster.
local person, before, spelling = unpack(ARGV)
local now = redis.call('HGET', PEOPLE, person)
if not now then
  return redis.call('SISMEMBER', KEYS[12], person) == 1 and 'ok' or 'gone'
end
if now ~= before then
  return 'changed'
end
for _, digest in ipairs(digests_of(person)) do
  drop(digest, person)
end
local people = person
for i = 5, 4 + ARGV[4] do
  local other = owner_and_slot(ARGV[i])
  if other then
    drop(ARGV[i], other)
    people = people .. ' ' .. other
  end
end
take_out(person, spelling)
redis.call('SADD', KEYS[12], person, unpack(ARGV, 5 + ARGV[4]))
local position = tell(people)
redis.call('SADD', KEYS[13], 'aof:' .. position, 'rdb:' .. position)
return 'ok'
