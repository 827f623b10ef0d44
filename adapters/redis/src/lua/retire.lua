-- Forgets a worker.
-- KEYS: scheduled, active, data, metadata, workers, inflight of the worker, metadata of the worker.
-- ARGV: worker, 1 to put back what it holds or 0 to drop that, channel.
local active, data, metadata = KEYS[2], KEYS[3], KEYS[4]
local workers, inflight, worker_metadata = KEYS[5], KEYS[6], KEYS[7]
local back = 0
if redis.call('TYPE', inflight).ok == 'set' then
  for _, id in ipairs(redis.call('SMEMBERS', inflight)) do
    if ARGV[2] == '1' and redis.call('HEXISTS', data, id) == 1 then
      redis.call('RPUSH', active, id)
      back = back + 1
    else
      redis.call('HDEL', data, id)
      redis.call('DEL', metadata .. ':' .. id)
    end
  end
end
redis.call('DEL', inflight, worker_metadata)
redis.call('ZREM', workers, ARGV[1])
if back > 0 then
  redis.call('PUBLISH', ARGV[3], '')
end
return redis.status_reply('OK')
