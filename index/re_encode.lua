-- Moves the gallery to another encoder, beside the one that serves.
-- ARGV[1]: begin, fill, finish or cancel; ARGV[2]: the new encoder.
-- begin: returns ok, or same, where the gallery has it already; empty, where nobody is enrolled.
-- fill: then digest and encoding by turns; a photo that is gone is passed over. Returns ok or
-- gone, where somebody else has begun to move it elsewhere, or has finished.
-- finish: then the position that was filled up to; returns ok, gone or behind.
local op, new = ARGV[1], ARGV[2]
local own = redis.call('GET', ENCODER)
local begun = redis.call('GET', NEXT_ENCODER)

local function cancel()
  if begun then
    drop_rows(begun)
    redis.call('DEL', NEXT_ENCODER)
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
  if begun ~= new then
    cancel()
    redis.call('SET', NEXT_ENCODER, new)
  end
  return 'ok'
end
if begun ~= new then
  return 'gone'
end
if op == 'cancel' then
  cancel()
elseif op == 'fill' then
  for i = 3, #ARGV, 2 do
    fill(ARGV[i], ARGV[i + 1])
  end
else
  local newest = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)[1]
  if newest[1] ~= ARGV[3] then
    return 'behind'
  end
  redis.call('SET', ENCODER, new)
  redis.call('DEL', NEXT_ENCODER)
  drop_rows(own)
  tell('', new)
end
return 'ok'
