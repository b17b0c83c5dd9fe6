-- Changes what is known of a person but their photos.
-- ARGV: id, what they were as JSON, what they shall be, their rule as JSON or nothing, spelling of
-- the old name, of the new one.
-- Returns ok; gone; changed, where somebody else was faster; or taken, for the new name.
local person, before, json, rule, old, new = unpack(ARGV)
local now = redis.call('HGET', PEOPLE, person)
if not now then
  return 'gone'
end
if now == json then
  return 'ok'  -- the answer was lost on its way
end
if now ~= before then
  return 'changed'
end
local owner = redis.call('HGET', NAMES, new)
if owner and owner ~= person then
  return 'taken'
end
if redis.call('HGET', NAMES, old) == person then
  redis.call('HDEL', NAMES, old)
end
redis.call('HSET', NAMES, new, person)
describe(person, json, rule)
tell(person)
return 'ok'
