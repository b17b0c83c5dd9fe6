-- A stream is written anew: a deleted entry's bytes stay in a stream as long as its neighbours.
-- Entries keep their places, consumer groups theirs and what they have pending.

local function copy_entries(stream, aside, changed)
  local from, last = '-', nil
  while true do
    local entries = redis.call('XRANGE', stream, from, '+', 'COUNT', 500)
    for _, entry in ipairs(entries) do
      last = entry[1]
      redis.call('XADD', aside, last, unpack(changed(entry[2])))
    end
    if #entries < 500 then
      return last
    end
    from = '(' .. last
  end
end

-- XINFO answers with names and values by turns.
local function fields_of(flat)
  local found = {}
  for i = 1, #flat, 2 do
    found[flat[i]] = flat[i + 1]
  end
  return found
end

local function copy_pending(stream, aside, group)
  local from = '-'
  while true do
    local pending = redis.call('XPENDING', stream, group, from, '+', 500)
    for _, one in ipairs(pending) do
      local id, consumer, idle, deliveries = unpack(one)
      redis.call('XCLAIM', aside, group, consumer, 0, id, 'IDLE', idle, 'RETRYCOUNT', deliveries,
        'FORCE', 'JUSTID')
      from = '(' .. id
    end
    if #pending < 500 then
      return
    end
  end
end

-- changed: what an entry's fields become, a list of names and values.
local function rewrite(stream, aside, changed)
  if redis.call('EXISTS', stream) == 0 then
    return
  end
  redis.call('DEL', aside)
  local newest = fields_of(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
  local last = copy_entries(stream, aside, changed)
  if not last then  -- a stream of no entries, so that later ones still come after all before
    redis.call('XADD', aside, newest, 'empty', '')
    redis.call('XDEL', aside, newest)
  elseif last ~= newest then
    redis.call('XSETID', aside, newest)
  end
  for _, flat in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local group = fields_of(flat)
    redis.call('XGROUP', 'CREATE', aside, group.name, group['last-delivered-id'])
    copy_pending(stream, aside, group.name)
  end
  redis.call('RENAME', aside, stream)
end
