-- Adds photos to the person of a name, who is made if new; all or nothing.
-- KEYS: log, people, names, encoder, digests, photos of the new person.
-- ARGV: encoder, name, new id, new person as JSON, then digest and photo by turns.
-- Returns a verdict and its detail: ok and the person's id, encoder and the gallery's own,
-- digest and the name of the photo's owner.
local own = redis.call('GET', KEYS[4])
if own and own ~= ARGV[1] then
  return {'encoder', own}
end
local person = redis.call('HGET', KEYS[3], ARGV[2])
for i = 5, #ARGV, 2 do
  local owner = redis.call('HGET', KEYS[5], ARGV[i])
  if owner then
    return {'digest', cjson.decode(redis.call('HGET', KEYS[2], owner)).name}
  end
end
local photos = KEYS[6]
if person then
  photos = string.sub(KEYS[6], 1, -#ARGV[3] - 1) .. person
else
  person = ARGV[3]
  redis.call('HSET', KEYS[2], person, ARGV[4])
  redis.call('HSET', KEYS[3], ARGV[2], person)
end
redis.call('SET', KEYS[4], ARGV[1])
for i = 5, #ARGV, 2 do
  redis.call('HSET', photos, ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[5], ARGV[i], person)
end
redis.call('XADD', KEYS[1], '*', 'person', person)
return {'ok', person}
