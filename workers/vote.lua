-- One name per track, from the chips of any worker in any order. What is summed does not depend
-- on the order; a name once said stays, as an enter can't be taken back.
-- `publish` of facetrail/publish.lua stands before this text.
--
-- KEYS: vote, counted, open, closing, events, snapshot.
-- ARGV[1]: msgpack of a call. Always: op, track, published_at, channel, published (start
--   of the key that remembers an event), history, remember. Times are Redis's own: workers on
--   many hosts need not agree.
-- op 'chip': number, person ('' for nobody), named (JSON of the person, or null), weight,
--   captured_at, facts (JSON object of what the event says of the face), snapshot_ttl, confirm,
--   unknown. ARGV[2]: the snapshot, since cmsgpack knows no bytes.
-- op 'skip': number, of a chip that says nothing.
-- op 'end': sent, ended_at, grace and patience (ms).
-- op 'due': closes the vote if its time is up.
-- op 'orphan': silent (ms); ends the appearance if nothing was heard of the track for so long.
--
-- The vote's fields. n: chips counted. sent: chips in all, once known. judged: chips that had a
-- say. total: weight of those. state: open, unknown, known or closed. person: who, if known. round:
-- appearances that ended before, of one track. revision: of the updates said. said: weight of the chip in the last event. And for each person, and '' for
-- chips that name nobody: count:P, weight:P, best:P (weight of the best chip), facts:P,
-- captured:P, named:P.
local call = cmsgpack.unpack(ARGV[1])
local key, counted, open, closing, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEPT_S = 3600      -- a vote nobody adds to
local CLOSED_S = 600     -- a closed one, so that late chips are known as late
local IMPROVES = 1.25    -- a best shot this much better is worth an update
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local vote = {}
local flat = redis.call('HGETALL', key)
for i = 1, #flat, 2 do
  vote[flat[i]] = flat[i + 1]
end

local function number(field)
  return tonumber(vote[field] or '0')
end

local function set(field, value)
  vote[field] = tostring(value)
  redis.call('HSET', key, field, vote[field])
end

-- Full precision: tostring would keep 14 digits, and sums must not depend on their order.
local function add(field, value)
  vote[field] = redis.call('HINCRBYFLOAT', key, field, string.format('%.9f', value))
end

-- An event of a person, '' for nobody, once for each revision. shot: whose best chip it shows.
local function say(type, person, shot, revision, captured_at)
  local id = call.track .. '/' .. type .. '/' .. revision
  local named = 'null'
  if person ~= '' then
    named = vote['named:' .. person]
  end
  local event = '{"id":' .. cjson.encode(id) .. ',"sequence":"","schema":1,"type":"' .. type
    .. '","captured_at":"' .. captured_at .. '","published_at":"' .. call.published_at
    .. '","person":' .. named .. ',' .. string.sub(vote['facts:' .. shot], 2)
  publish(events, call.published .. id, call.channel, event, call.history, call.remember)
end

local function leader()
  local best, most = nil, -1
  for field in pairs(vote) do
    local person = string.match(field, '^weight:(.+)$')
    if person and number(field) > most then
      best, most = person, number(field)
    end
  end
  return best, most
end

-- Enters and exits of one appearance have one revision.
local function round()
  return number('round') + 1
end

-- The best chip that names nobody, unless each names somebody and they do not agree.
local function say_unknown(type, captured_at)
  local shot = vote['facts:'] and '' or leader()
  say(type, '', shot, round(), captured_at or vote['captured:' .. shot])
end

local function decide()
  local person, weight = leader()
  local leads = person and weight > number('total') / 2
  if leads and number('count:' .. person) >= call.confirm then
    if vote.state == 'unknown' then
      say_unknown('unknown_exit', call.captured_at)
    end
    say('person_enter', person, person, round(), vote['captured:' .. person])
    set('state', 'known')
    if vote.sent then
      redis.call('ZADD', closing, now + vote.grace, call.track)
    end
    set('person', person)
    set('said', vote['best:' .. person])
  elseif not leads and vote.state == 'open' and number('judged') >= call.unknown then
    say_unknown('unknown_enter')
    set('state', 'unknown')
  end
