-- One name per track, from the chips of any worker in any order. What is summed does not depend
-- on the order; a name once said stays, as an enter can't be taken back.
-- workers/vote_words.lua stands before this text.
--
-- Answers of each call: counted, again, late, waits, lives, closed; picture, where a chip that
-- came without may be the best; or {'stranger', shot, encoding} where somebody unknown has no id
-- yet: what is to be said waits until a call brings one. Until then nothing is lost if nobody does:
-- whatever is called next answers so again. A call that fails answers with its error, and is none
-- of the others' concern.

local wants_id
local outcomes = {}  -- how many chips became what

local function decide()
  local person, weight = leader()
  local leads = person and weight > number('total') / 2
  if leads and number('count:' .. person) >= call.confirm then
    if vote.state == 'unknown' then
      exit_named()
    end
    enter(person)
    if vote.sent then
      redis.call('ZADD', closing, now + vote.grace, call.track)
    end
  elseif not leads and vote.state == 'open' and number('judged') >= call.unknown then
    wants_id = not enter_unknown()
  end
end

-- The appearance is over. Chips enough for a word and none said: nobody was confirmed.
local function leave(at)
  if vote.state == 'open' and number('judged') >= call.unknown and not enter_unknown() then
    wants_id = true
    return false
  end
  if vote.state == 'known' and not vote.hushed then
    exit(vote.person, at)
  elseif vote.state == 'unknown' then
    exit_unknown(at)
  end
  local shown = people()
  table.insert(shown, '')
  for _, person in ipairs(shown) do  -- pictures of nobody who was said to be there
    if redis.call('HEXISTS', keys.sightings, named_after(person)) == 0 then
      redis.call('DEL', picture_of(person))
    end
  end
  redis.call('DEL', key)
  changed = {}
  redis.call('ZREM', open, call.track)
  redis.call('ZREM', closing, call.track)
  return true
end

local function close()
  if leave(vote.ended_at or call.published_at) then
    redis.call('EXPIRE', counted, CLOSED_S)
    redis.call('HSET', key, 'state', 'closed')
    redis.call('EXPIRE', key, CLOSED_S)
  end
end

-- Ends the appearance of a track that may still live: chips that come again make another.
local function orphan()
  if leave(call.published_at) then
    redis.call('HSET', key, 'n', vote.n or 0, 'round', round(), 'revision', number('revision'))
    redis.call('EXPIRE', key, KEPT_S)
  end
end

-- Whether a sorted set has the track, with a time not after the given one.
local function is_past(times, time)
  local at = redis.call('ZSCORE', times, call.track)
  return at and tonumber(at) <= time
end

local function may_be_best(person)
  return not vote['best:' .. person] or call.weight > number('best:' .. person)
end

-- Whether the chip is the best of its person so far.
local function best_shot(person)
  if not may_be_best(person) then
    return false
  end
  set('best:' .. person, call.weight)
  set('facts:' .. person, call.facts)
  set('captured:' .. person, call.captured_at)
  set('runner_up:' .. person, call.runner_up)
  if person ~= '' then
    set('named:' .. person, call.named)
  end
  return true
end

-- Holds picture and encoding of the best chip, until a sighting is kept of it.
local function hold(person)
  local is_hushed = vote.hushed and (person == '' or person == vote.person)
  if life_of(person) == 0 or call.ignored or is_hushed or encoding == '' then
    unset('encoding:' .. person)
    return
  end
  set('shot:' .. person, call.shot)
  set('encoding:' .. person, encoding)
  if call.pictures then
    redis.call('SET', picture_of(person), picture, 'EX', math.min(KEPT_S, life_of(person)))
  end
end

-- Whether a chip comes for the first time; a message may come twice. Each counts once, as what
-- became of it.
local function is_first(outcome, seconds)
  if redis.call('SETBIT', counted, call.number, 1) == 1 then
    return false
  end
  redis.call('EXPIRE', counted, seconds)
  outcome = call.reason or outcome
  outcomes[outcome] = (outcomes[outcome] or 0) + 1
  return true
end

local function is_new()
  if not is_first('recognised', KEPT_S) then
    return false
  end
  if not vote.state then
    set('state', 'open')
  end
  add('n', 1)
  return true
end

local function witness()
  if not vote.first or call.captured_at < vote.first then
    set('first', call.captured_at)
  end
  if not vote.last or call.captured_at > vote.last then
    set('last', call.captured_at)
  end
end

-- What a chip changes in what was said before.
local function improve(is_best)
  if vote.state == 'unknown' and call.person == '' and is_best and not vote.hushed then
    keep('')
  elseif vote.state == 'known' and call.person == vote.person and not vote.hushed
    and not call.ignored then
    if is_best then
      keep(call.person)
    end
    if number('best:' .. call.person) > number('said') * IMPROVES then
      update(call.person)
    end
  end
end

local function weigh()
  local person = call.person
  witness()
  add('judged', 1)
  add('total', call.weight)
  if person ~= '' then
    add('count:' .. person, 1)
    add('weight:' .. person, call.weight)
    if call.ignored then
      set('ignored:' .. person, 1)
    else
      unset('ignored:' .. person)
    end
  end
  local is_best = best_shot(person)
  if is_best then
    hold(person)
  end
  improve(is_best)
end

local function answered(word)
  save()
  if wants_id then
    local shot = shot_of_nobody()
    return {'stranger', vote['shot:' .. shot], vote['encoding:' .. shot]}
  end
  return word
end

local function take_chip()
  if call.op == 'chip' and call.bare and may_be_best(call.person) then
    return 'picture'  -- nothing was counted: it comes again, with its picture
  end
  if not is_new() then
    return 'again'
  end
  if call.op == 'chip' then
    weigh()
  end
  return 'counted'
end

local function take_end()
  set('sent', call.sent)
  set('ended_at', call.ended_at)
  set('grace', call.grace)
  -- Where nobody was named yet, what a dead worker held may still decide when it comes again.
  local wait = vote.state == 'known' and call.grace or call.patience
  redis.call('ZADD', closing, 'NX', now + wait, call.track)
  return 'counted'
end

-- Of what comes from ingest.
local function heard()
  local answer = call.op == 'end' and take_end() or take_chip()
  if answer == 'picture' then
    return answer
  end
  if vote.state ~= 'known' then
    decide()
  end
  save()
  redis.call('EXPIRE', key, KEPT_S)
  redis.call('ZADD', open, now, call.track)
  if vote.sent and number('n') >= number('sent') then
    close()
  end
  return answered(answer)
end

local function answer_to(place, given)
  wants_id = false
  begin(place, given)
  if vote.state == 'closed' then
    if call.number then
      is_first('late', CLOSED_S)
    end
    return 'late'
  end
  follow_the_merged()
  forget_the_erased()
  save()
  if call.op == 'due' then
    if not is_past(closing, now) then
      return 'waits'
    end
    close()
    return answered('closed')
  end
  if call.op == 'orphan' then
    if vote.sent or not is_past(open, now - call.silent) then
      return 'lives'
    end
    orphan()
    return answered('closed')
  end
  return heard()
end

local answers = {}
for place, given in ipairs(calls) do
  local is_made, answer = pcall(answer_to, place, given)
  if not is_made then
    answer = type(answer) == 'table' and answer or {err = tostring(answer)}
  end
  answers[place] = answer
end
for outcome, chips in pairs(outcomes) do
  redis.pcall('HINCRBY', counters, outcome, chips)  -- all else is done
end
return answers
