-- What is said and kept of whoever a track shows. workers/vote_state.lua stands before this text.
local SCATTER = 40503  -- odd, so that no two products are one modulo a power of two

-- The person whom the stranger of this track has turned out to be, if somebody has named them.
local function turned_out()
  local person = vote.stranger and redis.call('GET', keys.named_stranger .. vote.stranger)
  return person and (who_now(keys, person)) or nil
end

local function picture_name(person)
  local name = named_after(person)
  return redis.call('EXISTS', keys.snapshot .. name) == 1 and json(name) or 'null'
end

local function runner_up(person)
  local found = vote['runner_up:' .. person] or 'null'
  local id = found ~= 'null' and who_now(keys, cjson.decode(found).id)
  return id and id ~= person and not is_erased(id) and found or 'null'
end

-- An event of a person, '' for somebody unknown, once for each revision.
local function say(type, person, revision, captured_at)
  local id = call.track .. '/' .. type .. '/' .. revision
  local named, stranger, owner = 'null', nil, person
  if person ~= '' then
    named = vote['named:' .. person]
  else
    stranger, owner = vote.stranger, turned_out() or vote.stranger
  end
  local event = '{"id":' .. cjson.encode(id) .. ',"sequence":"","schema":1,"type":"' .. type
    .. '","captured_at":"' .. captured_at .. '","published_at":"' .. call.published_at
    .. '","person":' .. named .. ',"unknown":' .. json(stranger) .. ',"snapshot":'
    .. picture_name(person) .. ',"runner_up":' .. runner_up(person) .. ','
    .. string.sub(vote['facts:' .. person], 2)
  local sequence = publish(
    events, call.published .. id, call.channel, event, call.history, call.remember)
  if sequence and owner and not is_erased(owner) then
    note_seen(keys, owner, events, sequence)
  end
end

-- Keeps the sighting of a person, '' for somebody unknown, with their best chip.
local function keep(person, last_at)
  local owner, stranger = person, nil
  if person == '' then
    owner = turned_out()
    stranger = not owner and vote.stranger or nil
  end
  if not (owner or stranger) or not vote['encoding:' .. person] or life_of(person) == 0 then
    return
  end
  if owner and is_erased(owner) then
    drop_sighting(keys, named_after(person))
    return
  end
  keep_sighting(keys, {
    name = named_after(person),
    person = owner,
    stranger = stranger,
    first_at = vote.first,
    rest = '"last_at":' .. json(last_at or vote.last) .. ',"snapshot":' .. picture_name(person)
      .. ',' .. string.sub(vote['shot:' .. person], 2),
  }, vote['encoding:' .. person], now, life_of(person))
end

-- The ids in their turn: all of four digits, in no order to be seen, then of five.
local function numbered(at)
  local digits = 4
  while at >= 16 ^ digits do
    at, digits = at - 16 ^ digits, digits + 1
  end
  return string.format('unknown-%0' .. digits .. 'x', at * SCATTER % 16 ^ digits)
end

-- An id that was never given before; should the count be lost, none that is somebody's.
local function next_id()
  while true do
    local id = numbered(redis.call('INCR', keys.strangers_given))
    local theirs = {keys.sightings_of .. id, keys.seen .. id, keys.named_stranger .. id}
    if redis.call('EXISTS', unpack(theirs)) == 0 then
      return id
    end
  end
end

-- The newest place in the log before any of the calls, if they bring ids: those are of strangers
-- who are not each other.
local told = calls[1].position and newest_told(keys)

-- An id is of the encoding that was searched: if that is not the best any more, none is given. A new
-- one is given only where the log says that nobody else was given one since the search; an old one,
-- where it is still somebody's.
local function accepted(shot)
  if redis.sha1hex(vote['encoding:' .. shot]) ~= call.searched then
    return nil
  end
  if not call.is_new then
    return redis.call('EXISTS', keys.sightings_of .. call.stranger) == 1 and call.stranger or nil
  end
  return told == call.position and next_id() or nil
end

-- Whether the stranger in this track has an id by now, or is to have none.
local function is_identified(shot)
  if vote.stranger or call.unknown_ttl == 0 or not vote['encoding:' .. shot] then
    return true
  end
  local id = call.stranger and accepted(shot)
  if id then
    set('stranger', id)
  end
  return id ~= nil
end

-- What a person's chip says is said of somebody unknown.
local function take_over(shot)
  for _, kind in ipairs({'facts', 'captured', 'runner_up', 'shot', 'encoding'}) do
    if vote[kind .. ':' .. shot] then
      set(kind .. ':', vote[kind .. ':' .. shot])
    end
  end
  local picture = redis.call('GET', picture_of(shot))
  if picture and call.unknown_ttl > 0 then
    redis.call('SET', picture_of(''), picture, 'EX', math.min(KEPT_S, call.unknown_ttl))
  end
end

-- Has a chip to show of somebody unknown, if any is left.
local function show_nobody()
  local shot = shot_of_nobody()
  if shot and shot ~= '' then
    take_over(shot)
  end
  return shot ~= nil
end

-- False, with nothing said, if the stranger has to get an id first.
local function enter_unknown()
  local shot = shot_of_nobody()
  if not shot then
    return true
  end
  if not is_identified(shot) then
    return false
  end
  show_nobody()
  keep('')
  say('unknown_enter', '', round(), vote['captured:'])
  set('state', 'unknown')
  return true
end

-- The track turns out to be somebody's: nothing of it is a stranger's.
local function exit_named()
  redis.call('DEL', picture_of(''))
  if show_nobody() and not vote.hushed then
    say('unknown_exit', '', round(), call.captured_at or vote.last or call.published_at)
  end
  drop_sighting(keys, named_after(''))
  unset('stranger')
end

local function exit_unknown(at)
  if not vote.hushed and show_nobody() then
    keep('', vote.ended_at)
    say('unknown_exit', '', round(), at)
  end
end

local function enter(person)
  set('state', 'known')
  set('person', person)
  set('said', vote['best:' .. person])
  if vote['ignored:' .. person] then
    set('hushed', 1)
    return
  end
  unset('hushed')
  keep(person)
  say('person_enter', person, round(), vote['captured:' .. person])
end

local function update(person)
  set('revision', number('revision') + 1)
  set('said', vote['best:' .. person])
  say('person_update', person, vote.revision, vote['captured:' .. person])
end

local function exit(person, at)
  if not vote['ignored:' .. person] then
    keep(person, vote.ended_at)
  end
  say('person_exit', person, round(), at)
end
