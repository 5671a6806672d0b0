"""The engine that keeps everything in this process: nothing survives it, and every answer is immediate.

It is also what an engine on top of a store begins with: that one overrides how a room is fetched (`_with`), how
a message is kept (`_keep`, `_after`) and where guests are, and shares every decision.
"""

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
    T,
    Unavailable,
)
from roomproof_server.rules.limiter import MOST_ADDRESSES, Quotas
from roomproof_server.rules.presence import Presence, PresenceEvent
from roomproof_server.rules.stream import Entry, Page, Stream, new_epoch, text_digest

# A room in which nothing was ever sent is worth little, and joining rooms is cheap: kept for a minute.
BARREN_MS = 60_000


class RoomState:
    """A room in memory; ``sink`` is None while nobody listens."""

    __slots__ = ("presence", "sink", "stream")

    def __init__(self, stream: Stream, grace: float) -> None:
        self.stream = stream
        self.presence = Presence(grace)
        self.sink: Sink | None = None


class GuestState:
    """A guest and how many connections use it."""

    __slots__ = ("id", "uses")

    def __init__(self, guest: str, uses: int) -> None:
        self.id, self.uses = guest, uses


class MemoryEngine:
    """An `roomproof_server.engine.base.Engine`. ``now`` gives monotonic ms, ``wall`` ms since 1970."""

    def __init__(self, limits: Limits, *, now: Callable[[], float], wall: Callable[[], int]) -> None:
        self._limits, self._now, self._wall = limits, now, wall
        self._rooms: dict[str, RoomState] = {}
        self._quotas = Quotas(limits.messages.count, limits.messages.window_ms)
        self._addresses: Quotas | None = None
        if (limited := limits.per_address) is not None:
            self._addresses = Quotas(limited.messages.count, limited.messages.window_ms, most=MOST_ADDRESSES)
        # Each of these has one fixed time to live, so the order of insertion is the order of expiry.
        self._graces: deque[tuple[float, str, str]] = deque()
        self._idle: OrderedDict[str, float] = OrderedDict()
        self._barren: OrderedDict[str, float] = OrderedDict()
        self._unused: OrderedDict[bytes, float] = OrderedDict()
        self._guests: dict[bytes, GuestState] = {}
        self._rest_ms: float = limits.room_ttl_ms  # how long a room without members stays in memory

    @property
    def durability(self) -> Durability:
        return "memory"

    @property
    def usable(self) -> bool:
        return True

    @property
    def isolated(self) -> bool:
        return False

    def subscribe(self, room: str, sink: Sink) -> None:
        self._room(room).sink = sink
        self._idle.pop(room, None)
        self._barren.pop(room, None)

    def unsubscribe(self, room: str) -> None:
        state = self._rooms[room]
        state.sink = None
        self._rest(state)

    def join(
        self,
        room: str,
        member: Member,
        after: Mapping[str, Any] | None,
        history: int,
        done: Done[Joined | Unavailable],
    ) -> None:
        self._with(room, lambda state: self._join(state, member, after, history, done), done)

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
        self._with(room, lambda state: self._publish(state, member, text, mid, done), done)

    def page(
        self, room: str, *, epoch: str | None, before: int | None, after: int | None, limit: int,
        done: Done[Page | Stale | Unavailable],
    ) -> None:  # fmt: skip
        self._with(room, lambda state: self._page(state.stream, epoch, before, after, limit, done), done)

    def present(self, room: str, limit: int, done: Done[Present | Unavailable]) -> None:
        presence = self._room(room).presence
        done(Present([user for user, _ in zip(presence.members(), range(limit), strict=False)], presence.count))

    def new_guest(self, done: Done[Guest | Unavailable]) -> None:
        guest = make_guest()
        self._guests[guest_key(guest.token)] = GuestState(guest.id, uses=1)
        done(guest)

    def find_guest(self, token: str, done: Done[Guest | Unavailable | None]) -> None:
        key = guest_key(token)
        record = self._guests.get(key)
        if record is None or (not record.uses and self._unused[key] <= self._now()):
            done(None)
            return
        self._unused.pop(key, None)
        record.uses += 1
        done(Guest(record.id, token))

    def release_guest(self, token: str) -> None:
        key = guest_key(token)
        record = self._guests[key]
        record.uses -= 1
        if not record.uses:
            self._unused[key] = self._now() + self._limits.guest_ttl_ms

    def sweep(self) -> None:
        now = self._now()
        self._quotas.sweep(now)
        if self._addresses is not None:
            self._addresses.sweep(now)
        while self._graces and self._graces[0][0] <= now:
            _, room, user = self._graces.popleft()
            if state := self._rooms.get(room):
                self._tell(state, state.presence.expire(user, now))
        for rooms in (self._idle, self._barren):
            while rooms and next(iter(rooms.values())) <= now:
                self._drop(rooms.popitem(last=False)[0])
        while self._unused and next(iter(self._unused.values())) <= now:
            del self._guests[self._unused.popitem(last=False)[0]]

    def close(self) -> None:
        pass

    def lose(self) -> None:
        """Forget what was said in every room, as a place that comes back empty would (ROOM-12, CL-6)."""
        for state in self._rooms.values():
            self._begin_anew(state)

    # What an engine on top of a store overrides

    def _with(self, room: str, step: Callable[[RoomState], None], done: Done[Unavailable]) -> None:
        """Take the step in the room once that is here, or call ``done``."""
        step(self._room(room))

    def _keep(self, state: RoomState, entry: Entry) -> None:
        """Keep the entry, which is the one staged last; then `_kept`."""
        self._kept(state, state.stream)

    def _after(self, stream: Stream, seq: int, answer: T, done: Done[T | Unavailable]) -> None:
        """Answer once message ``seq`` is kept."""
        done(answer)

    def _drop(self, room: str) -> None:
        """The room has rested long enough."""
        del self._rooms[room]

    # What is decided here for all

    def _join(
        self, state: RoomState, member: Member, after: Mapping[str, Any] | None, history: int, done: Done[Joined]
    ) -> None:
        event = state.presence.enter(member.id, member.name, member.connection)
        done(Joined(state.stream.tail(after, history), state.presence.count))
        self._tell(state, event)

    def _publish(
        self,
        state: RoomState,
        member: Member,
        text: str,
        mid: str | None,
        done: Done[Stored | Conflict | Limited | Unavailable],
    ) -> None:
        stream, now = state.stream, self._now()
        if mid is not None and (seen := stream.seen(member.id, mid, now)):
            same = seen.digest == text_digest(text)
            answer = Stored(stream.epoch, seen.seq, seen.ts, duplicate=True) if same else Conflict()
            self._after(stream, seen.seq, answer, done)
            return
        if limited := self._over_quota(member, now):
            done(limited)
            return
        if stream.full:
            stream = self._begin_anew(state)
        sender = {"id": member.id, "name": member.name}
        entry = stream.stage(sender, text, mid, now=now, wall=self._wall())
        self._keep(state, entry)
        self._after(stream, entry.seq, Stored(entry.epoch, entry.seq, entry.ts, duplicate=False), done)

    def _begin_anew(self, state: RoomState) -> Stream:
        stream = state.stream = self._stream(state.stream.room)
        if state.sink is not None:
            state.sink.reset(stream.epoch, 0, "epoch_changed")
        return stream

    def _over_quota(self, member: Member, now: float) -> Limited | None:
        """Count the message, for both quotas or for neither; of two waits the longer is told (RATE-7)."""
        if self._addresses is not None and member.address is not None:
            wait = self._addresses.wait(member.address, now)
            if wait > self._quotas.wait(member.id, now):
                return Limited(wait, "address")
        if wait := self._quotas.admit(member.id, now):
            return Limited(wait)
        if self._addresses is not None and member.address is not None:
            self._addresses.admit(member.address, now)
        return None

    @staticmethod
    def _kept(state: RoomState, stream: Stream) -> Entry:
        """The oldest staged message of the stream is kept: everybody may know."""
        entry = stream.commit()
        if state.sink is not None:
            state.sink.message(entry)
        return entry

    @staticmethod
    def _page(
        stream: Stream, epoch: str | None, before: int | None, after: int | None, limit: int, done: Done[Page | Stale]
    ) -> None:
        if epoch is not None and epoch != stream.epoch:
            done(Stale())
        else:
            done(stream.page(before=before, after=after, limit=limit))

    def _rest(self, state: RoomState) -> None:
        """Nobody listens in the room any more: it is kept for a while."""
        room = state.stream.room
        self._idle.pop(room, None)
        self._barren.pop(room, None)
        if state.stream.head:
            self._idle[room] = self._now() + self._rest_ms
        else:
            self._barren[room] = self._now() + min(self._rest_ms, BARREN_MS)

    def _room(self, room: str) -> RoomState:
        state = self._rooms.get(room)
        if state is None:
            state = self._rooms[room] = RoomState(self._stream(room), self._limits.presence_grace_ms)
        return state

    def _stream(self, room: str) -> Stream:
        return Stream(room, new_epoch(), retain=self._limits.history, dedup=self._limits.dedup_ms)

    @staticmethod
    def _tell(state: RoomState, event: PresenceEvent | None) -> None:
        if event is not None and state.sink is not None:
            state.sink.presence(event)


def make_guest() -> Guest:
    """A guest nobody has been before; 192 random bits in its token (AUTH-12)."""
    return Guest(f"guest:{secrets.token_hex(8)}", secrets.token_urlsafe(24))


def guest_key(token: str) -> bytes:
    """Tokens are kept as digests: who reads the store cannot become anybody."""
    return hashlib.sha256(token.encode()).digest()
