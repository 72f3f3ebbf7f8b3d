-- Does once everything that the other scripts do, so that a user who may not, or a server that cannot, is found out when it is connected
-- to. It leaves nothing behind.
--
-- KEYS  a key that nobody else uses
-- ARGV  a channel to which nobody listens
local key = KEYS[1]
redis.call('SET', key, '1', 'PX', '1000')
redis.call('EXISTS', key)
redis.call('GET', key)
redis.call('MGET', key)
redis.call('PEXPIRE', key, '1000')
redis.call('DEL', key)
redis.call('HSET', key, 'n', '1')
redis.call('HINCRBY', key, 'n', '1')
redis.call('HEXISTS', key, 'n')
redis.call('HGET', key, 'n')
redis.call('HMGET', key, 'n')
redis.call('HGETALL', key)
redis.call('EXPIRE', key, '1')
redis.call('DEL', key)
redis.call('XADD', key, 'MAXLEN', '=', '1', '1-0', 'd', '')
redis.call('XRANGE', key, '-', '+')
redis.call('DEL', key)
redis.call('PUBLISH', ARGV[1], '')
