-- Stands before the scripts that read many keys or fields: all of them in one call, or a thousand where there are more than fit on the stack.

local function in_thousands(values, call)
  for first = 1, #values, 1000 do
    call(unpack(values, first, math.min(first + 999, #values)))
  end
end

-- What the command gives for each of the names, false where there is nothing. `key` is that whose fields they are, for HMGET.
local function read_all(command, names, key)
  local found = {}
  in_thousands(names, function(...)
    local values = key and redis.call(command, key, ...) or redis.call(command, ...)
    for _, value in ipairs(values) do
      found[#found + 1] = value
    end
  end)
  return found
end

