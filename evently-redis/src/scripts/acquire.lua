-- Locks the seats of one event for the requests of a batch, and says what is in their way.
--
-- KEYS  the seats, each once, and then the marks of requests with a key
-- ARGV  how long a lock lasts, and the mark of a request that is turned away; how long that of one that is let through (both in
--       milliseconds); and for each request: its booking, the position of its mark (0 for none), a digest of its content, how many seats
--       it wants, and their positions
--
-- For each request the positions of the seats that others have. As of one moment: what this call locks is in the way of nobody in it.
--
-- A mark is empty if the request was let through. Else it has the digest of what was turned away, and which of its seats were in the
-- way: "0a1b:1,3". To another content under the same key nothing was said.
local deciding, remembered = ARGV[1], ARGV[2]
-- Who has each seat, and behind them what was said under each mark.
local owners = read_all('MGET', KEYS)

local requests, at = {}, 3
while at <= #ARGV do
  local request = { booking = ARGV[at], mark = tonumber(ARGV[at + 1]), content = ARGV[at + 2], seats = {} }
  local count = tonumber(ARGV[at + 3])
  for i = 1, count do
    request.seats[i] = tonumber(ARGV[at + 3 + i])
  end
  requests[#requests + 1] = request
  at = at + 4 + count
end

-- Which of its seats others have.
local function in_the_way(request)
  local others = {}
  for i, seat in ipairs(request.seats) do
    if owners[seat] and owners[seat] ~= request.booking then
      others[#others + 1] = i
    end
  end
  return others
end

local found = {}
for i, request in ipairs(requests) do
  local said = request.mark > 0 and owners[request.mark]
  if said == '' then
    request.repeated, found[i] = true, {}
  elseif said and string.sub(said, 1, #request.content + 1) == request.content .. ':' then
    request.repeated, found[i] = true, {}
    for seat in string.gmatch(string.sub(said, #request.content + 2), '%d+') do
      table.insert(found[i], tonumber(seat))
    end
  else
    found[i] = in_the_way(request)
  end
end

local answers = {}
for i, request in ipairs(requests) do
  answers[i] = {}
  for _, seat in ipairs(found[i]) do
    table.insert(answers[i], request.seats[seat])
  end
  if not request.repeated then
    local free = #found[i] == 0
    if request.mark > 0 and free then
      redis.call('SET', KEYS[request.mark], '', 'PX', remembered)
    elseif request.mark > 0 and redis.call('GET', KEYS[request.mark]) ~= '' then
      redis.call('SET', KEYS[request.mark], request.content .. ':' .. table.concat(found[i], ','), 'PX', deciding)
    end
    if free and #in_the_way(request) == 0 then
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
