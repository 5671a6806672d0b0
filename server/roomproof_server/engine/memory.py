"""The engine that keeps everything in this process: nothing survives it, and every answer is immediate."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any

from roomproof_protocol import Limits
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
from roomproof_server.rules.limiter import UserQuotas
from roomproof_server.rules.presence import Presence, PresenceEvent
from roomproof_server.rules.stream import Page, Stream, new_epoch, text_digest

# A room in which nothing was ever sent is worth little, and joining rooms is cheap: kept for a minute.
BARREN_MS = 60_000


class _Room:
    __slots__ = ("presence", "sink", "stream")

    def __init__(self, stream: Stream, grace: float) -> None:
        self.stream = stream
        self.presence = Presence(grace)
        self.sink: Sink | None = None


class _Guest:
    __slots__ = ("id", "uses")

    def __init__(self, guest: str, uses: int) -> None:
        self.id, self.uses = guest, uses


class MemoryEngine:
    """An `roomproof_server.engine.base.Engine`. ``now`` gives monotonic ms, ``wall`` ms since 1970."""

    def __init__(self, limits: Limits, *, now: Callable[[], float], wall: Callable[[], int]) -> None:
        self._limits, self._now, self._wall = limits, now, wall
        self._rooms: dict[str, _Room] = {}
        self._quotas = UserQuotas(limits.messages.count, limits.messages.window_ms)
        # Each of these has one fixed time to live, so the order of insertion is the order of expiry.
        self._graces: deque[tuple[float, str, str]] = deque()
        self._idle: OrderedDict[str, float] = OrderedDict()
        self._barren: OrderedDict[str, float] = OrderedDict()
        self._unused: OrderedDict[bytes, float] = OrderedDict()
        self._guests: dict[bytes, _Guest] = {}

    @property
    def durability(self) -> Durability:
        return "memory"

    def subscribe(self, room: str, sink: Sink) -> None:
        self._room(room).sink = sink
        self._idle.pop(room, None)
        self._barren.pop(room, None)

    def unsubscribe(self, room: str) -> None:
        state = self._rooms[room]
        state.sink = None
        ttl: float = self._limits.room_ttl_ms
        if state.stream.head:
            self._idle[room] = self._now() + ttl
        else:
            self._barren[room] = self._now() + min(ttl, BARREN_MS)

    def join(
        self,
        room: str,
        member: Member,
        after: Mapping[str, Any] | None,
        history: int,
        done: Done[Joined | Unavailable],
    ) -> None:
        state = self._room(room)
        event = state.presence.enter(member.id, member.name, member.connection)
        done(Joined(state.stream.tail(after, history), state.presence.count))
        self._tell(state, event)

    def leave(self, room: str, member: Member, *, linger: bool) -> None:
        state = self._rooms[room]
        event = state.presence.leave(member.id, member.connection, linger=linger, now=self._now())
        ends = state.presence.grace_ends(member.id)
        if ends is not None:
            self._graces.append((ends, room, member.id))
        self._tell(state, event)

    def publish(
        self,
        room: str,
        member: Member,
        text: str,
        mid: str | None,
        done: Done[Stored | Conflict | Limited | Unavailable],
    ) -> None:
        state, now = self._room(room), self._now()
        stream = state.stream
        if mid is not None and (seen := stream.seen(member.id, mid, now)):
            same = seen.digest == text_digest(text)
            done(Stored(stream.epoch, seen.seq, seen.ts, duplicate=True) if same else Conflict())
            return
        if wait := self._quotas.admit(member.id, now):
            done(Limited(wait))
            return
        if stream.full:
            stream = state.stream = self._stream(room)
            if state.sink is not None:
                state.sink.reset(stream.epoch, 0, "epoch_changed")
        sender = {"id": member.id, "name": member.name}
        stream.stage(sender, text, mid, now=now, wall=self._wall())
        entry = stream.commit()
        if state.sink is not None:
            state.sink.message(entry)
        done(Stored(entry.epoch, entry.seq, entry.ts, duplicate=False))

    def page(
        self, room: str, *, epoch: str | None, before: int | None, after: int | None, limit: int,
        done: Done[Page | Stale | Unavailable],
    ) -> None:  # fmt: skip
        stream = self._room(room).stream
        if epoch is not None and epoch != stream.epoch:
            done(Stale())
        else:
            done(stream.page(before=before, after=after, limit=limit))

    def present(self, room: str, limit: int, done: Done[Present | Unavailable]) -> None:
        presence = self._room(room).presence
        done(Present([user for user, _ in zip(presence.members(), range(limit), strict=False)], presence.count))

    def new_guest(self, done: Done[Guest | Unavailable]) -> None:
        guest, token = f"guest:{secrets.token_hex(8)}", secrets.token_urlsafe(24)
        self._guests[_key(token)] = _Guest(guest, uses=1)
        done(Guest(guest, token))

    def find_guest(self, token: str, done: Done[Guest | Unavailable | None]) -> None:
        key = _key(token)
        record = self._guests.get(key)
        if record is None or (not record.uses and self._unused[key] <= self._now()):
            done(None)
            return
        self._unused.pop(key, None)
        record.uses += 1
        done(Guest(record.id, token))

    def release_guest(self, token: str) -> None:
        key = _key(token)
        record = self._guests[key]
        record.uses -= 1
        if not record.uses:
            self._unused[key] = self._now() + self._limits.guest_ttl_ms

    def sweep(self) -> None:
        now = self._now()
        self._quotas.sweep(now)
        while self._graces and self._graces[0][0] <= now:
            _, room, user = self._graces.popleft()
            if state := self._rooms.get(room):
                self._tell(state, state.presence.expire(user, now))
        for rooms in (self._idle, self._barren):
            while rooms and next(iter(rooms.values())) <= now:
                del self._rooms[rooms.popitem(last=False)[0]]
        while self._unused and next(iter(self._unused.values())) <= now:
            del self._guests[self._unused.popitem(last=False)[0]]

    def _room(self, room: str) -> _Room:
        state = self._rooms.get(room)
        if state is None:
            state = self._rooms[room] = _Room(self._stream(room), self._limits.presence_grace_ms)
        return state

    def _stream(self, room: str) -> Stream:
        return Stream(room, new_epoch(), retain=self._limits.history, dedup=self._limits.dedup_ms)

    @staticmethod
    def _tell(state: _Room, event: PresenceEvent | None) -> None:
        if event is not None and state.sink is not None:
            state.sink.presence(event)


def _key(token: str) -> bytes:
    """Tokens are kept as digests: who reads the store cannot become anybody."""
    return hashlib.sha256(token.encode()).digest()
