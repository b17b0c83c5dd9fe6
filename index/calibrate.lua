-- Sets or removes the calibration of an encoder.
-- KEYS: log, calibration.  ARGV: encoder, calibration as JSON or nothing to remove it.
-- The entry names nobody: a worker that knows of people only reads it as somebody who is gone.
if ARGV[2] ~= '' then
  redis.call('SET', KEYS[2], ARGV[2])
elseif redis.call('DEL', KEYS[2]) == 0 then
  return false
end
return redis.call('XADD', KEYS[1], '*', 'person', '', 'encoder', ARGV[1])
