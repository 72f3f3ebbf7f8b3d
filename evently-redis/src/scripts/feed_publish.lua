-- Takes committed changes into the state that all instances share, and tells them those that are news, as one delta.
--
-- KEYS  the deltas, the state
-- ARGV  the run of Redis and of the store, the seconds that they are kept, how many deltas are kept, the channel, the number of the state that the
--       publisher has (empty if it has none), and the changes: the seat, and four times its version plus its status
--
-- The number of the state, and the deltas that the publisher does not have, its own among them. Nothing if there is no state, which all
-- are told then, if there are changes.
local run, kept, most, channel, since = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('HGET', KEYS[2], 'run') ~= run then
  if #ARGV > 5 then
    -- Whoever only asks begins anew, and needs nobody to do so as well: they would go on answering one another.
    redis.call('PUBLISH', channel, '')
  end
  return {}
end
local seats, known = {}, {}
for i = 6, #ARGV, 2 do
  seats[#seats + 1] = ARGV[i]
end
for i, value in ipairs(read_all('HMGET', seats, KEYS[2])) do
  known[seats[i]] = tonumber(value or 0)
end
local news, newer = {}, {}
for i, seat in ipairs(seats) do
  local value = ARGV[2 * i + 5]
  if math.floor(known[seat] / 4) < math.floor(tonumber(value) / 4) then
    known[seat] = tonumber(value)
    news[#news + 1] = seat .. ' ' .. value
    newer[#newer + 1] = seat
    newer[#newer + 1] = value
  end
end
in_thousands(newer, function(...)
  redis.call('HSET', KEYS[2], ...)
end)
if redis.call('HEXISTS', KEYS[2], 'seq') == 0 then
  -- Begun, and not filled yet.
  return {}
end
local entries = {}
if #news > 0 then
  local seq = string.format('%.0f', redis.call('HINCRBY', KEYS[2], 'seq', 1))
  local delta = table.concat(news, ',')
  redis.call('XADD', KEYS[1], 'MAXLEN', '=', most, seq .. '-0', 'd', delta)
  redis.call('EXPIRE', KEYS[1], kept)
  redis.call('EXPIRE', KEYS[2], kept)
  redis.call('PUBLISH', channel, seq .. ' ' .. delta)
  entries = { { seq .. '-0', { 'd', delta } } }
end
if since ~= '' then
  entries = redis.call('XRANGE', KEYS[1], '(' .. since .. '-0', '+')
end
return { redis.call('HGET', KEYS[2], 'seq'), entries }
