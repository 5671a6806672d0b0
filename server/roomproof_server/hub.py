"""One node's rooms and users: who gets which frame.

A room message is encoded once and framed once, and the same bytes go to every member. It must not know
sockets: a listener is anything with a user and a `send` for finished frames.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

from roomproof_protocol import VERSION, ProtocolError, Window, encode
from roomproof_server.counters import Counters
from roomproof_server.engine.base import Engine
from roomproof_server.rules.identity import Identity, Verify
from roomproof_server.rules.limiter import MOST_ADDRESSES, Quotas
from roomproof_server.rules.presence import PresenceEvent
from roomproof_server.rules.stream import Entry
from roomproof_server.settings import Settings

logger = logging.getLogger("roomproof.server")

Framer = Callable[[bytes], bytes]
_AFTER = 2**53  # in place of a seq, for frames without one: behind every message
_RESET = 2**53 + 1


class Listener(Protocol):
    """A connection as a room sees it; hashable by identity."""

    @property
    def user_id(self) -> str:
        """Whose connection it is."""
        ...

    def send(self, frame: bytes) -> None:
        """Queue a finished frame."""


class Room:
    """The local members of one room: a `roomproof_server.engine.base.Sink`."""

    __slots__ = ("_hub", "_joining", "_members", "_stale", "name")

    def __init__(self, hub: Hub, name: str) -> None:
        self._hub, self.name = hub, name
        self._members: dict[Listener, Callable[[bytes], None]] = {}
        # While a join is being answered the room's frames wait here with their seq (section 9).
        self._joining: dict[Listener, list[tuple[int, bytes]]] = {}
        self._stale: set[Listener] = set()  # told to join again (ROOM-12)

    def hold(self, listener: Listener) -> None:
        """A join (or a join again) begins: keep the listener's frames back until `admit`."""
        self._members.pop(listener, None)
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
        self._members.pop(listener, None)
        self._joining.pop(listener, None)
        self._stale.discard(listener)
        self._hub.forget_if_empty(self)

    @property
    def size(self) -> int:
        """Local connections that are in it or on their way in."""
        return len(self._members) + len(self._joining) + len(self._stale - self._joining.keys())

    def message(self, entry: Entry) -> None:
        """Deliver the next message; the sender's own connections get it with its ``mid`` (MSG-15)."""
        own = self._hub.listeners(entry.user) if entry.mid is not None else frozenset()
        frame = self._hub.frame(entry.payload)
        counters = self._hub.counters
        counters.deliveries += len(self._members)
        counters.commit.observe(max(0, self._hub.wall() - entry.ts) / 1000)
        own_frame = self._hub.frame(entry.own_payload()) if own else frame
        if own:
            for listener, send in self._members.items():
                send(own_frame if listener in own else frame)
        else:
            for send in self._members.values():
                send(frame)
        for listener, held in self._joining.items():
            if not _was_reset(held):
                held.append((entry.seq, own_frame if listener in own else frame))

    def presence(self, event: PresenceEvent) -> None:
        """Tell everybody but the user it is about (PRES-2)."""
        frame = self._hub.encode_frame(
            {"type": "presence_event", "room": self.name, "event": event.event,
             "user": {"id": event.id, "name": event.name}, "count": event.count}
        )  # fmt: skip
        own = self._hub.listeners(event.id)
        for listener, send in self._members.items():
            if listener not in own:
                send(frame)
        for listener in self._stale - own - self._joining.keys():
            listener.send(frame)
        for listener, held in self._joining.items():
            if listener not in own:
                held.insert(-1 if _was_reset(held) else len(held), (_AFTER, frame))

    def reset(self, epoch: str, head: int, reason: Literal["epoch_changed", "gap"]) -> None:
        """Tell the members to join again, and no message of this room after it until they did (ROOM-12)."""
        frame = self._hub.encode_frame(
            {"type": "reset", "room": self.name, "epoch": epoch, "head": head, "reason": reason}
        )
        members, self._members = self._members, {}
        for send in members.values():
            send(frame)
        self._stale.update(members)
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
            self._members[listener] = listener.send


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
        verify: Verify | None = None,
    ) -> None:
        self.engine, self.settings, self.frame, self.wall = engine, settings, frame, wall
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
        return self.frame(encode(message))

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
