"""The engine on Redis or Valkey: any number of nodes, one truth.

A room's stream in Redis is the truth; what is published is a wake-up. Each node follows the streams of the rooms in
which it has members (`Hosted`): a message that comes out of turn, or does not come, is read from the stream.
Decisions are made by the scripts, so they are the same on every node.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from roomproof_protocol import Limits, Window, encode
from roomproof_server.engine.base import (
    Conflict,
    Done,
    Durability,
    Guest,
    Joined,
    Limited,
    Member,
    Present,
    Sink,
    Stale,
    Stored,
    Unavailable,
)
from roomproof_server.engine.cluster.address import RedisStore
from roomproof_server.engine.cluster.apart import Apart
from roomproof_server.engine.cluster.hosted import Hosted, parsed
from roomproof_server.engine.cluster.keys import PARTITIONS, Keys, partition
from roomproof_server.engine.cluster.link import LOST
from roomproof_server.engine.cluster.places import Place, Places
from roomproof_server.engine.cluster.rollcall import RollCall
from roomproof_server.engine.cluster.scripts import ASSERT, EXIT, JOIN, PRESENT, PUBLISH, READ
from roomproof_server.engine.cluster.shard import Shard
from roomproof_server.engine.memory import BARREN_MS, GuestState, guest_key, make_guest
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Entry, Page, Stream, new_epoch, text_digest

AHEAD_MS = 250  # a message that was kept should have been heard by then
RETRIED_MS = 30_000  # for so long a message without mid can be sent to Redis again


class RedisEngine:
    """An `roomproof_server.engine.base.Engine`. Make it inside the loop that it will live in.

    ``now`` gives monotonic ms.
    """

    def __init__(self, limits: Limits, store: RedisStore, *, now: Callable[[], float]) -> None:
        self._limits, self._store, self._now = limits, store, now
        self._node = secrets.token_hex(6)
        self._keys = Keys(store.prefix)
        self._rooms: dict[str, Hosted] = {}
        self._graces: deque[tuple[float, str, str]] = deque()
        self._guests: dict[bytes, GuestState] = {}
        self._kept: OrderedDict[bytes, float] = OrderedDict()  # guests in use, and when Redis is told again
        self._doubtful: set[str] = set()  # rooms whose presence in Redis may not be what it is here
        self._places = Places(store, self._arrange)
        self._shards: list[Shard] = []
        self._map: list[Shard] = []  # by partition
        self._arrange([self._places.first] * PARTITIONS)
        self._roll_call = RollCall(self._node, self._keys.shard("n", 0), self._shard_of(0), store.times,
                                   now=now, sweep=self._sweep_node, swept=self._swept)  # fmt: skip

    @property
    def durability(self) -> Durability:
        return self._store.durability

    @property
    def usable(self) -> bool:
        return all(shard.healthy for shard in self._shards)

    @property
    def isolated(self) -> bool:
        return any(shard.silent_ms >= self._store.times.isolated_ms for shard in self._shards)

    @property
    def busy(self) -> bool:
        """An answer is owed, or something that was published has not come yet."""
        return any(shard.busy for shard in self._shards)

    def sing(self) -> None:
        """Send the canary: once it is heard, all that was published before was, too."""
        for shard in self._shards:
            shard.sing()

    # Rooms

    def subscribe(self, room: str, sink: Sink) -> None:
        state = self._rooms.get(room)
        if state is None:
            state = self._rooms[room] = Hosted(room, retain=self._limits.history, grace=self._limits.presence_grace_ms)
        state.sink = sink
        self._shard(room).bus.subscribe(self._keys.room("c", room))

    def unsubscribe(self, room: str) -> None:
        state = self._rooms[room]
        state.sink = state.stream = None
        self._shard(room).bus.unsubscribe(self._keys.room("c", room))
        self._forget(state)

    def join(
        self,
        room: str,
        member: Member,
        after: Mapping[str, Any] | None,
        history: int,
        done: Done[Joined | Unavailable],
    ) -> None:
        state = self._rooms[room]
        step = partial(self._join, state, member, after, history, done)
        self._when_heard(state, step, lambda: done(Unavailable()))

    def leave(self, room: str, member: Member, *, linger: bool) -> None:
        state = self._rooms.get(room)
        if state is None:
            return
        event = state.presence.leave(member.id, member.connection, linger=linger, now=self._now())
        ends = state.presence.grace_ends(member.id)
        if event is not None:
            self._exit(state, member.id, "leave")
        elif ends is not None:
            self._graces.append((ends, room, member.id))
            self._exit(state, member.id, "linger")
        self._forget(state)

    def publish(
        self,
        room: str,
        member: Member,
        text: str,
        mid: str | None,
        done: Done[Stored | Conflict | Limited | Unavailable],
    ) -> None:
        if self._roll_call.held is not None:
            self._roll_call.held.append((self._now(), partial(self.publish, room, member, text, mid, done), done))
            return
        keys, limits = self._keys, self._limits
        state = self._rooms.get(room)
        epoch, seq = state.position if state else ("", 0)
        head = encode({"type": "message", "room": room, "epoch": ""})[:-2]
        tail = b"," + encode({"from": {"id": member.id, "name": member.name}, "text": text})[1:]
        # Without a mid of the client's a made-up one lets the script run twice, should its answer get lost.
        ttl = limits.dedup_ms if mid else min(limits.dedup_ms, RETRIED_MS)
        names = [
            keys.room("m", room), keys.room("s", room), keys.mid(room, member.id, mid or f".{secrets.token_hex(8)}"),
        ]  # fmt: skip
        owners: list[tuple[str, Window]] = [(keys.user("r", member.id), limits.messages)]
        if limits.per_address is not None and member.address is not None:
            owners.append((keys.user("a", member.address), limits.per_address.messages))
        quotas = [number for _, window in owners for number in (window.count, window.window_ms)]
        digest = text_digest(text).hex()
        # Where a replica has to have it first, others hear of it after that.
        channel = "" if self._replicated else keys.room("c", room)

        def keep(logs: list[str], *numbers: int) -> None:
            shard = self._shard(room)
            shard.run(
                PUBLISH, names + logs,
                new_epoch(), epoch, seq, limits.history, max(1, ttl - 1), digest, channel, head, tail,
                f"{member.id} {mid or '.'}", *numbers, shard.run_id, int(self._roll_call.sure),
                done=partial(self._published, room, (member.id, mid, head, tail), done),
            )  # fmt: skip

        if self._store.kind != "cluster":
            keep([name for name, _ in owners], *quotas)
            return
        # In a cluster a user's quota is on another server than the room: asked before, and a retry before that.
        Apart(self._shard_of_key, owners, names, digest, keep, done, retry=mid is not None)

    def page(
        self, room: str, *, epoch: str | None, before: int | None, after: int | None, limit: int,
        done: Done[Page | Stale | Unavailable],
    ) -> None:  # fmt: skip
        def answer(stream: Stream | None) -> None:
            if stream is None:
                done(Unavailable())
            elif epoch is not None and epoch != stream.epoch:
                done(Stale())
            else:
                done(stream.page(before=before, after=after, limit=limit))

        self._read(room, answer)

    def present(self, room: str, limit: int, done: Done[Present | Unavailable]) -> None:
        def answer(reply: Any) -> None:
            if not isinstance(reply, list):
                done(Unavailable())
                return
            words = [word.decode() for word in reply[1:]]
            done(Present(list(zip(words[::2], words[1::2], strict=True)), reply[0]))

        self._shard(room).run(PRESENT, [self._keys.room("p", room)], limit, done=answer)

    # Guests

    def new_guest(self, done: Done[Guest | Unavailable]) -> None:
        guest = make_guest()

        def answer(reply: Any) -> None:
            if reply is LOST or isinstance(reply, Exception):
                done(Unavailable())
            else:
                self._use(guest)
                done(guest)

        self._keep_guest(guest_key(guest.token), guest.id, answer)

    def find_guest(self, token: str, done: Done[Guest | Unavailable | None]) -> None:
        key = guest_key(token)
        if record := self._guests.get(key):
            record.uses += 1
            done(Guest(record.id, token))
            return

        def answer(reply: Any) -> None:
            if reply is None:
                done(None)
            elif isinstance(reply, bytes):
                guest = Guest(reply.decode(), token)
                self._use(guest)
                done(guest)
            else:
                done(Unavailable())

        name = self._keys.user("g", key.hex())
        self._shard_of_key(name).call("GETEX", name, "PX", self._guest_ttl, done=answer)

    def release_guest(self, token: str) -> None:
        key = guest_key(token)
        record = self._guests[key]
        record.uses -= 1
        if not record.uses:
            del self._guests[key]
            self._kept.pop(key, None)
            self._keep_guest(key, record.id, lambda _: None)

    def sweep(self) -> None:
        now = self._now()
        for shard in self._shards:
            shard.sweep()
        self._roll_call.sweep()
        for state in list(self._rooms.values()):
            self._sweep_room(state, now)
        while self._graces and self._graces[0][0] <= now:
            _, room, user = self._graces.popleft()
            if (left := self._rooms.get(room)) and left.presence.expire(user, now) is not None:
                self._exit(left, user, "expire")
                self._forget(left)
        while self._kept and next(iter(self._kept.values())) <= now:
            key, _ = self._kept.popitem(last=False)
            if record := self._guests.get(key):
                self._kept[key] = now + self._limits.guest_ttl_ms / 2
                self._keep_guest(key, record.id, lambda _: None)

    def close(self) -> None:
        self._places.close()
        for shard in self._shards:
            shard.close()

    # Inside

    def _shard(self, name: str) -> Shard:
        """The server of a room."""
        return self._map[partition(name)]

    def _shard_of_key(self, key: str) -> Shard:
        """The server of any key, by its tag."""
        return self._map[int(key[key.index("{p") + 2 : key.index("}")])]

    def _shard_of(self, number: int) -> Callable[[], Shard]:
        return lambda: self._map[number]

    def _arrange(self, places: list[Place]) -> None:
        """Which server has which partition; rooms whose partition moved go with it."""
        before, known = self._map, {shard.name: shard for shard in self._shards}
        named: dict[str, Shard] = {}
        self._map = []
        for number, place in enumerate(places):
            if place.name not in named:
                canary = self._keys.shard("k", number, f"{self._node}.{secrets.token_hex(2)}")
                named[place.name] = known.get(place.name) or Shard(
                    place.name, place.dial, self._store.times, canary, now=self._now, hear=self._hear,
                    whole=self._whole, up=self._up, check=self._check, elsewhere=self._places.look,
                )  # fmt: skip
            self._map.append(named[place.name])
        self._shards = list(named.values())
        for state in self._rooms.values():
            number, channel = partition(state.room), self._keys.room("c", state.room)
            if before and before[number] is not self._map[number] and state.sink is not None:
                before[number].bus.unsubscribe(channel)
                self._map[number].bus.subscribe(channel)
                self._map[number].bus.when_heard(channel, partial(self._moved, state))
        for shard in known.values():
            if shard.name not in named:
                shard.close()

    def _moved(self, state: Hosted) -> None:
        self._sync(state)
        self._go_on(state)

    @property
    def _guest_ttl(self) -> int:
        return max(1, self._limits.guest_ttl_ms - 1)  # a key of Redis lives a moment longer than its time

    def _use(self, guest: Guest) -> None:
        key = guest_key(guest.token)
        self._guests.setdefault(key, GuestState(guest.id, uses=0)).uses += 1
        self._kept[key] = self._now() + self._limits.guest_ttl_ms / 2

    def _keep_guest(self, key: bytes, guest: str, done: Callable[[Any], None]) -> None:
        name = self._keys.user("g", key.hex())
        self._shard_of_key(name).call("SET", name, guest, "PX", self._guest_ttl, done=done)

    def _when_heard(self, state: Hosted, then: Callable[[], None], too_late: Callable[[], None]) -> None:
        """Take the step once what is published in the room comes here: between look and step nothing is missed."""
        bus, channel = self._shard(state.room).bus, self._keys.room("c", state.room)
        if bus.hears(channel):
            then()
            return
        if not state.waiting:
            bus.when_heard(channel, partial(self._go_on, state))
        state.waiting.append((self._now() + self._store.times.reply_ms, then, too_late))

    @staticmethod
    def _go_on(state: Hosted) -> None:
        waiting, state.waiting = state.waiting, []
        for _, then, _ in waiting:
            then()

    def _join(
        self,
        state: Hosted,
        member: Member,
        after: Mapping[str, Any] | None,
        history: int,
        done: Done[Joined | Unavailable],
    ) -> None:
        room, keys = state.room, self._keys

        def answer(reply: Any) -> None:
            if not isinstance(reply, list):
                self._doubtful.add(room)  # it may have been carried out
                done(Unavailable())
                return
            count, epoch, head, *records = reply

            def settled(safe: bool) -> None:
                if not safe:
                    self._doubtful.add(room)
                    done(Unavailable())
                    return
                state.take(epoch.decode(), head, records)
                state.presence.enter(member.id, member.name, member.connection)
                assert state.stream is not None
                done(Joined(state.stream.tail(after, history), count))

            self._settle(room, settled)

        epoch, seq = state.position
        self._shard(room).run(
            JOIN, [*(keys.room(kind, room) for kind in "msp"), keys.hosted(room, self._node)],
            new_epoch(), epoch, seq, self._node, member.id, member.name, keys.room("c", room), room, done=answer,
        )  # fmt: skip

    def _exit(self, state: Hosted, user: str, how: str) -> None:
        room, keys = state.room, self._keys
        ttl = max(1, self._limits.room_ttl_ms - 1)
        self._shard(room).run(
            EXIT, [*(keys.room(kind, room) for kind in "msp"), keys.hosted(room, self._node)],
            self._node, user, how, keys.room("c", room), room, int(not state.presence.count), ttl,
            min(ttl, BARREN_MS), done=lambda reply: self._doubtful.add(room) if reply is LOST else None,
        )  # fmt: skip

    def _assert(self, room: str, node: str, *, loud: bool) -> None:
        """Have Redis hold of a node's users in a room exactly those that are here; of another node none."""
        state, keys = self._rooms.get(room), self._keys
        ttl = max(1, self._limits.room_ttl_ms - 1)
        known = state.presence.known() if state is not None and node == self._node else ()
        users = [word for user, name, grace in known for word in (user, "~" if grace else "", name)]
        self._shard(room).run(
            ASSERT, [*(keys.room(kind, room) for kind in "msp"), keys.hosted(room, node)],
            node, keys.room("c", room), room, int(loud), ttl, min(ttl, BARREN_MS), *users,
            done=lambda reply: self._doubtful.add(room) if reply is LOST and node == self._node else None,
        )  # fmt: skip

    def _sweep_node(self, node: str, done: Callable[[], None]) -> None:
        """Another node is dead: its users are gone from every room (PRES-6)."""
        left = PARTITIONS

        def answer(rooms: Any) -> None:
            nonlocal left
            left -= 1
            for room in rooms if isinstance(rooms, list) else ():
                self._assert(room.decode(), node, loud=True)
            if not left:
                done()

        for number in range(PARTITIONS):
            self._map[number].call("SMEMBERS", self._keys.shard("h", number, node), done=answer)

    def _swept(self, *, loud: bool) -> None:
        """Redis knows nothing of this node any more: tell it who is here, others only if they were told otherwise."""
        for state in self._rooms.values():
            if state.presence.count:
                self._assert(state.room, self._node, loud=loud)

    def _up(self, shard: Shard) -> None:
        """The server answers, or another one does: what was heard stands against what is there (the fence)."""
        if not self._map:
            return
        reads = [state for state in self._rooms.values() if self._shard(state.room) is shard and state.stream]
        left = len(reads) + 1

        def one(_: Stream | None = None) -> None:
            nonlocal left
            left -= 1
            if not left:
                self._roll_call.fenced(shard)

        self._roll_call.begin(shard)
        for state in reads:
            self._read(state.room, one)
        one()

    def _check(self, shard: Shard) -> None:
        """See whether a head moved without us: the last message of a quiet room may have been lost on the way."""
        if shard is self._map[0]:
            self._roll_call.renew()
        doubtful, self._doubtful = self._doubtful, set()
        for room in doubtful:
            self._assert(room, self._node, loud=True)
        for state in self._rooms.values():
            if state.stream is not None and self._shard(state.room) is shard:
                shard.call("HMGET", self._keys.room("m", state.room), "e", "n", done=partial(self._looked, state))

    def _looked(self, state: Hosted, reply: Any) -> None:
        if not isinstance(reply, list) or state.stream is None:
            return
        epoch, seq = state.position
        if reply[0] is None or reply[0].decode() != epoch or int(reply[1]) != seq:
            self._sync(state)

    def _published(
        self,
        room: str,
        sent: tuple[str, str | None, bytes, bytes],
        done: Done[Stored | Conflict | Limited | Unavailable],
        reply: Any,
    ) -> None:
        if not isinstance(reply, list):
            done(Unavailable())
            return
        what = reply[0]
        if what == b"C":
            done(Conflict())
        elif what == b"L":
            done(Limited(max(1, reply[1]), "address" if reply[2] else "user"))
        else:
            epoch, seq, ts = reply[1].decode(), reply[2], reply[3]

            def settled(safe: bool) -> None:
                if not safe:
                    done(Unavailable())
                    return
                if what == b"S":
                    self._know(room, epoch, seq, ts, *sent)
                done(Stored(epoch, seq, ts, duplicate=what == b"D"))

            self._settle(room, settled)

    def _know(
        self, room: str, epoch: str, seq: int, ts: int, user: str, mid: str | None, head: bytes, tail: bytes
    ) -> None:
        """A message of ours was kept: heard at once if it is the next one, soon if others come before it."""
        payload = b'%b%b","seq":%d,"ts":%d%b' % (head, epoch.encode(), seq, ts, tail)
        if self._replicated:
            record = f"M{epoch} {seq} {ts} {user} {mid or '.'} ".encode() + payload
            self._shard(room).call("SPUBLISH", self._keys.room("c", room), record, done=lambda _: None)
        state = self._rooms.get(room)
        if state is None or state.stream is None:
            return
        if not state.follow(Entry(epoch, seq, ts, user, mid, payload)):
            if epoch != state.stream.epoch:
                self._sync(state)
            elif state.ahead is None:
                state.ahead = self._now()

    def _read(self, room: str, then: Callable[[Stream | None], None]) -> None:
        """Bring the room's copy to where Redis is, and go on with it; with None when Redis does not answer."""
        state = self._rooms.get(room) or Hosted(room, retain=self._limits.history, grace=0)

        def answer(reply: Any) -> None:
            if not isinstance(reply, list):
                then(None)
                return
            epoch, head, *records = reply

            def settled(safe: bool) -> None:
                if safe:
                    state.take(epoch.decode(), head, records)
                then(state.stream if safe else None)

            self._settle(room, settled)

        epoch, seq = state.position
        names = [self._keys.room(kind, room) for kind in "ms"]
        self._shard(room).run(READ, names, new_epoch(), epoch, seq, done=answer)

    @property
    def _replicated(self) -> bool:
        return self._store.durability == "replicated"

    def _settle(self, room: str, then: Callable[[bool], None]) -> None:
        """Go on once a replica has all that this connection has seen, where that is asked for; False: it may not."""
        if not self._replicated:
            then(True)
            return
        shard = self._shard(room)
        shard.call("HSET", self._keys.room("m", room), "w", 1, done=lambda _: None)  # WAIT waits for one's own writes
        shard.call("WAIT", 1, round(self._store.times.reply_ms * 0.8),
                   done=lambda reply: then(isinstance(reply, int) and reply >= 1))  # fmt: skip

    def _sync(self, state: Hosted) -> None:
        """Something is missing: read it."""
        if state.syncing or state.stream is None:
            return
        state.syncing = True

        def answer(stream: Stream | None) -> None:
            state.syncing = False

        self._read(state.room, answer)

    def _sweep_room(self, state: Hosted, now: float) -> None:
        if state.waiting and state.waiting[0][0] <= now:
            late = [too_late for until, _, too_late in state.waiting if until <= now]
            state.waiting = [item for item in state.waiting if item[0] > now]
            for too_late in late:
                too_late()
        if state.ahead is not None and now - state.ahead >= AHEAD_MS:
            self._sync(state)

    def _whole(self, shard: Shard) -> None:
        """The bus was away: see what was missed."""
        for state in self._rooms.values():
            if self._shard(state.room) is shard:
                self._sync(state)

    def _hear(self, channel: str, data: bytes) -> None:
        room = channel.rpartition(":")[2]
        state = self._rooms.get(room)
        if state is None or state.sink is None:
            return
        if data[:1] == b"M":
            if not state.follow(parsed(data[1:])):
                self._sync(state)
            return
        if data[:1] not in (b"J", b"L"):
            return
        user, count, name = data[1:].decode().split(" ", 2)
        state.sink.presence(PresenceEvent("join" if data[:1] == b"J" else "leave", user, name, int(count)))

    def _forget(self, state: Hosted) -> None:
        """Let a room go in which nobody is any more."""
        if state.sink is None and not state.presence.count:
            self._rooms.pop(state.room, None)
