-- Takes one request out of a token bucket, if there is one left in it.
--
-- KEYS  the bucket: what is left, and as of when
-- ARGV  how many parts come in a millisecond; how many parts a request takes; the time in milliseconds
--
-- Whether it may, and how many parts are left. Every number is whole, and small enough to be exact as a double.
local permits, per, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = permits * per
local parts, at = full, now
local known = redis.call('GET', KEYS[1])
if known then
  local left, as_of = string.match(known, '^(%d+) (%d+)$')
  parts, at = math.min(tonumber(left), full), tonumber(as_of)
  -- A clock that goes back gives nothing away.
  if now > at then
    parts, at = math.min(full, parts + (now - at) * permits), now
  end
end
local allowed = parts >= per
if allowed then
  parts = parts - per
end
-- A bucket that is full again may be forgotten.
local forget = math.ceil((full - parts) / permits) + (at - now) + 1
redis.call('SET', KEYS[1], string.format('%.0f %.0f', parts, at), 'PX', string.format('%.0f', forget))
return { allowed and 1 or 0, parts }
