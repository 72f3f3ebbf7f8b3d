-- Fills a state that was begun with what the store had a moment later, and gives it as feed_join does.
--
-- KEYS  the deltas, the state
-- ARGV  the server's run, the seconds that they are kept, how many seats there are, and each seat that has ever changed:
--       its number, and four times its version plus its status
--
-- Its number is the sum of the versions: at least that of any earlier state, and of an earlier one only where it is the same.
if redis.call('HGET', KEYS[2], 'run') ~= ARGV[1] then
  return {}
end
if redis.call('HEXISTS', KEYS[2], 'seq') == 0 then
  for i = 4, #ARGV, 2 do
    local known = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or 0)
    if math.floor(known / 4) < math.floor(tonumber(ARGV[i + 1]) / 4) then
      redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    end
  end
  local seq, all = 0, redis.call('HGETALL', KEYS[2])
  for i = 1, #all, 2 do
    if tonumber(all[i]) then
      seq = seq + math.floor(tonumber(all[i + 1]) / 4)
    end
  end
  redis.call('HSET', KEYS[2], 'seats', ARGV[3], 'seq', string.format('%.0f', seq))
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return { redis.call('HGETALL', KEYS[2]), redis.call('XRANGE', KEYS[1], '-', '+') }
