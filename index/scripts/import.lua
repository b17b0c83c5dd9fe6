-- Moves the people of an export, who are staged, into the gallery: all of them or nobody.
-- The last three KEYS: the calibration of their encoder; how the names of the staged keys begin;
-- people who may have been erased before, of whom somebody says that they are back.
-- ARGV: encoder, its calibration as JSON or nothing, how many parts, people and photos were
-- staged, seconds for which the answer is kept, for one who lost it and asks again.
-- Returns ok, and 1 if the calibration was taken, which one of our own prevents; encoder, and the
-- gallery's own; there, and the ids of a few who are there already, by id, name or photo; staged,
-- where not all is there that was.
local CALIBRATION, STAGED, RETURNED = unpack(KEYS, #KEYS - 2)
local encoder, calibration = ARGV[1], ARGV[2]
local parts, people, photos, kept = unpack(ARGV, 3, 6)
local NAMED = 5      -- of those who are there already
local IN_ENTRY = 500 -- people of an entry of the log

local function staged(kind, number)
  return STAGED .. kind .. ':' .. number
end

local function staged_photos(person, kind)
  return STAGED .. 'photos:' .. person .. (kind == NEGATIVE and ':not' or '')
end

local function is_complete()
  local rows, kept_photos, ids, names = 0, 0, 0, 0
  for number = 0, parts - 1 do
    rows = rows + redis.call('HLEN', staged('rows', number))
    names = names + redis.call('HLEN', staged('names', number))
    for _, person in ipairs(redis.call('HKEYS', staged('people', number))) do
      ids = ids + 1
      for _, kind in ipairs({ENROLLED, NEGATIVE}) do
        kept_photos = kept_photos + redis.call('HLEN', staged_photos(person, kind))
      end
    end
  end
  people, photos = tonumber(people), tonumber(photos)
  return ids == people and names == people and rows == photos and kept_photos == photos
end

-- Adds to `found` whose fields of a staged hash a hash of the gallery has already.
local function add_present(found, hash, staged_hash, owner_of)
  local fields = redis.call('HKEYS', staged_hash)
  if #fields > 0 then
    for i, there in ipairs(redis.call('HMGET', hash, unpack(fields))) do
      if there and #found < NAMED then
        found[#found + 1] = owner_of(staged_hash, fields[i])
      end
    end
  end
end

local function itself(_, person)
  return person
end

-- Both of a name and of a photo the id stands first.
local function id_of(staged_hash, field)
  return string.sub(redis.call('HGET', staged_hash, field), 1, 12)
end

local function already_there()
  local found = {}
  for number = 0, parts - 1 do
    add_present(found, PEOPLE, staged('people', number), itself)
    add_present(found, NAMES, staged('names', number), id_of)
    add_present(found, DIGESTS, staged('rows', number), id_of)
  end
  return found
end

local function set(hash, fields)
  if #fields > 0 then
    redis.call('HSET', hash, unpack(fields))
  end
end

-- Whatever is staged has a time to live, which moves along with it unless it is taken away.
local function move_photos(person)
  for _, kind in ipairs({ENROLLED, NEGATIVE}) do
    local photos_there = staged_photos(person, kind)
    if redis.call('PERSIST', photos_there) == 1 then
      redis.call('RENAME', photos_there, photos_of(person, kind))
    end
  end
end

-- So many slots: free ones first, then new ones, which follow each other.
local function take_slots(count)
  local slots = redis.call('LRANGE', FREE, 0, count - 1)
  redis.call('LTRIM', FREE, #slots, -1)
  local new = count - #slots
  local last = redis.call('INCRBY', SLOTS, new)
  for slot = last - new, last - 1 do
    slots[#slots + 1] = slot
  end
  return slots
end

-- Records whose slots follow each other within one string are written at once.
local function write_records(slots, records)
  local first = 1
  for i = 1, #slots do
    local slot, after = tonumber(slots[i]), tonumber(slots[i + 1])
    if after ~= slot + 1 or after % IN_STRING == 0 then
      local from = tonumber(slots[first])
      redis.call('SETRANGE', string_of(encoder, from), place_of(from),
        table.concat(records, '', first, i))
      first = i + 1
    end
  end
end

-- A row is a person's id and a record.
local function move_rows(rows)
  local slots = take_slots(#rows / 2)
  local records, digests = {}, {}
  for i, slot in ipairs(slots) do
    local row = rows[2 * i]
    records[i] = string.sub(row, 13)
    digests[2 * i - 1], digests[2 * i] = rows[2 * i - 1], string.sub(row, 1, 12) .. ':' .. slot
  end
  write_records(slots, records)
  set(DIGESTS, digests)
end

-- The ids of those who moved in with a part.
local function move_in(number)
  set(PEOPLE, redis.call('HGETALL', staged('people', number)))
  set(NAMES, redis.call('HGETALL', staged('names', number)))
  set(RULES, redis.call('HGETALL', staged('rules', number)))
  local ids = redis.call('HKEYS', staged('people', number))
  for _, person in ipairs(ids) do
    move_photos(person)
  end
  move_rows(redis.call('HGETALL', staged('rows', number)))
  if #ids > 0 then
    redis.call('SADD', RETURNED, unpack(ids))
  end
  return ids
end

local function tell_all(ids)
  for first = 1, #ids, IN_ENTRY do
    tell(table.concat(ids, ' ', first, math.min(first + IN_ENTRY - 1, #ids)))
  end
end

local done = redis.call('GET', STAGED .. 'done')
if done then
  return {'ok', done}
end
if not is_complete() then
  return {'staged'}
end
local own = redis.call('GET', ENCODER)
if own and own ~= encoder then
  return {'encoder', own}
end
local there = already_there()
if #there > 0 then
  return {'there', unpack(there)}
end

redis.call('SET', ENCODER, encoder)
local moved = {}
for number = 0, parts - 1 do
  for _, person in ipairs(move_in(number)) do
    moved[#moved + 1] = person
  end
end
tell_all(moved)
local taken = '0'
if calibration ~= '' and redis.call('SETNX', CALIBRATION, calibration) == 1 then
  tell('', encoder)
  taken = '1'
end
redis.call('SET', STAGED .. 'done', taken, 'EX', kept)
return {'ok', taken}
