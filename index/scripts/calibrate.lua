-- Sets or removes the calibration of an encoder.
-- KEYS[12]: the calibration.  ARGV: encoder, calibration as JSON or nothing to remove it.
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[12], ARGV[2])
elseif redis.call('DEL', KEYS[12]) == 0 then
  return false
end
return tell('', ARGV[1])
