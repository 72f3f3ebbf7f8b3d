-- Locks the seats of one event for the requests of a batch, and says what is in their way.
--
-- KEYS  the seats, each once, and then the marks of requests with a key
-- ARGV  how many seats there are; how long a lock lasts; how long a mark lasts (both in milliseconds); and for each request:
--       its booking, the position of its mark (0 for none), how many seats it wants, and their positions
--
-- For each request the positions of the seats that others have. As of one moment: what this call locks is in the way of nobody in it.
local seats, deciding, remembered = tonumber(ARGV[1]), ARGV[2], ARGV[3]
local owners = {}
for i = 1, seats do
  owners[i] = redis.call('GET', KEYS[i])
end

local requests, at = {}, 4
while at <= #ARGV do
  local request = { booking = ARGV[at], mark = tonumber(ARGV[at + 1]), seats = {} }
  local count = tonumber(ARGV[at + 2])
  for i = 1, count do
    request.seats[i] = tonumber(ARGV[at + 2 + i])
  end
  requests[#requests + 1] = request
  at = at + 3 + count
end

local function in_the_way(request)
  local others = {}
  for _, seat in ipairs(request.seats) do
    if owners[seat] and owners[seat] ~= request.booking then
      others[#others + 1] = seat
    end
  end
  return others
end

local answers = {}
for i, request in ipairs(requests) do
  request.repeated = request.mark > 0 and redis.call('EXISTS', KEYS[request.mark]) == 1
  answers[i] = request.repeated and {} or in_the_way(request)
end

for i, request in ipairs(requests) do
  if #answers[i] == 0 and not request.repeated then
    if request.mark > 0 then
      redis.call('SET', KEYS[request.mark], '', 'PX', remembered)
    end
    if #in_the_way(request) == 0 then
      for _, seat in ipairs(request.seats) do
        -- What the booking has already lasts as long as it was said to.
        if not owners[seat] then
          redis.call('SET', KEYS[seat], request.booking, 'PX', deciding)
          owners[seat] = request.booking
        end
      end
    end
  end
end
return answers
