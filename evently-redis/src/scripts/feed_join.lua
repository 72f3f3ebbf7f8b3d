-- The state of an event's seats that all instances share, and the deltas that led to it; nothing if there is none of these runs.
--
-- KEYS  the deltas, the state
-- ARGV  the run of Redis and of the store, the seconds that they are kept, whether to begin one where there is none
--
-- A state of another run may have lost its last deltas, so it is none. One that is begun takes in what is published from then on, and
-- is ready when somebody has filled it from the store.
local run, kept = ARGV[1], ARGV[2]
local ours = redis.call('HGET', KEYS[2], 'run') == run
if ours and redis.call('HEXISTS', KEYS[2], 'seq') == 1 then
  redis.call('EXPIRE', KEYS[1], kept)
  redis.call('EXPIRE', KEYS[2], kept)
  return { redis.call('HGETALL', KEYS[2]), redis.call('XRANGE', KEYS[1], '-', '+') }
end
if ARGV[3] == '1' then
  if not ours then
    redis.call('DEL', KEYS[1], KEYS[2])
    redis.call('HSET', KEYS[2], 'run', run)
  end
  redis.call('EXPIRE', KEYS[2], kept)
end
return {}
