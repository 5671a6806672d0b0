"""The steps that Redis takes as one: publish, join, exit, read, and who is present.

Each is one Lua script. A room's keys carry one hash tag, so a script runs on one server of a cluster, too:

* ``m`` hash: the stream's epoch ``e``, head ``n``, newest time ``t``, and the run ``l`` of Redis that numbered last;
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

# Sliding logs, one a list of times in microseconds, the newest first: admits in all of them or in none, and then gives
# the longest wait in ms and whose it is.
_ADMIT = """
local function micros()
  local time = redis.call('TIME')
  return time[1] * 1000000 + time[2]
end
local function admit(now, first, base)
  local stamps, longest, which = {}, 0, 0
  for q = first, #KEYS do
    local at = base + 2 * (q - first)
    local count, window = tonumber(ARGV[at]), tonumber(ARGV[at + 1]) * 1000
    local newest, oldest = redis.call('LINDEX', KEYS[q], 0), redis.call('LINDEX', KEYS[q], count - 1)
    local stamp = math.max(now, tonumber(newest or 0))
    local wait = 0
    if count == 0 then wait = window elseif oldest then wait = window - (stamp - tonumber(oldest)) end
    if wait > longest then longest, which = wait, q - first end
    stamps[q] = stamp
  end
  if longest > 0 then return math.ceil(longest / 1000), which end
  for q, stamp in pairs(stamps) do
    local at = base + 2 * (q - first)
    redis.call('LPUSH', KEYS[q], string.format('%.0f', stamp))
    redis.call('LTRIM', KEYS[q], 0, ARGV[at] - 1)
    redis.call('PEXPIRE', KEYS[q], ARGV[at + 1])
  end
  return 0, 0
end
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
# to live of d, digest, channel ("" for none), payload up to the epoch and from behind ts, "user mid"; count and window
# in ms of each quota; the run of Redis, and "1" where nodes agree on what they heard before
# it. Where they do not, numbers of an earlier run may have been heard that are not here: a new epoch.
# Answers S or D (stored, duplicate) with epoch, seq, ts; C (conflict); L with the wait and which quota.
PUBLISH = (
    _LIFE
    + _ADMIT
    + """
local e, n, t = life(ARGV[1], ARGV[2], tonumber(ARGV[3]))
local run, sure = ARGV[#ARGV - 1], ARGV[#ARGV]
local before = redis.call('HGET', KEYS[1], 'l')
if before ~= run then
  if before and n > 0 and sure ~= '1' then
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[1], 'e', ARGV[1], 'n', 0)
    e, n = ARGV[1], 0
  end
  redis.call('HSET', KEYS[1], 'l', run)
end
local seen = redis.call('GET', KEYS[3])
if seen then
  local epoch, seq, ts, digest = seen:match('^(%S+) (%S+) (%S+) (%S+)$')
  if epoch == e then
    if digest ~= ARGV[6] then return {'C'} end
    return {'D', e, tonumber(seq), tonumber(ts)}
  end
end
local now = micros()
local wait, which = admit(now, 4, 11)
if wait > 0 then return {'L', wait, which} end
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
if ARGV[7] ~= '' then redis.call('SPUBLISH', ARGV[7], 'M' .. record) end
return {'S', e, n, t}
"""
)

# KEYS: quotas that are on another server than the room. ARGV: count and window of each. Answers wait and which.
ADMIT = (
    _ADMIT
    + """
local wait, which = admit(micros(), 1, 1)
return {wait, which}
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


# This node's users of a room, as it knows them: marks that are missing are made, others of it go. KEYS as of EXIT.
# ARGV: node, channel, room, "1" to tell of who is new here, the two times to live; then user, "~" in grace or "", name.
ASSERT = (
    _MARKS
    + """
local node, mine = ARGV[1], {}
for i = 7, #ARGV, 3 do
  local user, grace, name = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  mine[user] = true
  local value = redis.call('HGET', KEYS[3], user)
  if not value then
    redis.call('HSET', KEYS[3], user, grace .. node .. '|' .. name)
    local count = redis.call('HLEN', KEYS[3])
    if ARGV[4] == '1' then redis.call('SPUBLISH', ARGV[2], 'J' .. user .. ' ' .. count .. ' ' .. name) end
  else
    local marks, first = split(value)
    local others = look(marks, node)
    if grace == '' or #others == 0 then others[#others + 1] = grace .. node end
    redis.call('HSET', KEYS[3], user, table.concat(others, ' ') .. '|' .. first)
  end
end
if next(mine) then
  redis.call('SADD', KEYS[4], ARGV[3])
  redis.call('PERSIST', KEYS[1])
  redis.call('PERSIST', KEYS[2])
else
  redis.call('SREM', KEYS[4], ARGV[3])
end
local all, gone = redis.call('HGETALL', KEYS[3]), 0
for i = 1, #all, 2 do
  local user = all[i]
  local marks, name = split(all[i + 1])
  local others, here, grace = look(marks, node)
  if not mine[user] and (here or grace) then
    if #others > 0 then
      redis.call('HSET', KEYS[3], user, table.concat(others, ' ') .. '|' .. name)
    else
      redis.call('HDEL', KEYS[3], user)
      gone = gone + 1
      redis.call('SPUBLISH', ARGV[2], 'L' .. user .. ' ' .. redis.call('HLEN', KEYS[3]) .. ' ' .. name)
    end
  end
end
if gone > 0 and redis.call('HLEN', KEYS[3]) == 0 then
  local ttl = ARGV[5]
  if tonumber(redis.call('HGET', KEYS[1], 'n') or 0) == 0 then ttl = ARGV[6] end
  redis.call('PEXPIRE', KEYS[1], ttl)
  redis.call('PEXPIRE', KEYS[2], ttl)
end
return gone
"""
)

# KEYS: the nodes by the end of their leases. ARGV: node, ms. Answers "1" where the node had one, then for each node its
# name and for how many ms its lease has been over (below zero: is not).
LEASE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local had = redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local out = {had}
local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES')
for i = 1, #all, 2 do
  out[#out + 1] = all[i]
  out[#out + 1] = now - tonumber(all[i + 1])
end
return out
"""


def sha(script: str) -> str:
    """The name that Redis gives a loaded script."""
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


SCRIPTS = (PUBLISH, READ, JOIN, EXIT, PRESENT, ASSERT, LEASE, ADMIT)
