-- The photos of a person, each with the encoding that the gallery's encoder made of it.
-- ARGV: id. Returns photo and record by turns.
local encoder = redis.call('GET', ENCODER) or ''
local found = {}
for _, kind in ipairs({ENROLLED, NEGATIVE}) do
  local photos = redis.call('HGETALL', photos_of(ARGV[1], kind))
  for i = 1, #photos, 2 do
    local _, slot = owner_and_slot(photos[i])
    found[#found + 1] = photos[i + 1]
    found[#found + 1] = record_of(encoder, slot)
  end
end
return found
