-- Erases a person. The gallery's encoder is free again once nobody is left.
-- KEYS: log, people, names, encoder, digests, photos.  ARGV: person's id, name.
for _, digest in ipairs(redis.call('HKEYS', KEYS[6])) do
  redis.call('HDEL', KEYS[5], digest)
end
redis.call('DEL', KEYS[6])
redis.call('HDEL', KEYS[2], ARGV[1])
if redis.call('HGET', KEYS[3], ARGV[2]) == ARGV[1] then
  redis.call('HDEL', KEYS[3], ARGV[2])
end
if redis.call('HLEN', KEYS[2]) == 0 then
  redis.call('DEL', KEYS[4])
end
return redis.call('XADD', KEYS[1], '*', 'person', ARGV[1])
