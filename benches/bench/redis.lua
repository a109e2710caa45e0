-- The steps of a debit, on Redis: the answer of a key that is used again, limits against counters, grants in burn
-- order, a chained entry for each, the counters of site and assistant, the line the customer reads, the stored answer.
-- KEYS: the wallet. ARGV: idempotency key, assistant, amount, label, time in ms, starts of hour, day and month, id.
local wallet, key, agent, amount, label = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local at, hour, day, month, id = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local digest = redis.sha1hex(wallet .. '|' .. agent .. '|' .. ARGV[3] .. '|' .. label)

local stored = redis.call('HMGET', 'i:' .. key, 'digest', 'body')
if stored[1] then
    if stored[1] ~= digest then return redis.error_reply('idempotency_mismatch') end
    return stored[2]
end
local head = redis.call('HMGET', 'w:' .. wallet, 'frozen', 'seq', 'hash', 'limit_day', 'limit_month')
if not head[2] then return redis.error_reply('not_found') end
if head[1] == '1' then return redis.error_reply('frozen') end
local counters = 'c:' .. wallet
local spent = redis.call('HMGET', counters, 'day:' .. day, 'month:' .. month)
if head[4] and tonumber(spent[1] or 0) + amount > tonumber(head[4]) then return redis.error_reply('limit_reached') end
if head[5] and tonumber(spent[2] or 0) + amount > tonumber(head[5]) then return redis.error_reply('limit_reached') end

-- The grants lie in burn order; their keys are rank, number and end.
local order = redis.call('ZRANGE', 'b:' .. wallet, 0, -1)
local remaining = redis.call('HMGET', 'g:' .. wallet, unpack(order))
local available, left, parts = 0, amount, {}
for n, grant in ipairs(order) do
    local has = tonumber(remaining[n])
    available = available + has
    if left > 0 and has > 0 then
        local taken = math.min(left, has)
        left = left - taken
        parts[#parts + 1] = { grant, taken }
    end
end
if left > 0 then return redis.error_reply('insufficient_credits') end
local seq, hash, slices = tonumber(head[2]), head[3], {}
for n, part in ipairs(parts) do
    seq = seq + 1
    local entry = seq .. '|' .. id .. '|' .. part[1] .. '|' .. part[2] .. '|' .. at
    hash = redis.sha1hex(hash .. entry)
    redis.call('HINCRBY', 'g:' .. wallet, part[1], -part[2])
    redis.call('RPUSH', 'e:' .. wallet, entry .. '|' .. hash)
    slices[n] = '{"grant":' .. part[1] .. ',"credits":' .. part[2] .. '}'
end
redis.call('HSET', 'w:' .. wallet, 'seq', seq, 'hash', hash)
redis.call('HINCRBY', counters, 'day:' .. day, amount)
redis.call('HINCRBY', counters, 'month:' .. month, amount)
redis.call('HINCRBY', counters, 'hour:' .. hour, amount)
redis.call('HINCRBY', counters, agent .. ':day:' .. day, amount)
redis.call('HINCRBY', counters, agent .. ':month:' .. month, amount)
redis.call('HINCRBY', 'a:' .. wallet, hour .. '|' .. label, amount)
local answer = '{"id":"' .. id .. '","credits":' .. amount .. ',"available":' .. (available - amount)
    .. ',"slices":[' .. table.concat(slices, ',') .. ']}'
redis.call('HSET', 'i:' .. key, 'digest', digest, 'body', answer)
redis.call('EXPIRE', 'i:' .. key, 2592000)
return answer
