-- Says what has become of seats of one event. A lock that is not the booking's, any more or at all, is left alone.
--
-- KEYS  the seats, as often as something is said of them
-- ARGV  for each of them: the booking, and for how many milliseconds it holds the seat (0 for not at all)
local owners = read_all('MGET', KEYS)
for i, seat in ipairs(KEYS) do
  if owners[i] == ARGV[2 * i - 1] then
    local held = ARGV[2 * i]
    if held == '0' then
      redis.call('DEL', seat)
    else
      redis.call('PEXPIRE', seat, held)
    end
  end
end
