-- Takes requests out of token buckets, each out of its own, if there is one left in it.
--
-- KEYS  a bucket for each request: what is left, and as of when
-- ARGV  how many parts come in a millisecond; how many parts a request takes; and for each request the time in milliseconds
--
-- For each request whether it may, and how many parts are left. Every number is whole, and small enough to be exact as a double. What is no
-- bucket of ours, or one of a day to come, counts as a full one, so that nobody else in the call has to suffer for it.
local permits, per = tonumber(ARGV[1]), tonumber(ARGV[2])
local full, day = permits * per, 86400000
local known, answers = {}, {}
for i, bucket in ipairs(read_all('MGET', KEYS)) do
  known[KEYS[i]] = bucket
end
for i, bucket in ipairs(KEYS) do
  local now = tonumber(ARGV[2 + i])
  local parts, at = full, now
  local left, as_of = string.match(known[bucket] or '', '^(%d+) (%d+)$')
  if left and tonumber(as_of) < now + day then
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
  known[bucket] = string.format('%.0f %.0f', parts, at)
  redis.call('SET', bucket, known[bucket], 'PX', string.format('%.0f', forget))
  answers[i] = { allowed and 1 or 0, parts }
end
return answers
