-- Takes back messages that no worker has taken.
-- KEYS: scheduled, active, data, metadata. ARGV: ids. Returns how many were taken back.
local scheduled, active, data, metadata = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local withdrawn = 0
for _, id in ipairs(ARGV) do
  if redis.call('LREM', active, 1, id) + redis.call('ZREM', scheduled, id) > 0 then
    redis.call('HDEL', data, id)
    redis.call('DEL', metadata .. ':' .. id)
    withdrawn = withdrawn + 1
  end
end
return withdrawn
