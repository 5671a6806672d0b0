"""Faults of ends: closing, losses, and what a client that does not read does to others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.frames import Close, Frame, Opcode

from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.hub import Room
from roomproof_server.rules.session import Session
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.wire import Wire

from .lying import instead_of, liar


@liar
def disc_1_keeps_tcp() -> None:
    """A Close is answered, and the TCP connection left open."""

    @instead_of(Connection, "_end_of_stream")
    def end_of_stream(honest: Callable[..., None], self: Any) -> None:
        self._end_session()
        self.flush()
        self._closing = True
        self._end_in(4_000)


@liar
def disc_2_error_to_others() -> None:
    """When a client is lost, the others in its rooms get an error."""

    @instead_of(Session, "end")
    def end(honest: Callable[..., None], self: Any, *, clean: bool) -> None:
        if not clean and not self._ended:
            error = {"type": "error", "re": None, "code": "internal", "message": "a write failed",
                     "fatal": False, "retryable": True}  # fmt: skip
            for room in self._rooms.values():
                for listener in room._members.keys() - {self}:
                    listener.send(self._hub.encode_frame(error))
        honest(self, clean=clean)


@liar
def disc_3_ghosts() -> None:
    """Who was lost stays in the room for ever."""

    @instead_of(MemoryEngine, "leave")
    def leave(honest: Callable[..., None], self: Any, room: str, member: Any, *, linger: bool) -> None:
        if not linger:
            honest(self, room, member, linger=linger)


@liar
def disc_9_close_first() -> None:
    """What comes in one write with a Close is not carried out."""

    @instead_of(Wire, "events_received")
    def events_received(honest: Callable[..., list[Any]], self: Any) -> list[Any]:
        events = honest(self)
        closing = any(isinstance(e, Frame) and e.opcode is Opcode.CLOSE for e in events)
        return [e for e in events if not (closing and isinstance(e, Frame) and e.opcode is Opcode.TEXT)]


@liar
def disc_8_waits_for_slowest() -> None:
    """As soon as one member does not read, all members get every message three seconds late."""
    slow: set[str] = set()

    def late(send: Callable[[bytes], None]) -> Callable[[bytes], object]:
        return lambda frame: asyncio.get_running_loop().call_later(3.0, send, frame)

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        members = room._members
        if any(listener._port.congested for listener in members):
            slow.add(room.name)
        if room.name in slow:
            room._members = {listener: late(send) for listener, send in members.items()}
        honest(room, entry)
        room._members = members


@liar
def disc_7_endless_queue() -> None:
    """A client that does not read is kept, however much waits for it."""

    @instead_of(Connection, "close")
    def close(honest: Callable[..., None], self: Any, code: int, *args: Any) -> None:
        if code != 4002:
            honest(self, code, *args)


@liar
def disc_12_echoes_1000() -> None:
    """Every Close is answered with 1000."""

    @instead_of(Wire, "send_frame")
    def send_frame(honest: Callable[..., None], self: Any, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE and self.close_rcvd is not None:
            frame = Frame(Opcode.CLOSE, Close(1000, "").serialize())
        honest(self, frame)
