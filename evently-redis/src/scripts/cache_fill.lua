-- Fills a value in, if the lease is still there under which it was loaded: nobody has forgotten the key since.
--
-- KEYS  the value
-- ARGV  the lease, the value, and how long it lasts in milliseconds
if redis.call('GET', KEYS[1]) == 'L' .. ARGV[1] then
  redis.call('SET', KEYS[1], 'V' .. ARGV[2], 'PX', ARGV[3])
end