end

local function improve()
  local best = number('best:' .. vote.person)
  if call.person == vote.person and best > number('said') * IMPROVES then
    set('revision', number('revision') + 1)
    set('said', best)
    say('person_update', vote.person, vote.person, vote.revision, vote['captured:' .. vote.person])
  end
end

-- The appearance is over. Chips enough for a word and none said: nobody was confirmed.
local function leave(at)
  if vote.state == 'open' and number('judged') >= call.unknown then
    say_unknown('unknown_enter')
    vote.state = 'unknown'
  end
  if vote.state == 'known' then
    say('person_exit', vote.person, vote.person, round(), at)
  elseif vote.state == 'unknown' then
    say_unknown('unknown_exit', at)
  end
  redis.call('DEL', key)
  redis.call('ZREM', open, call.track)
  redis.call('ZREM', closing, call.track)
end

local function close()
  leave(vote.ended_at or call.published_at)
  redis.call('DEL', counted)
  redis.call('HSET', key, 'state', 'closed')
  redis.call('EXPIRE', key, CLOSED_S)
end

-- Ends the appearance of a track that may still live: chips that come again make another.
local function orphan()
  leave(call.published_at)
  redis.call('HSET', key, 'n', vote.n or 0, 'round', round(), 'revision', number('revision'))
  redis.call('EXPIRE', key, KEPT_S)
end

-- Whether a sorted set has the track, with a time not after the given one.
local function is_past(times, time)
  local at = redis.call('ZSCORE', times, call.track)
  return at and tonumber(at) <= time
end

local function best_shot(person)
  if vote['best:' .. person] and call.weight <= number('best:' .. person) then
    return false
  end
  set('best:' .. person, call.weight)
  set('facts:' .. person, call.facts)
  set('captured:' .. person, call.captured_at)
  if person ~= '' then
    set('named:' .. person, call.named)
  end
  return true
end

-- Whether a chip comes for the first time; a message may come twice.
local function is_new()
  if redis.call('SETBIT', counted, call.number, 1) == 1 then
    return false
  end
  redis.call('EXPIRE', counted, KEPT_S)
  if not vote.state then
    set('state', 'open')
  end
  add('n', 1)
  return true
end

local function weigh()
  add('judged', 1)
  add('total', call.weight)
  if call.person ~= '' then
    add('count:' .. call.person, 1)
    add('weight:' .. call.person, call.weight)
  end
  if best_shot(call.person) and call.snapshot_ttl > 0 then
    redis.call('SET', KEYS[6], ARGV[2], 'EX', call.snapshot_ttl)
  end
  if vote.state == 'known' then
    improve()
  else
    decide()
  end
end

if vote.state == 'closed' then
  return 'late'
end
if call.op == 'due' then
  if not is_past(closing, now) then
    return 'waits'
  end
  close()
  return 'closed'
end
if call.op == 'orphan' then
  if vote.sent or not is_past(open, now - call.silent) then
    return 'lives'
  end
  orphan()
  return 'closed'
end
local answer = 'counted'
if call.op == 'end' then
  set('sent', call.sent)
  set('ended_at', call.ended_at)
  set('grace', call.grace)
  -- Where nobody was named yet, what a dead worker held may still decide when it comes again.
  local wait = vote.state == 'known' and call.grace or call.patience
  redis.call('ZADD', closing, 'NX', now + wait, call.track)
elseif not is_new() then
  answer = 'again'
elseif call.op == 'chip' then
  weigh()
end
redis.call('EXPIRE', key, KEPT_S)
redis.call('ZADD', open, now, call.track)
if vote.sent and number('n') >= number('sent') then
  close()
end
return answer
