"""The steps that Redis takes as one: publish, join, exit, read, and who is present.

Each is one Lua script. A room's keys carry one hash tag, so a script runs on one server of a cluster, too:

* ``m`` hash: the stream's epoch ``e``, head ``n``, newest time ``t``;
* ``s`` stream: the retained messages as records, entry id = seq;
* ``d`` string: what a (user, mid) stands for, with the time to live of the dedupe window;
* ``p`` hash: user → the nodes where the user is, then ``|`` and the name; ``~node`` is one where the user is in grace.

A record is ``epoch seq ts user mid payload``, mid ``.`` for none. On the room's channel ``M`` and a record is a
message, ``J`` and ``L`` with ``user count name`` say that a user came or went. All time is the server's.
"""

from __future__ import annotations

from hashlib import sha1

# The present life of the stream. The fence: whoever has heard of a higher number in this epoch shows that storage
# went back in time, and a number must never name two texts. KEYS: m, s.
_LIFE = """
local function life(fresh, epoch, seq)
  local m = redis.call('HMGET', KEYS[1], 'e', 'n', 't')
  local e, n, t = m[1], tonumber(m[2] or 0), tonumber(m[3] or 0)
  if e and not (e == epoch and n < seq) then return e, n, t end
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', fresh, 'n', 0)
  return fresh, 0, t
end
local function int(number) return string.format('%.0f', number) end
"""

_SINCE = """
local function since(e, n, epoch, seq)
  local out, first = {e, n}, 1
  if e == epoch then first = seq + 1 end
  if first <= n then
    for _, entry in ipairs(redis.call('XRANGE', KEYS[2], int(first), '+')) do out[#out + 1] = entry[2][2] end
  end
  return out
end
"""

_MARKS = """
local function split(value)
  local bar = value:find('|', 1, true)
  return value:sub(1, bar - 1), value:sub(bar + 1)
end
-- The nodes other than this one where the user is; whether the user is on this one, or in grace on it.
local function look(marks, node)
  local others, here, grace = {}, false, false
  for mark in marks:gmatch('%S+') do
    if mark == node then here = true
    elseif mark == '~' .. node then grace = true
    elseif mark:sub(1, 1) ~= '~' then others[#others + 1] = mark end
  end
  return others, here, grace
end
"""

# KEYS: m, s, d, then the lists of times of the quotas. ARGV: fresh epoch, heard epoch and seq, how many to retain, time
# to live of d, digest, channel, payload up to the epoch and from behind ts, "user mid"; then count and window in ms of
# each quota. Answers S or D (stored, duplicate) with epoch, seq, ts; C (conflict); L with the wait and which quota.
PUBLISH = (
    _LIFE
    + """
local e, n, t = life(ARGV[1], ARGV[2], tonumber(ARGV[3]))
local seen = redis.call('GET', KEYS[3])
if seen then
  local epoch, seq, ts, digest = seen:match('^(%S+) (%S+) (%S+) (%S+)$')
  if epoch == e then
    if digest ~= ARGV[6] then return {'C'} end
    return {'D', e, tonumber(seq), tonumber(ts)}
  end
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local stamps, longest, which = {}, 0, 0
for q = 4, #KEYS do
  local count, window = tonumber(ARGV[3 + 2 * q]), tonumber(ARGV[4 + 2 * q]) * 1000
  local newest, oldest = redis.call('LINDEX', KEYS[q], 0), redis.call('LINDEX', KEYS[q], count - 1)
  local stamp = math.max(now, tonumber(newest or 0))
  local wait = 0
  if count == 0 then wait = window elseif oldest then wait = window - (stamp - tonumber(oldest)) end
  if wait > longest then longest, which = wait, q - 4 end
  stamps[q] = stamp
end
if longest > 0 then return {'L', math.ceil(longest / 1000), which} end
for q, stamp in pairs(stamps) do
  redis.call('LPUSH', KEYS[q], int(stamp))
  redis.call('LTRIM', KEYS[q], 0, ARGV[3 + 2 * q] - 1)
  redis.call('PEXPIRE', KEYS[q], ARGV[4 + 2 * q])
end
if n >= 9007199254740991 then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'e', ARGV[1], 'n', 0)
  e, n = ARGV[1], 0
end
n, t = n + 1, math.max(t, math.floor(now / 1000))
local seq, ts = int(n), int(t)
local record = table.concat({e, seq, ts, ARGV[10],
  ARGV[8] .. e .. '","seq":' .. seq .. ',"ts":' .. ts .. ARGV[9]}, ' ')
redis.call('XADD', KEYS[2], 'MAXLEN', '=', ARGV[4], seq .. '-0', 'r', record)
redis.call('HSET', KEYS[1], 'n', seq, 't', ts)
redis.call('SET', KEYS[3], table.concat({e, seq, ts, ARGV[6]}, ' '), 'PX', ARGV[5])
redis.call('SPUBLISH', ARGV[7], 'M' .. record)
return {'S', e, n, t}
"""
)

