-- Puts a request back into a token bucket. One that is not there, or none of ours, is full.
--
-- KEYS  the bucket: what is left, and as of when
-- ARGV  how many parts a request takes; how many fill the bucket up
local known = redis.pcall('GET', KEYS[1])
local left, as_of = string.match(type(known) == 'string' and known or '', '^(%d+) (%d+)$')
if left then
  local parts = math.min(tonumber(left) + tonumber(ARGV[1]), tonumber(ARGV[2]))
  redis.call('SET', KEYS[1], string.format('%.0f %s', parts, as_of), 'KEEPTTL')
end
