-- What every script of the gallery stands on; this text stands before theirs.
--
-- An encoding lies in a record of 520 bytes: 6 of the person's id, 1 of its kind, 1 empty, 512 of
-- the encoding. Records lie in strings of 4096, by their slots, once for each encoder, so that a
-- worker reads a million of them in seconds, and one of whoever is erased is overwritten.
local LOG, PEOPLE, NAMES, ENCODER, DIGESTS, PHOTOS = unpack(KEYS, 1, 6)
local ROWS, FREE, SLOTS, RULES, NEXT_ENCODER = unpack(KEYS, 7, 11)
local RECORD, IN_STRING = 520, 4096
local ENCODING = 8                 -- where in a record the encoding begins
local KEPT = 10000                 -- entries of the log, about
local ENROLLED, NEGATIVE = '\1', '\2'

local function raw(person)
  return (string.gsub(person, '..', function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

local function string_of(encoder, slot)
  return ROWS .. encoder .. ':' .. math.floor(slot / IN_STRING)
end

local function place_of(slot)
  return slot % IN_STRING * RECORD
end

-- The gallery's encoder, and the one that it is being moved to.
local function encoders()
  local found = {}
  for _, key in ipairs({ENCODER, NEXT_ENCODER}) do
    local encoder = redis.call('GET', key)
    if encoder then
      found[#found + 1] = encoder
    end
  end
  return found
end

-- Who a photo is of, and its slot.
local function owner_and_slot(digest)
  local found = redis.call('HGET', DIGESTS, digest)
  if found then
    return string.sub(found, 1, 12), tonumber(string.sub(found, 14))
  end
end

-- The hash of a person's photos, or of those that show somebody else.
local function photos_of(person, kind)
  return PHOTOS .. person .. (kind == NEGATIVE and ':not' or '')
end

local function digests_of(person)
  local found = redis.call('HKEYS', photos_of(person, ENROLLED))
  for _, digest in ipairs(redis.call('HKEYS', photos_of(person, NEGATIVE))) do
    found[#found + 1] = digest
  end
  return found
end

local function record_of(encoder, slot)
  local from = place_of(slot)
  return redis.call('GETRANGE', string_of(encoder, slot), from, from + RECORD - 1)
end

local function keep(person, digest, kind, photo, encoding)
  local slot = redis.call('LPOP', FREE) or redis.call('INCR', SLOTS) - 1
  local encoder = redis.call('GET', ENCODER)
  local record = raw(person) .. kind .. '\0' .. encoding
  redis.call('SETRANGE', string_of(encoder, slot), place_of(slot), record)
  redis.call('HSET', photos_of(person, kind), digest, photo)
  redis.call('HSET', DIGESTS, digest, person .. ':' .. slot)
end

local function move(digest, from, to)
  local _, slot = owner_and_slot(digest)
  for _, encoder in ipairs(encoders()) do
    local key = string_of(encoder, slot)
    if redis.call('STRLEN', key) > place_of(slot) then
      redis.call('SETRANGE', key, place_of(slot), raw(to))
    end
  end
  for _, kind in ipairs({ENROLLED, NEGATIVE}) do
    local photo = redis.call('HGET', photos_of(from, kind), digest)
    if photo then
      redis.call('HSET', photos_of(to, kind), digest, photo)
      redis.call('HDEL', photos_of(from, kind), digest)
    end
  end
  redis.call('HSET', DIGESTS, digest, to .. ':' .. slot)
end

local function drop(digest, person)
  local _, slot = owner_and_slot(digest)
  for _, encoder in ipairs(encoders()) do
    local key = string_of(encoder, slot)
    if redis.call('STRLEN', key) > place_of(slot) then
      redis.call('SETRANGE', key, place_of(slot), string.rep('\0', RECORD))
    end
  end
  redis.call('RPUSH', FREE, slot)
  redis.call('HDEL', DIGESTS, digest)
  redis.call('HDEL', photos_of(person, ENROLLED), digest)
  redis.call('HDEL', photos_of(person, NEGATIVE), digest)
end

local function drop_rows(encoder)
  local slots = tonumber(redis.call('GET', SLOTS) or 0)
  for slot = 0, slots - 1, IN_STRING do
    redis.call('UNLINK', string_of(encoder, slot))
  end
end

-- Takes a person out who has no photos left. With the last one the gallery is bound no longer.
local function take_out(person, spelling)
  redis.call('HDEL', PEOPLE, person)
  redis.call('HDEL', RULES, person)
  if redis.call('HGET', NAMES, spelling) == person then
    redis.call('HDEL', NAMES, spelling)
  end
  if redis.call('HLEN', PEOPLE) == 0 then
    for _, encoder in ipairs(encoders()) do
      drop_rows(encoder)
    end
    redis.call('DEL', ENCODER, NEXT_ENCODER, FREE, SLOTS)
  end
end

local function describe(person, json, rule)
  redis.call('HSET', PEOPLE, person, json)
  if rule == '' then
    redis.call('HDEL', RULES, person)
  else
    redis.call('HSET', RULES, person, rule)
  end
end

-- One entry of the log. `previous` lets a follower see that it has missed none.
local function tell(people, encoder)
  local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
  return redis.call('XADD', LOG, 'MAXLEN', '~', KEPT, '*', 'previous', last and last[1] or '0-0',
    'people', people, 'encoder', encoder or '')
end
