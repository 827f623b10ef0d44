-- Takes away messages that were handled.
-- KEYS: scheduled, active, data, metadata, inflight. ARGV: worker and id, by turns.
local scheduled, active, data, metadata, inflight = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
for i = 1, #ARGV, 2 do
  local worker, id = ARGV[i], ARGV[i + 1]
  if redis.call('SREM', inflight .. ':' .. worker, id) == 0 then
    -- The worker was thought dead, and its messages were put back.
    redis.call('LREM', active, 0, id)
    redis.call('ZREM', scheduled, id)
  end
  redis.call('HDEL', data, id)
  redis.call('DEL', metadata .. ':' .. id)
end
return redis.status_reply('OK')
