"""One node's rooms and users: who gets which frame.

A room's frame is encoded once and framed once, put into the room's *batch*, and the batch is written to every
member as the same bytes: next turn of the loop where the room was quiet, else when `BUSY_MS` have gone by since
the last time, so that a hot room costs a member one write for many messages. A member that is to get something
else meanwhile (its own copy with `mid`, a reply that speaks of the room) *stands aside*: what the batch holds goes
into its own queue, and what comes later goes there one by one, until the batch is out. So nothing of a room ever
overtakes anything else of it.

It must not know sockets: a listener is anything with a user and ways to take finished frames.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Literal, Protocol

from roomproof_protocol import VERSION, ProtocolError, Window, encode_plain
from roomproof_server.counters import Counters
from roomproof_server.engine.base import Engine
from roomproof_server.rules.identity import Identity, Verify
from roomproof_server.rules.limiter import MOST_ADDRESSES, Quotas
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Entry
from roomproof_server.settings import Settings

logger = logging.getLogger("roomproof.server")

Framer = Callable[[bytes], bytes]
Write = Callable[[bytes], object]
Later = Callable[[float, Callable[[], None]], object]
"""Have something called in so many ms; 0: in this turn of the loop, after all that has come."""

# The most that a message may have to wait for others: measured, the longest with which 99 of 100 deliveries of a room
# of 500 with 800 messages a second take less than 10 ms (docs/why-fast.md).
BUSY_MS = 6.0
# Who came and who went may wait longer: a thousand joins are half a million frames.
CROWD_MS = 50.0
_AFTER = 2**53  # in place of a seq, for frames without one: behind every message
_RESET = 2**53 + 1


class Listener(Protocol):
    """A connection as a room sees it; hashable by identity."""

    @property
    def user_id(self) -> str:
        """Whose connection it is."""
        ...

    @property
    def write(self) -> Write:
        """Writes frames at once, past its queue: touching nothing else is what makes a large room cheap."""
        ...

    @property
    def apart(self) -> bool:
        """True where each frame has to go through `keep`: compressed, counted, or dropped."""
        ...

    def send(self, frame: bytes) -> None:
        """Queue a finished frame; it goes out in this turn of the loop."""

    def keep(self, frame: bytes) -> None:
        """Queue a finished frame; somebody will `flush`."""

    def flush(self) -> None:
        """Write what is queued."""


class Room:
    """The local members of one room: a `roomproof_server.engine.base.Sink`."""

    __slots__ = ("_aside", "_batch", "_due", "_hub", "_joining", "_members", "_stale", "name", "sent_at")

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub, self.name = hub, name
        # Every member, and what the batch is written by; who stands aside has `_nothing` here.
        self._members: dict[Listener, Write] = {}
        self._aside: dict[Listener, Callable[[bytes], None]] = {}
        self._batch: list[bytes] = []
        self._due: float | None = None  # when it is to go out
        self.sent_at = -CROWD_MS  # when the last one went out
        # While a join is being answered the room's frames wait here with their seq (section 9).
        self._joining: dict[Listener, list[tuple[int, bytes]]] = {}
        self._stale: set[Listener] = set()  # told to join again (ROOM-12)

    def hold(self, listener: Listener) -> None:
        """A join (or a join again) begins: keep the listener's frames back until `admit`."""
        self._part(listener)
        self._joining[listener] = []

    def admit(self, listener: Listener, frame: bytes, head: int, *, already: bool) -> None:
        """The join is answered by ``frame``, which speaks up to ``head``: the next is head + 1 (HIST-4).

        A new member has what is below in its answer; for an old one it comes before, or would be a hole. Who was
        told to join again is a new one in this (ROOM-12).
        """
        held = self._joining.pop(listener)
        stale = listener in self._stale
        self._stale.discard(listener)
        send = listener.send
        if already and not stale:
            for seq, early in held:
                if seq <= head:
                    send(early)
        send(frame)
        self._resume(listener, [item for item in held if item[0] > head])

    def refuse(self, listener: Listener, *, already: bool) -> None:
        """The join failed: who was a member stays one and misses nothing (ROOM-11)."""
        held = self._joining.pop(listener)
        if already and listener not in self._stale:
            self._resume(listener, held)
        self._hub.forget_if_empty(self)

    def drop(self, listener: Listener) -> None:
        """The listener is no member any more; nothing of this room is sent to it from now on (ROOM-6)."""
        self._part(listener)
        self._joining.pop(listener, None)
        self._stale.discard(listener)
        self._hub.forget_if_empty(self)

    def is_member(self, listener: Listener) -> bool:
        """Whether it gets the room's messages."""
        return listener in self._members

    def stand_aside(self, listener: Listener) -> None:
        """The next frame in the listener's own queue comes after all that the room has said so far."""
        if listener in self._members:
            self._set_aside(listener)
            if self._due is None:
                self._post(None, CROWD_MS)  # or it would stay there

    @property
    def size(self) -> int:
        """Local connections that are in it or on their way in."""
        return len(self._members) + len(self._joining) + len(self._stale - self._joining.keys())

    def message(self, entry: Entry) -> None:
        """Deliver the next message; the sender's own connections get it with its ``mid`` (MSG-15)."""
        hub = self._hub
        own = hub.listeners(entry.user)
        frame = hub.frame(entry.payload)
        own_frame = hub.frame(entry.own_payload()) if own and entry.mid is not None else frame
        counters = hub.counters
        counters.deliveries += len(self._members)
        counters.commit.observe(max(0, hub.wall() - entry.ts) / 1000)
        for listener in own:
            self._set_aside(listener)
        for listener, keep in self._aside.items():
            keep(own_frame if listener in own else frame)
        for listener, held in self._joining.items():
            if not _was_reset(held):
                held.append((entry.seq, own_frame if listener in own else frame))
        self._post(frame, BUSY_MS)

    def presence(self, event: PresenceEvent) -> None:
        """Tell everybody but the user it is about (PRES-2)."""
        frame = self._hub.encode_frame(
            {"type": "presence_event", "room": self.name, "event": event.event,
             "user": {"id": event.id, "name": event.name}, "count": event.count}
        )  # fmt: skip
        own = self._hub.listeners(event.id)
        for listener in own:
            self._set_aside(listener)
        for listener, keep in self._aside.items():
            if listener not in own:
                keep(frame)
        for listener in self._stale - own - self._joining.keys():
            listener.send(frame)
        for listener, held in self._joining.items():
            if listener not in own:
                held.insert(-1 if _was_reset(held) else len(held), (_AFTER, frame))
        self._post(frame, CROWD_MS)

    def reset(self, epoch: str, head: int, reason: Literal["epoch_changed", "gap"]) -> None:
        """Tell the members to join again, and no message of this room after it until they did (ROOM-12)."""
        frame = self._hub.encode_frame(
            {"type": "reset", "room": self.name, "epoch": epoch, "head": head, "reason": reason}
        )
        self._batch.append(frame)
        for keep in self._aside.values():
            keep(frame)
        self._write()
        self._stale.update(self._members)
        self._members, self._aside = {}, {}
        for held in self._joining.values():
            if not _was_reset(held):
                held.append((_RESET, frame))

    def _resume(self, listener: Listener, held: list[tuple[int, bytes]]) -> None:
        reset = _was_reset(held)
        for seq, frame in held:
            if not reset or seq >= _AFTER:  # `reset` stands for the messages before it
                listener.send(frame)
        if reset:
            self._stale.add(listener)
        else:
            # Aside, for the batch is from before it came, and its own queue is not written yet.
            self._members[listener] = _nothing
            self._aside[listener] = listener.keep
            if self._due is None:
                self._post(None, CROWD_MS)

    def _set_aside(self, listener: Listener) -> None:
        if listener in self._members and listener not in self._aside:
            self._members[listener] = _nothing
            self._aside[listener] = keep = listener.keep
            for frame in self._batch:
                keep(frame)

    def _part(self, listener: Listener) -> None:
        """No member from now on; what was said while it was one still reaches it."""
        self._set_aside(listener)
        self._members.pop(listener, None)
        if self._aside.pop(listener, None) is not None:
            listener.flush()

    def _post(self, frame: bytes | None, busy_ms: float) -> None:
        """Put a frame into the batch, which goes out now if nothing did for ``busy_ms``, else when they are over."""
        if frame is not None:
            self._batch.append(frame)
        now = self._hub.now()
        due = max(now, self.sent_at + busy_ms)
        if self._due is None or due < self._due:
            self._due = due
            self._hub.later(due - now, self._write_if_due)

    def _write_if_due(self) -> None:
        if self._due is None:
            return  # an earlier frame took this one along
        left = self._due - self._hub.now()
        if left < 1:
            self._write()
        else:  # a timer of before, or one that fires early
            self._hub.later(left, self._write_if_due)

    def _write(self) -> None:
        batch, self._batch, self._due = self._batch, [], None
        counters, aside = self._hub.counters, self._aside
        if batch:
            self.sent_at = self._hub.now()
            data = batch[0] if len(batch) == 1 else b"".join(batch)
            for write in self._members.values():
                try:
                    write(data)
                except RuntimeError:  # uvloop's word for a connection that is lost, before it tells of the loss
                    continue
            direct = len(self._members) - len(aside)
            counters.writes += direct
            counters.room_bytes += direct * len(data)
        for listener in list(aside):
            listener.flush()  # which may find it too slow, and end it
            if listener in aside and not listener.apart:
                del aside[listener]
                self._members[listener] = listener.write


