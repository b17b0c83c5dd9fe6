-- The vote of a track: read once, written once, by `save`.
-- `publish` of facetrail/publish.lua and facetrail/sightings.lua stand before this text.
--
-- KEYS: open, closing, events, counters; then vote and counted of each call.
-- ALWAYS, which stands before this text, is what holds for every call: published (start of the
--   key that remembers an event), history, remember, keys (of facetrail/sightings.lua),
--   person_ttl and unknown_ttl (seconds that pictures and sightings are kept; 0: none are),
--   pictures (whether any are), confirm, unknown, grace and patience (ms).
-- ARGV[1]: msgpack of calls, which are made in their order. Then a snapshot and an encoding for
--   each, since cmsgpack knows no bytes; both may be empty.
-- Of a call, always: op, track, published_at, channel. Times are Redis's own: workers on many
--   hosts need not agree.
-- op 'chip': number, person ('' for nobody), named (JSON of the person, or null), weight,
--   captured_at, facts (JSON object of what the event says of the face), runner_up (JSON of the
--   second nearest, or null), shot (JSON object of what a sighting says of the face), ignored.
--   bare: without the snapshot, which is most of what is sent and of use for the best chip only.
-- op 'skip': number, of a chip that says nothing; reason.
-- op 'end': sent, ended_at.
-- op 'due': closes the vote if its time is up.
-- op 'orphan': silent (ms); ends the appearance if nothing was heard of the track for so long.
-- Calls made again for strangers, since the answers were such, have also: is_new, stranger (an id,
--   '' for one who is new), position (of the strangers' log, at which was searched), searched (the
--   SHA-1 of the encoding). Those encodings are of strangers who are not each other.
--
-- The vote's fields. n: chips counted. sent: chips in all, once known. judged: chips that had a
-- say. total: weight of those. state: open, unknown, known or closed. person: who, if known; ''
-- once they are erased. hushed: they are not to be reported. stranger: the id of who is unknown. round: appearances
-- that ended before, of one track. revision: of the updates said. said: weight of the chip in
-- the last event. first, last: when the first chip was captured, and the last. And for each
-- person, and '' for chips that name nobody: those of EACH. under: of a person somebody was merged
-- into, the id that their sighting began under.
local EACH = {
  'count', 'weight',
  'best',  -- weight of the best chip, of which are facts, captured, named, runner_up,
  'facts', 'captured', 'named', 'runner_up',
  'shot', 'encoding',  -- and these, if a sighting may be kept
  'ignored', 'under',
}
local SHOWN = {'best', 'facts', 'captured', 'runner_up', 'shot', 'encoding'}
local KEPT_S = 3600      -- a vote nobody adds to
local CLOSED_S = 600     -- a closed one, so that late chips are known as late
local IMPROVES = 1.25    -- a best shot this much better is worth an update
local open, closing, events, counters = unpack(KEYS, 1, 4)
redis.call('DEL', ALWAYS.published)  -- nothing, but after it a full Redis allows what follows
local keys = ALWAYS.keys
local calls = cmsgpack.unpack(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

-- Of the call that is made now. changed: fields.
local call, key, counted, picture, encoding, vote, changed

local function begin(place, given)
  call = setmetatable(given, {__index = ALWAYS})
  key, counted = KEYS[3 + 2 * place], KEYS[4 + 2 * place]
  picture, encoding = ARGV[2 * place], ARGV[2 * place + 1]
  vote, changed = by_name(redis.call('HGETALL', key)), {}
end

local function number(field)
  return tonumber(vote[field] or '0')
end

-- A number with all its digits, so that it is equal to itself when it is read again.
local function set(field, value)
  vote[field] = type(value) == 'number' and string.format('%.17g', value) or tostring(value)
  changed[field] = true
end

local function unset(field)
  if vote[field] then
    vote[field] = nil
    changed[field] = true
  end
end

-- Of nine decimals, that all sums are rounded to: they must not depend on their order.
local function add(field, value)
  local sum = number(field) + tonumber(string.format('%.9f', value))
  set(field, string.format(sum % 1 == 0 and '%d' or '%.9f', sum))
end

local function save()
  local kept, gone = {}, {}
  for field in pairs(changed) do
    if vote[field] then
      table.insert(kept, field)
      table.insert(kept, vote[field])
    else
      table.insert(gone, field)
    end
  end
  if #kept > 0 then
    redis.call('HSET', key, unpack(kept))
  end
  if #gone > 0 then
    redis.call('HDEL', key, unpack(gone))
  end
  changed = {}
end

-- Everyone whom a chip has named.
local function people()
  local found = {}
  for field in pairs(vote) do
    local person = string.match(field, '^best:(.+)$')
    if person then
      table.insert(found, person)
    end
  end
  return found
end

local function leader()
  local best, most = nil, -1
  for _, person in ipairs(people()) do
    if number('weight:' .. person) > most then
      best, most = person, number('weight:' .. person)
    end
  end
  return best, most
end

-- Whose best chip shows somebody unknown: one that names nobody, unless each names somebody and
-- they do not agree. Nothing if there is none.
local function shot_of_nobody()
  return vote['facts:'] and '' or leader()
end

-- Enters and exits of one appearance have one revision.
local function round()
  return number('round') + 1
end

-- The name of the picture and the sighting of a person, or of '' for who is unknown.
local function named_after(person)
  return appearance(call.track, vote['under:' .. person] or person, round())
end

local function picture_of(person)
  return keys.snapshot .. named_after(person)
end

local function life_of(person)
  return person == '' and call.unknown_ttl or call.person_ttl
end

local function is_erased(person)
  return redis.call('EXISTS', keys.erased .. person) == 1
end

-- What was counted of one person becomes another's. The sighting of whoever was said to be there
-- keeps its name, and the better picture.
local function join(person, into)
  local is_said = vote.person == person
  local is_better = number('best:' .. person) > number('best:' .. into)
  local theirs, others = picture_of(person), picture_of(into)
  if is_said then
    set('person', into)
    set('under:' .. into, vote['under:' .. person] or person)
  end
  if is_better then
    for _, kind in ipairs(SHOWN) do
      if vote[kind .. ':' .. person] then
        set(kind .. ':' .. into, vote[kind .. ':' .. person])
      else
        unset(kind .. ':' .. into)
      end
    end
  end
  local shown, place = is_better and theirs or others, picture_of(into)
  if shown ~= place and redis.call('EXISTS', shown) == 1 then
    redis.call('RENAME', shown, place)
  end
  redis.call('DEL', place == theirs and others or theirs)
  add('count:' .. into, number('count:' .. person))
  add('weight:' .. into, number('weight:' .. person))
  for _, kind in ipairs(EACH) do
    unset(kind .. ':' .. person)
  end
end

-- Whoever was merged into somebody is them.
local function follow_the_merged()
  for _, person in ipairs(people()) do
    local into, named = who_now(keys, person)
    if named then
      join(person, into)
      set('named:' .. into, named)
    end
  end
  if call.op == 'chip' and call.person ~= '' then
    local into, named = who_now(keys, call.person)
    call.person, call.named = into, named or call.named
  end
end

-- Nothing of somebody erased is said, whatever was counted: such a chip names nobody.
local function forget_the_erased()
  for _, person in ipairs(people()) do
    if is_erased(person) then
      redis.call('DEL', picture_of(person))
      for _, kind in ipairs(EACH) do
        unset(kind .. ':' .. person)
      end
    end
  end
  if vote.person and is_erased(vote.person) then
    set('hushed', 1)
    set('person', '')
  end
  if call.op ~= 'chip' then
    return
  end
  if call.person ~= '' and is_erased(call.person) then
    call.person, call.named, call.ignored = '', 'null', false
  end
  if call.runner_up ~= 'null' and is_erased(cjson.decode(call.runner_up).id) then
    call.runner_up = 'null'
  end
end
