-- Moves the gallery to another encoder, beside the one that serves.
-- KEYS[12]: who is at it.
-- ARGV[1]: begin, fill, finish or cancel; ARGV[2]: the new encoder; ARGV[3]: a word of the
-- caller's own; ARGV[4]: for how many seconds nobody else may begin, unless it calls again.
-- begin: returns ok, or same, where the gallery has it already; empty, where nobody is enrolled;
-- busy, where somebody else is at it.
-- fill: then digest and encoding by turns; a photo that is gone is passed over. Returns ok or
-- gone, where somebody else has begun to move it.
-- finish: then the position that was filled up to; returns ok, gone or behind. Where the gallery
-- has the new encoder, fill and finish return ok: the answer of before may have been lost.
local op, new, caller, lease = unpack(ARGV, 1, 4)
local BY = KEYS[12]
local own = redis.call('GET', ENCODER)
local begun = redis.call('GET', NEXT_ENCODER)
local holder = redis.call('GET', BY)
local is_ours = not holder or holder == caller

local function cancel()
  if begun then
    drop_rows(begun)
    redis.call('DEL', NEXT_ENCODER, BY)
  end
end

local function fill(digest, encoding)
  local person, slot = owner_and_slot(digest)
  if person then
    local head = string.sub(record_of(own, slot), 1, ENCODING)
    redis.call('SETRANGE', string_of(new, slot), place_of(slot), head .. encoding)
  end
end

if op == 'begin' then
  if not own then
    return 'empty'
  end
  if own == new then
    return 'same'
  end
  if begun and not is_ours then
    return 'busy'
  end
  if begun ~= new then
    cancel()
    redis.call('SET', NEXT_ENCODER, new)
  end
  redis.call('SET', BY, caller, 'EX', lease)
  return 'ok'
end
if own == new and op ~= 'cancel' then
  return 'ok'
end
if begun ~= new or not is_ours then
  return 'gone'
end
redis.call('SET', BY, caller, 'EX', lease)
if op == 'cancel' then
  cancel()
elseif op == 'fill' then
  for i = 5, #ARGV, 2 do
    fill(ARGV[i], ARGV[i + 1])
  end
else
  local newest = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
  if newest[1] ~= ARGV[5] then
    return 'behind'
  end
  redis.call('SET', ENCODER, new)
  redis.call('DEL', NEXT_ENCODER, BY)
  drop_rows(own)
  tell('', new)
end
return 'ok'
