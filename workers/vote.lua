-- One name per track, from the chips of any worker in any order.
-- `publish` of facetrail/publish.lua stands before this text.
--
-- KEYS: vote, counted, open, closing, events, snapshot.
-- ARGV[1]: msgpack of a call. Always: op, track, camera, now (ms), published_at, channel,
--   published (start of the key that remembers an event), history, remember.
-- op 'chip': number, person ('' for nobody), named (JSON of the person, or null), weight,
--   captured_at, facts (JSON object of what the event says of the face), snapshot_ttl, confirm,
--   unknown. ARGV[2]: the snapshot, since cmsgpack knows no bytes.
-- op 'skip': number, of a chip that says nothing.
-- op 'end': sent, ended_at, grace and patience (ms).   op 'close': nothing more.
--
-- The vote's fields. n: chips counted. sent: chips in all, once known. judged: chips that had a
-- say. total: weight of those. state: open, unknown or known. person: who, if known. revision: of
-- the updates said. said: weight of the chip in the last event. And for each person, and '' for
-- chips that name nobody: count:P, weight:P, best:P (weight of the best chip), facts:P,
-- captured:P, named:P.
local call = cmsgpack.unpack(ARGV[1])
local key, counted, open, closing, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local KEPT_S = 3600      -- a vote nobody adds to
local CLOSED_S = 600     -- a closed one, so that late chips are known as late
local IMPROVES = 1.25    -- a best shot this much better is worth an update

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

-- The best chip that names nobody, unless each names somebody and they do not agree.
local function say_unknown(type, captured_at)
  local shot = vote['facts:'] and '' or leader()
  say(type, '', shot, 1, captured_at or vote['captured:' .. shot])
end

local function decide()
  local person, weight = leader()
  local leads = person and weight > number('total') / 2
  if leads and number('count:' .. person) >= call.confirm then
    if vote.state == 'unknown' then
      say_unknown('unknown_exit', call.captured_at)
    end
    say('person_enter', person, person, 1, vote['captured:' .. person])
    set('state', 'known')
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

local function close(at)
  if vote.state == 'known' then
    say('person_exit', vote.person, vote.person, 1, at)
  elseif vote.state == 'unknown' then
    say_unknown('unknown_exit', at)
  end
  redis.call('DEL', key, counted)
  redis.call('HSET', key, 'state', 'closed')
  redis.call('EXPIRE', key, CLOSED_S)
  redis.call('ZREM', open, call.track)
  redis.call('ZREM', closing, call.track)
  vote = { state = 'closed' }
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
if call.op == 'close' then
  close(vote.ended_at or call.published_at)
  return 'closed'
end
local answer = 'counted'
if call.op == 'end' then
  set('sent', call.sent)
  set('ended_at', call.ended_at)
  -- Where nobody was named yet, what a dead worker held may still decide when it comes again.
  local wait = vote.state == 'known' and call.grace or call.patience
  redis.call('ZADD', closing, call.now + wait, call.track)
elseif not is_new() then
  answer = 'again'
elseif call.op == 'chip' then
  weigh()
end
redis.call('EXPIRE', key, KEPT_S)
redis.call('ZADD', open, call.now, call.track)
if vote.sent and number('n') >= number('sent') then
  close(vote.ended_at)
end
return answer
