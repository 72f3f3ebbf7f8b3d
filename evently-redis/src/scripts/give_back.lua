-- Puts a request back into a token bucket. One that is not there is full.
--
-- KEYS  the bucket: what is left, and as of when
-- ARGV  how many parts a request takes; how many fill the bucket up
local known = redis.call('GET', KEYS[1])
if known then
  local left, as_of = string.match(known, '^(%d+) (%d+)$')
  local parts = math.min(tonumber(left) + tonumber(ARGV[1]), tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], string.format('%.0f %s', parts, as_of), 'KEEPTTL')
end
