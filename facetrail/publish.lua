-- Says an event to the world once: into the stream and the channel, unless its id was said.
-- event: JSON that begins with {"id":"…","sequence":"", as `publish` in events.py writes it.
-- history: events kept in the stream, about. seconds: how long the id is remembered.
-- Returns the event's place in the stream, or false if its id was said before.
local function publish(stream, remembered, channel, event, history, seconds)
  if not redis.call('SET', remembered, 1, 'NX', 'EX', seconds) then
    return false
  end
  local sequence = redis.call('XADD', stream, 'MAXLEN', '~', history, '*', 'event', event)
  local heard = string.gsub(event, '"sequence":""', function()
    return '"sequence":"' .. sequence .. '"'
  end, 1)
  redis.call('PUBLISH', channel, heard)
  return sequence
end
