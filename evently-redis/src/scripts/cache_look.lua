-- What is kept under a key: a value, which begins with V, or a lease, which begins with L. Where there is nothing a lease is given.
--
-- KEYS  the value
-- ARGV  the lease to give, and how long it lasts in milliseconds
local kept = redis.pcall('GET', KEYS[1])
if type(kept) == 'table' then
  -- Of another type, so it is none of ours.
  redis.call('DEL', KEYS[1])
  kept = false
end
if not kept then
  kept = 'L' .. ARGV[1]
  redis.call('SET', KEYS[1], kept, 'PX', ARGV[2])
end
return kept
