-- Erases what was seen and said of people: sightings, pictures, events, and what open votes know.
-- facetrail/sightings.lua and rewrite.lua stand before this text.
-- KEYS: events, aside, open, closing.
-- ARGV[1]: msgpack of keys, people (ids), vote (start of a vote's key), remember (seconds).
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

-- An open vote goes on without them. Its picture of them has no sighting yet.
local function forget_in_vote(track)
  local vote = call.vote .. track
  local person = redis.call('HGET', vote, 'person')
  if person and gone[person] then
    redis.call('HSET', vote, 'hushed', 1)
  end
  for _, field in ipairs(redis.call('HKEYS', vote)) do
    local kind, whose = string.match(field, '^([%a_]+):(%x*)$')
    if kind and gone[whose] then
      redis.call('HDEL', vote, field)
      redis.call('DEL', keys.snapshot .. track .. '/' .. whose)
    elseif kind == 'runner_up' then
      local id = string.match(redis.call('HGET', vote, field), '"id":"(%x+)"')
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

local said, shown = 0, 0
for _, person in ipairs(call.people) do
  gone[person] = true
  redis.call('SET', keys.erased .. person, 1, 'EX', call.remember)
  said = said + forget_events(person)
  shown = shown + forget_sightings(person)
end
for _, tracks in ipairs({KEYS[3], KEYS[4]}) do
  for _, track in ipairs(redis.call('ZRANGE', tracks, 0, -1)) do
    forget_in_vote(track)
  end
end
rewrite(events, KEYS[2], without_them)
return {said, shown}
