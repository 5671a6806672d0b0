"""Faults of a service that loses what it holds, or one of its nodes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roomproof_server.hub import Room
from roomproof_server.rules.session import Session
from roomproof_server.shell.connection import Connection

from .lying import instead_of, liar

RELAY = "127.0.0.2"
"""The address from which the second node of `node.py` reaches the first."""


@liar
def room_12_goes_on() -> None:
    """After a reset messages of the room go on for members who have not joined again."""

    @instead_of(Room, "reset")
    def reset(honest: Callable[..., None], room: Any, *args: Any) -> None:
        members = {listener: listener.write for listener in room._members}
        honest(room, *args)
        room._members.update(members)
        room._stale.difference_update(members)


@liar
def room_12_puts_out() -> None:
    """A reset ends the membership of everybody in the room."""

    @instead_of(Room, "reset")
    def reset(honest: Callable[..., None], room: Any, *args: Any) -> None:
        listeners = list(room._members)
        honest(room, *args)
        for listener in listeners:
            if isinstance(listener, Session):
                room._stale.discard(listener)
                listener._rooms.pop(room.name, None)
                room._hub.engine.leave(room.name, listener._me, linger=False)


@liar
def pres_6_remembers() -> None:
    """Users of a node that was killed are listed for ever."""

    @instead_of(Connection, "_end_session")
    def end_session(honest: Callable[..., None], connection: Any, *args: Any, **options: Any) -> None:
        if connection._peer_address() != RELAY:
            honest(connection, *args, **options)
