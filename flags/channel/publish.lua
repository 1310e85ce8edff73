-- Publish one environment: change stream, head and documents, all or nothing.
--
-- KEYS  head, docs, stream
-- ARGV  the head the publisher saw ('' for none), the new sealed head, 'full' or 'delta',
--       stream length, number of stream fields n, then n stream fields and values,
--       then document fields and values; an empty value removes the field.
-- Answers 'published', or 'moved' when the head is no longer the one the publisher saw: it decided
-- on an outdated view and has to look again. The publisher checks seals, epochs and versions.
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[1] then return 'moved' end

local fields_end = 5 + 2 * tonumber(ARGV[5])
local xadd = {'XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*'}
for i = 6, fields_end do xadd[#xadd + 1] = ARGV[i] end

-- XADD is the command that Redis refuses when memory is full, so it comes first: after a script's
-- first write nothing is refused any more, and nothing is announced that was not stored.
redis.call(unpack(xadd))
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[3] == 'full' then redis.call('DEL', KEYS[2]) end
for i = fields_end + 1, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
return 'published'
