-- Erases a person. The gallery's encoder is free again once nobody is left.
-- KEYS[12]: people of whom what was seen has to be erased, too.  ARGV: person's id, spelling.
local person, spelling = ARGV[1], ARGV[2]
if redis.call('HEXISTS', PEOPLE, person) == 0 then
  return false
end
for _, digest in ipairs(digests_of(person)) do
  drop(digest, person)
end
take_out(person, spelling)
redis.call('SADD', KEYS[12], person)
return tell(person)
