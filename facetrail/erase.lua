-- Erases what was seen and said of people: sightings, pictures, events, and what open votes know.
-- facetrail/sightings.lua and rewrite.lua stand before this text.
-- KEYS: events, aside, open, closing.
-- ARGV[1]: msgpack of keys, people (ids, of strangers too), sightings (names of others' sightings
-- that show them), vote (start of a vote's key), remember (seconds).
-- Returns how many events and how many sightings are gone.
local call = cmsgpack.unpack(ARGV[1])
local keys, events = call.keys, KEYS[1]
local gone = {}  -- people, as a set

local function forget_events(person)
  local seen = redis.call('ZRANGE', keys.seen .. person, 0, -1)
  local count = 0
  for _, sequence in ipairs(seen) do
    count = count + redis.call('XDEL', events, sequence)
  end
  redis.call('DEL', keys.seen .. person)
  return count
end

local function forget_sightings(person)
  local names = redis.call('ZRANGE', keys.sightings_of .. person, 0, -1)
  for _, name in ipairs(names) do
    drop_sighting(keys, name)
  end
  return #names
end

-- Drops what a vote holds of somebody, '' for who is unknown: it has no sighting yet.
local function forget_shot(vote, track, whose)
  local under, round = unpack(redis.call('HMGET', vote, 'under:' .. whose, 'round'))
  local name = appearance(track, under or whose, (round or 0) + 1)
  redis.call('DEL', keys.snapshot .. name)
  for _, field in ipairs(redis.call('HKEYS', vote)) do
    if string.match(field, '^[%a_]+:(%x*)$') == whose then
      redis.call('HDEL', vote, field)
    end
  end
end

-- An open vote goes on without them, and says no more of whoever it had said to be them.
local function forget_in_vote(track)
  local vote = call.vote .. track
  if redis.call('TYPE', vote).ok ~= 'hash' then
    return  -- gone, or spoiled: nobody is erased the less for that
  end
  local person, stranger = unpack(redis.call('HMGET', vote, 'person', 'stranger'))
  local named = stranger and redis.call('GET', keys.named_stranger .. stranger)
  if person and gone[person] then
    redis.call('HSET', vote, 'hushed', 1, 'person', '')
  elseif gone[stranger] or named and gone[who_now(keys, named)] then
    redis.call('HSET', vote, 'hushed', 1)
    redis.call('HDEL', vote, 'stranger')
    forget_shot(vote, track, '')
  end
  for _, field in ipairs(redis.call('HKEYS', vote)) do
    local kind, whose = string.match(field, '^([%a_]+):(%x*)$')
    if kind == 'best' and gone[whose] then
      forget_shot(vote, track, whose)
    elseif kind == 'runner_up' then
      local found = redis.call('HGET', vote, field)
      local id = found and string.match(found, '"id":"(%x+)"')
      if id and gone[id] then
        redis.call('HSET', vote, field, 'null')
      end
    end
  end
end

-- Nobody is said to have been nearly mistaken for somebody who is gone.
local function without_them(fields)
  for i = 2, #fields, 2 do
    fields[i] = string.gsub(fields[i], '"runner_up":{"id":"(%x+)"[^}]*}', function(id)
      return gone[id] and '"runner_up":null' or nil
    end)
  end
  return fields
end

-- Everybody, with all who were merged into them.
local function with_former(people)
  local found = {}
  for _, person in ipairs(people) do
    found[#found + 1] = person
    for _, former in ipairs(redis.call('SMEMBERS', keys.formerly .. person)) do
      if redis.call('EXISTS', keys.merged .. former) == 1 then  -- else they are back
        found[#found + 1] = former
      end
    end
  end
  return found
end

local said, shown = 0, 0
local people = with_former(call.people)
for _, person in ipairs(people) do
  gone[person] = true
  redis.call('SET', keys.erased .. person, 1, 'EX', call.remember)
  said = said + forget_events(person)
  shown = shown + forget_sightings(person)
end
for _, name in ipairs(call.sightings) do
  shown = shown + redis.call('HEXISTS', keys.sightings, name)
  drop_sighting(keys, name)
end
for _, tracks in ipairs({KEYS[3], KEYS[4]}) do
  for _, track in ipairs(redis.call('ZRANGE', tracks, 0, -1)) do
    forget_in_vote(track)
  end
end
for _, person in ipairs(people) do
  redis.call('DEL', keys.merged .. person, keys.formerly .. person)
end
rewrite(events, KEYS[2], without_them)
return {said, shown}
