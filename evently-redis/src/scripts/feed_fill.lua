-- Fills a state that was begun with what the store had a moment later, and gives it as feed_join does.
--
-- KEYS  the deltas, the state
-- ARGV  the run of Redis and of the store, the seconds that they are kept, how many seats there are, the number of the state, which no
--       other has, and each seat that has ever changed: its number, and four times its version plus its status
if redis.call('HGET', KEYS[2], 'run') ~= ARGV[1] then
  return {}
end
if redis.call('HEXISTS', KEYS[2], 'seq') == 0 then
  for i = 5, #ARGV, 2 do
    local known = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or 0)
    if math.floor(known / 4) < math.floor(tonumber(ARGV[i + 1]) / 4) then
      redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    end
  end
  redis.call('HSET', KEYS[2], 'seats', ARGV[3], 'seq', ARGV[4])
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return { redis.call('HGETALL', KEYS[2]), redis.call('XRANGE', KEYS[1], '-', '+') }
