-- Drops the sightings whose time is up, a few at a time. Returns how many.
-- facetrail/sightings.lua stands before this text.
-- KEYS: sighting_ends. ARGV[1]: msgpack of keys and most.
local call = cmsgpack.unpack(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, call.most)
for _, name in ipairs(ended) do
  drop_sighting(call.keys, name)
end
return #ended
