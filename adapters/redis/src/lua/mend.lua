-- Takes out what would end a worker that fetched it: keys of a wrong type, and messages that are not of the
-- form that we push.
-- KEYS: scheduled, active, data, metadata, workers. ARGV: messages to look at. Returns how much was taken out.
local scheduled, active, data, metadata, workers = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local limit = tonumber(ARGV[1])
local taken = 0

local function expect(key, wanted)
  local found = redis.call('TYPE', key).ok
  if found ~= wanted and found ~= 'none' then
    redis.call('DEL', key)
    taken = taken + 1
  end
end
expect(scheduled, 'zset')
expect(active, 'list')
expect(data, 'hash')
expect(workers, 'zset')

local statuses = { Pending = true, Queued = true, Running = true, Done = true, Failed = true, Killed = true }

local function sound(id)
  if redis.call('HGET', data, id) ~= '"' .. id .. '"' or not string.match(id, '^[%x-]+$') then
    return false
  end
  local fields = redis.pcall('HMGET', metadata .. ':' .. id, 'attempts', 'max_attempts', 'status')
  return not fields.err
    and fields[1] and string.match(fields[1], '^%d+$')
    and fields[2] and string.match(fields[2], '^%d+$')
    and fields[3] and statuses[fields[3]]
end

local function mend(id)
  if sound(id) then
    return
  end
  redis.call('ZREM', scheduled, id)
  redis.call('LREM', active, 0, id)
  redis.call('HDEL', data, id)
  redis.call('DEL', metadata .. ':' .. id)
  taken = taken + 1
end

for _, id in ipairs(redis.call('LRANGE', active, 0, limit - 1)) do
  mend(id)
end
for _, id in ipairs(redis.call('ZRANGE', scheduled, 0, limit - 1)) do
  mend(id)
end
-- More than a fetch can promote at once: a fetch of apalis would fail on them for good.
local over = redis.call('ZCARD', scheduled) - limit
if over > 0 then
  for _, id in ipairs(redis.call('ZRANGE', scheduled, 0, math.min(over, limit) - 1)) do
    redis.call('ZREM', scheduled, id)
    redis.call('HDEL', data, id)
    redis.call('DEL', metadata .. ':' .. id)
    taken = taken + 1
  end
end
return taken