# KEYS: m, s. ARGV: fresh epoch, heard epoch and seq. Answers epoch, head, the records above what was heard.
READ = (
    _LIFE
    + _SINCE
    + """
local e, n = life(ARGV[1], ARGV[2], tonumber(ARGV[3]))
return since(e, n, ARGV[2], tonumber(ARGV[3]))
"""
)

# As READ, and the user is in the room on this node from now on. KEYS: m, s, p, the node's rooms. ARGV further: node,
# user, name, channel, room. Answers the users' count before what READ answers.
JOIN = (
    _LIFE
    + _SINCE
    + _MARKS
    + """
local e, n = life(ARGV[1], ARGV[2], tonumber(ARGV[3]))
local node, user, name = ARGV[4], ARGV[5], ARGV[6]
local value = redis.call('HGET', KEYS[3], user)
if value then
  local marks, first = split(value)
  local others = look(marks, node)
  others[#others + 1] = node
  redis.call('HSET', KEYS[3], user, table.concat(others, ' ') .. '|' .. first)
else
  redis.call('HSET', KEYS[3], user, node .. '|' .. name)
end
redis.call('SADD', KEYS[4], ARGV[8])
local count = redis.call('HLEN', KEYS[3])
if not value then
  if count == 1 then redis.call('PERSIST', KEYS[1]) redis.call('PERSIST', KEYS[2]) end
  redis.call('SPUBLISH', ARGV[7], 'J' .. user .. ' ' .. count .. ' ' .. name)
end
local out = since(e, n, ARGV[2], tonumber(ARGV[3]))
table.insert(out, 1, count)
return out
"""
)

# The user is not in the room on this node any more. KEYS: m, s, p, the node's rooms. ARGV: node, user, how ("leave",
# "linger": in grace from now on, "expire": the grace is over), channel, room, "1" for the node's last user, time to
# live of a room and of one in which nothing was sent. Without users a room lives on for that time.
EXIT = (
    _MARKS
    + """
local node, user, how = ARGV[1], ARGV[2], ARGV[3]
if ARGV[6] == '1' then redis.call('SREM', KEYS[4], ARGV[5]) end
local value = redis.call('HGET', KEYS[3], user)
if not value then return 0 end
local marks, name = split(value)
local others, here, grace = look(marks, node)
if not here and not grace then return 0 end
if how == 'expire' and here then return 0 end
if #others > 0 then
  redis.call('HSET', KEYS[3], user, table.concat(others, ' ') .. '|' .. name)
  return 0
end
if how == 'linger' then
  redis.call('HSET', KEYS[3], user, '~' .. node .. '|' .. name)
  return 0
end
redis.call('HDEL', KEYS[3], user)
local count = redis.call('HLEN', KEYS[3])
if count == 0 then
  local ttl = ARGV[7]
  if tonumber(redis.call('HGET', KEYS[1], 'n') or 0) == 0 then ttl = ARGV[8] end
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
redis.call('SPUBLISH', ARGV[4], 'L' .. user .. ' ' .. count .. ' ' .. name)
return 1
"""
)

# KEYS: p. ARGV: how many. Answers how many there are, then (user, name) of that many at most.
PRESENT = (
    _MARKS
    + """
local most, cursor = tonumber(ARGV[1]), '0'
local out, seen = {redis.call('HLEN', KEYS[1])}, {}
repeat
  local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', math.max(most, 10))
  cursor = page[1]
  for i = 1, #page[2], 2 do
    local user = page[2][i]
    if not seen[user] and #out < 1 + 2 * most then
      seen[user] = true
      local _, name = split(page[2][i + 1])
      out[#out + 1] = user
      out[#out + 1] = name
    end
  end
until cursor == '0' or #out >= 1 + 2 * most
return out
"""
)


def sha(script: str) -> str:
    """The name that Redis gives a loaded script."""
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


SCRIPTS = (PUBLISH, READ, JOIN, EXIT, PRESENT)
