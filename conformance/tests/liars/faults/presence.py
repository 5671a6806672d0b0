"""Faults of presence: who is listed, who is told, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Room
from roomproof_server.rules.presence import Presence, PresenceEvent

from .lying import instead_of, liar


@liar
def pres_1_lists_connections() -> None:
    """A user is listed once for each connection."""

    @instead_of(Presence, "members")
    def members(honest: Callable[..., Any], self: Any) -> Iterator[tuple[str, str]]:
        return ((who, user.name) for who, user in self._users.items() for _ in user.connections or [""])


@liar
def pres_2_tells_self() -> None:
    """Who joins is told of it as well."""

    @instead_of(Room, "presence")
    def presence(honest: Callable[..., None], room: Any, event: Any) -> None:
        honest(room, event)
        frame = room._hub.encode_frame(
            {"type": "presence_event", "room": room.name, "event": event.event,
             "user": {"id": event.id, "name": event.name}, "count": event.count}
        )  # fmt: skip
        for listener in room._members.keys() & room._hub.listeners(event.id):
            listener.send(frame)


@liar
def pres_2_every_connection() -> None:
    """Each connection of a user is announced."""

    @instead_of(Presence, "enter")
    def enter(honest: Callable[..., Any], self: Any, user_id: str, name: str, connection: str) -> Any:
        return honest(self, user_id, name, connection) or PresenceEvent("join", user_id, name, self.count)


@liar
def pres_3_grace_for_leavers() -> None:
    """Who leaves is shown for twice the grace of one who was lost."""

    @instead_of(Presence, "leave")
    def leave(honest: Callable[..., Any], self: Any, *who: Any, linger: bool, now: float) -> Any:
        return honest(self, *who, linger=True, now=now if linger else now + self._grace)


@liar
def pres_3_no_grace() -> None:
    """Who is lost is shown gone at once."""

    @instead_of(MemoryEngine, "leave")
    def leave(honest: Callable[..., None], *args: Any, linger: bool) -> None:
        honest(*args, linger=False)


@liar
def pres_4_takes_seq() -> None:
    """A presence event uses up a seq."""

    @instead_of(MemoryEngine, "_tell")
    def tell(honest: Callable[..., None], state: Any, event: Any) -> None:
        if event is not None:
            state.stream.head += 1
        honest(state, event)


@liar
def pres_2_no_leave() -> None:
    """Nobody is told when somebody leaves."""

    @instead_of(Room, "presence")
    def presence(honest: Callable[..., None], room: Any, event: Any) -> None:
        if event.event == "join":
            honest(room, event)


@liar
def pres_5_never_counts_down() -> None:
    """In a room above `presence_max` who goes is counted on."""
    most: dict[str, int] = {}

    @instead_of(MemoryEngine, "present")
    def present(honest: Callable[..., None], self: Any, room: str, limit: int, done: Callable[[Any], None]) -> None:
        def told(result: Any) -> None:
            if result.count > limit:
                most[room] = max(most.get(room, 0), result.count)
            done(replace(result, count=max(most.get(room, 0), result.count)))

        honest(self, room, limit, told)


@liar
def pres_7_join_late() -> None:
    """That somebody joined is told 0.3 s later."""

    @instead_of(Room, "presence")
    def presence(honest: Callable[..., None], room: Any, event: Any) -> None:
        if event.event == "join":
            asyncio.get_running_loop().call_later(0.3, honest, room, event)
        else:
            honest(room, event)
