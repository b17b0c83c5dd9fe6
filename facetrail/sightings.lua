-- What was seen of whom: kept and dropped whole. Stands before the scripts that use it.
-- MOST_MERGED and keys, the names that `names` gives, are of facetrail/sightings.py. An owner is the id of a person,
-- or of a stranger, which begins with unknown-. A sighting is JSON that begins with its owner.
local LOG_KEPT = 10000  -- entries of the strangers' log, about

-- By name, what Redis answers as names and values in turn.
local function by_name(flat)
  local found = {}
  for place = 1, #flat, 2 do
    found[flat[place]] = flat[place + 1]
  end
  return found
end

local function json(text)
  return text and cjson.encode(text) or 'null'
end

local function is_stranger(owner)
  return string.sub(owner, 1, 8) == 'unknown-'
end

local function owned(person, stranger)
  return '{"person":' .. json(person) .. ',"stranger":' .. json(stranger) .. ','
end

-- The name of a sighting and of its picture: one appearance of a person, '' for who is unknown.
-- Those that ended before, of one track, are counted by the round.
local function appearance(track, person, round)
  local name = track .. '/' .. (person == '' and 'unknown' or person)
  return round > 1 and name .. '/' .. round or name
end

-- Who a person is now, and their JSON as events have it if they were merged into somebody.
local function who_now(keys, person)
  local named = nil
  for _ = 1, MOST_MERGED do
    local found = redis.call('GET', keys.merged .. person)
    if not found then
      break
    end
    named, person = found, cjson.decode(found).id
  end
  return person, named
end

-- The newest place in the strangers' log.
local function newest_told(keys)
  local last = redis.call('XREVRANGE', keys.strangers_log, '+', '-', 'COUNT', 1)[1]
  return last and last[1] or '0-0'
end

-- Has every worker look again at a stranger's encodings. An entry names the one before it, so
-- that who missed some knows.
local function tell(keys, stranger)
  redis.call('XADD', keys.strangers_log, 'MAXLEN', '~', LOG_KEPT, '*',
    'previous', newest_told(keys), 'stranger', stranger)
end

-- The sighting of a name and its owner, or nothing.
local function sighting_named(keys, name)
  local line = redis.call('HGET', keys.sightings, name)
  if not line then
    return nil
  end
  local sighting = cjson.decode(line)
  return sighting, sighting.person ~= cjson.null and sighting.person or sighting.stranger
end

-- A stranger of whom no sighting is left is gone.
local function disown(keys, name, owner)
  redis.call('ZREM', keys.sightings_of .. owner, name)
  if is_stranger(owner) then
    if redis.call('EXISTS', keys.sightings_of .. owner) == 0 then
      redis.call('DEL', keys.seen .. owner)
    end
    tell(keys, owner)
  end
end

local function drop_sighting(keys, name)
  local _, owner = sighting_named(keys, name)
  if owner then
    disown(keys, name, owner)
  end
  redis.call('HDEL', keys.sightings, name)
  redis.call('HDEL', keys.sighting_encodings, name)
  redis.call('ZREM', keys.sighting_ends, name)
  redis.call('DEL', keys.snapshot .. name)
end

-- new: name; person or stranger; first_at; rest, the JSON behind first_at without its brace.
-- now: milliseconds. life: seconds until it is dropped, from now.
local function keep_sighting(keys, new, encoding, now, life)
  local old, owner = sighting_named(keys, new.name)
  local first_at = new.first_at
  if old and old.first_at < first_at then
    first_at = old.first_at
  end
  if owner and owner ~= (new.person or new.stranger) then
    disown(keys, new.name, owner)
  end
  local line = owned(new.person, new.stranger) .. '"name":' .. json(new.name) .. ',"first_at":'
    .. json(first_at) .. ',' .. new.rest
  local changes = redis.call('HGET', keys.sighting_encodings, new.name) ~= encoding
  redis.call('HSET', keys.sightings, new.name, line)
  redis.call('HSET', keys.sighting_encodings, new.name, encoding)
  redis.call('ZADD', keys.sighting_ends, now + life * 1000, new.name)
  redis.call('ZADD', keys.sightings_of .. (new.person or new.stranger), now, new.name)
  redis.call('EXPIRE', keys.snapshot .. new.name, life)
  if new.stranger and (changes or owner ~= new.stranger) then
    tell(keys, new.stranger)
  end
end

-- Notes an event among those of its owner. What the stream has no more is forgotten.
local function note_seen(keys, owner, stream, sequence)
  local key = keys.seen .. owner
  local first = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  if first then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. string.match(first[1], '^%d+'))
  end
  redis.call('ZADD', key, string.match(sequence, '^%d+'), sequence)
end
