-- Adds photos to the person of a name, who is made if new; all or nothing.
-- KEYS[12]: merges, of which the past is to follow.
-- ARGV: encoder, spelling, new id, new person as JSON, kind: 1 enrolled or 2 negative, the stranger
-- whose photos they are or nothing, then digest, photo and encoding by turns.
-- Returns a verdict and its detail: ok and the person's id, encoder and the gallery's own,
-- digest and the name of the photo's owner; nobody for negatives of whoever is not there.
local encoder, spelling, new, json = unpack(ARGV, 1, 4)
local kind = ARGV[5] == '2' and NEGATIVE or ENROLLED
local own = redis.call('GET', ENCODER)
if own and own ~= encoder then
  return {'encoder', own}
end
local person = redis.call('HGET', NAMES, spelling)
if person and redis.call('HEXISTS', PEOPLE, person) == 0 then
  person = nil  -- a name of nobody
end
if not person and kind == NEGATIVE then
  return {'nobody', ''}
end
-- A photo may be given twice, or again: we were asked before, and the answer was lost on its way.
local wanted, given = {}, {}
for i = 7, #ARGV, 3 do
  local owner = owner_and_slot(ARGV[i])
  if owner and owner ~= new and owner ~= person then
    return {'digest', cjson.decode(redis.call('HGET', PEOPLE, owner)).name}
  end
  if not owner and not given[ARGV[i]] then
    given[ARGV[i]] = true
    wanted[#wanted + 1] = i
  end
end
local function follow_up()
  if ARGV[6] ~= '' then
    redis.call('SADD', KEYS[12], ARGV[6] .. ' ' .. person)
  end
  return {'ok', person}
end
if #wanted == 0 then
  return follow_up()
end
if not person then
  person = new
  redis.call('HSET', PEOPLE, person, json)
  redis.call('HSET', NAMES, spelling, person)
end
redis.call('SET', ENCODER, encoder)
for _, i in ipairs(wanted) do
  keep(person, ARGV[i], kind, ARGV[i + 1], ARGV[i + 2])
end
tell(person)
return follow_up()
