-- What the strangers' log has to say since a place in it, all of one moment.
-- facetrail/sightings.lua stands before this text.
-- KEYS: strangers_log. ARGV[1]: msgpack of keys, since, most (entries) and each (sightings of one
-- stranger, the newest).
-- Answers: the newest place; the last place of what follows, `since` without any; the place that
-- the first entry behind `since` names as the one before it, '' where nothing follows; then of each
-- stranger who changed: the id, and names, lines and encodings of sightings.
local call = cmsgpack.unpack(ARGV[1])
local keys = call.keys
local streams = redis.call('XREAD', 'COUNT', call.most, 'STREAMS', KEYS[1], call.since)
local entries = streams and streams[1][2] or {}
local last, previous, changed, is_told = call.since, '', {}, {}

for place, entry in ipairs(entries) do
  local fields = by_name(entry[2])
  if place == 1 then
    previous = fields.previous or ''
  end
  last = entry[1]
  if fields.stranger and not is_told[fields.stranger] then
    is_told[fields.stranger] = true
    table.insert(changed, fields.stranger)
  end
end

local answer = {newest_told(keys), last, previous}
for _, stranger in ipairs(changed) do
  local own = redis.call('ZREVRANGE', keys.sightings_of .. stranger, 0, call.each - 1)
  local lines, encodings = {}, {}
  if #own > 0 then
    lines = redis.call('HMGET', keys.sightings, unpack(own))
    encodings = redis.call('HMGET', keys.sighting_encodings, unpack(own))
  end
  table.insert(answer, {stranger, own, lines, encodings})
end
return answer
