-- What a follower needs of people, at one instant.
-- ARGV: ids. Returns the gallery's encoder, then of each person, who may be gone, their rule and
-- their records.
local encoder = redis.call('GET', ENCODER) or ''
local found = {encoder}
for _, person in ipairs(ARGV) do
  local records = {}
  for _, digest in ipairs(digests_of(person)) do
    local _, slot = owner_and_slot(digest)
    records[#records + 1] = record_of(encoder, slot)
  end
  found[#found + 1] = redis.call('HGET', RULES, person) or ''
  found[#found + 1] = table.concat(records)
end
return found
