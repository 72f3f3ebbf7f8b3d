-- Forgets a value, or a lease, and tells all instances.
--
-- KEYS  the value
-- ARGV  the channel, and how the value is called there
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[1], ARGV[2])