def _nothing(data: bytes) -> None:
    """Writes for who stands aside."""


# Without a clock of its own a hub has rooms that are always quiet.
_leaping = count(0, 1_000).__next__


def _at_once(delay: float, call: Callable[[], None]) -> None:
    call()


def _no_tokens(token: str) -> Identity:
    raise ProtocolError("unsupported_auth", "this server takes no tokens")


def _was_reset(held: list[tuple[int, bytes]]) -> bool:
    return bool(held) and held[-1][0] == _RESET


class Hub:
    """All rooms with local members, and the connections of each user."""

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        *,
        frame: Framer,
        wall: Callable[[], int],
        now: Callable[[], float] = _leaping,
        later: Later = _at_once,
        verify: Verify | None = None,
    ) -> None:
        self.engine, self.settings, self.frame, self.wall = engine, settings, frame, wall
        self.now, self.later = now, later
        # With a check for tokens there are users who are no guests.
        self.schemes = (*(("guest", "resume_guest") if settings.guests else ()), *(("jwt",) if verify else ()))
        self.verify: Verify = verify or _no_tokens
        self.draining = False  # no hello is welcomed any more (DISC-5)
        window = settings.limits.per_address.guests if settings.limits.per_address else Window(0, 0)
        self.new_guests = Quotas(window.count, window.window_ms, most=MOST_ADDRESSES)
        self.counters = Counters()
        self._rooms: dict[str, Room] = {}
        self._users: dict[str, set[Listener]] = {}
        limits = settings.limits.advertised()
        self._greeting: Mapping[str, Any] = {
            "v": VERSION,
            "server": {"name": settings.name, "version": settings.version},
            "heartbeat": settings.heartbeat.advertised(),
            "limits": limits,
            "durability": engine.durability,
            "caps": [],
        }
        self._greeting_unlimited = {**self._greeting, "limits": {**limits, "per_address": None}}

    def greeting(self, *, limited: bool) -> Mapping[str, Any]:
        """What every ``welcome`` says; ``limited`` where the limits per address hold (RATE-14)."""
        return self._greeting if limited else self._greeting_unlimited

    def sweep(self, now: float) -> None:
        """Forget what is over; called several times a second."""
        self.new_guests.sweep(now)

    def encode_frame(self, message: Mapping[str, Any]) -> bytes:
        """A message as a finished text frame."""
        return self.frame(encode_plain(message))

    @property
    def rooms(self) -> int:
        """How many rooms have a local connection."""
        return len(self._rooms)

    @property
    def users(self) -> int:
        """How many users have a local connection."""
        return len(self._users)

    def room(self, name: str) -> Room:
        """The local room, subscribed to from the first time on."""
        room = self._rooms.get(name)
        if room is None:
            room = self._rooms[name] = Room(self, name)
            self.engine.subscribe(name, room)
        return room

    def forget_if_empty(self, room: Room) -> None:
        """Unsubscribe from a room without local connections."""
        if not room.size and self._rooms.get(room.name) is room:
            del self._rooms[room.name]
            self.engine.unsubscribe(room.name)

    def listeners(self, user_id: str) -> frozenset[Listener] | set[Listener]:
        """The user's connections on this node."""
        return self._users.get(user_id, frozenset())

    def enrol(self, listener: Listener) -> bool:
        """Count a connection of a user; False when ``conns_per_user`` are there already (LIMIT-2)."""
        if len(self.listeners(listener.user_id)) >= self.settings.limits.conns_per_user:
            return False
        self._users.setdefault(listener.user_id, set()).add(listener)
        return True

    def strike(self, listener: Listener) -> None:
        """The connection is over."""
        listeners = self._users.get(listener.user_id)
        if listeners is not None:
            listeners.discard(listener)
            if not listeners:
                del self._users[listener.user_id]
