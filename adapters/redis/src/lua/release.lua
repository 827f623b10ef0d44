-- Moves messages from those scheduled to those that can be taken, drops the oldest beyond the backlog, and
-- wakes workers. A message that a worker has moved itself meanwhile is left alone.
-- KEYS: scheduled, active, data, metadata. ARGV: channel, backlog, ids. Returns how many were dropped.
local scheduled, active, data, metadata = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local kind = redis.call('TYPE', active).ok
if kind ~= 'list' and kind ~= 'none' then
  redis.call('DEL', active)
end
for i = 3, #ARGV do
  if redis.call('ZREM', scheduled, ARGV[i]) == 1 then
    redis.call('RPUSH', active, ARGV[i])
  end
end
local over = redis.call('LLEN', active) - tonumber(ARGV[2])
-- Twice what one call pushes, so that even a long backlog shrinks.
over = math.max(0, math.min(over, 400))
for _ = 1, over do
  local id = redis.call('LPOP', active)
  redis.call('HDEL', data, id)
  redis.call('DEL', metadata .. ':' .. id)
end
redis.call('PUBLISH', ARGV[1], '')
return over
