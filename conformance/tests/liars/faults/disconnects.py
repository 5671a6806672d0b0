"""Faults of ends: closing, losses, stops, and what a client that does not read does to others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from websockets.frames import Close, Frame, Opcode

from roomproof_protocol import CLOSES
from roomproof_server.engine.memory import MemoryEngine
from roomproof_server.engine.sqlite import SqliteEngine
from roomproof_server.hub import Room
from roomproof_server.rules.session import Session
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.server import Server
from roomproof_server.shell.wire import Wire

from .errors import fail_with
from .lying import instead_of, left_out, liar


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
        if any(listener._port.congested for listener in room._members):
            slow.add(room.name)
        if room.name not in slow:
            honest(room, entry)
            return
        for listener in room._members:
            late(listener.send)(room._hub.frame(entry.payload))
        with left_out(room, room._members):
            honest(room, entry)


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


@liar
def disc_2_two_hang_the_room() -> None:
    """When two members of a room are reset at the same moment, nobody hears anything in it any more."""
    lost: dict[Any, float] = {}
    hung: set[Any] = set()

    @instead_of(Connection, "connection_lost")
    def connection_lost(honest: Callable[..., None], self: Any, exc: Exception | None) -> None:
        now = time.monotonic()
        for room in self._session._rooms.values() if exc is not None and self._session is not None else ():
            if now - lost.get(room, 0.0) < 0.05:
                hung.add(room)
            lost[room] = now
        honest(self, exc)

    @instead_of(Room, "message")
    def message(honest: Callable[..., None], room: Any, entry: Any) -> None:
        if room not in hung:
            honest(room, entry)


@liar
def disc_4_closes_1003() -> None:
    """Invalid UTF-8 closes with 1003, which the protocol has no use for."""
    fail_with(1007, 1003)


@liar
def disc_5_no_notice() -> None:
    """Nobody is told that the server is going away."""

    @instead_of(Session, "draining")
    def draining(honest: Callable[..., None], self: Any, reconnect_after_ms: int) -> None:
        pass


@liar
def disc_5_takes_newcomers() -> None:
    """Handshakes are completed while the server is going away."""

    @instead_of(Server, "refusal")
    def refusal(honest: Callable[..., Any], self: Any, client: Any) -> Any:
        return None if self.hub.draining else honest(self, client)


@liar
def disc_5_deaf_at_once() -> None:
    """While the server is going away it answers nothing."""

    @instead_of(Session, "receive")
    def receive(honest: Callable[..., None], self: Any, *args: Any) -> None:
        if not self._hub.draining:
            honest(self, *args)


@liar
def disc_5_same_time_for_all() -> None:
    """All are told to come back after the same time."""

    @instead_of(Connection, "draining")
    def draining(honest: Callable[..., bool], self: Any, reconnect_after_ms: int) -> bool:
        return honest(self, 500)


@liar
def disc_5_all_at_once() -> None:
    """All are closed in the same moment, when the drain window is over."""

    @instead_of(Server, "_turn")
    def turn(honest: Callable[..., None], self: Any) -> None:
        self._parting.clear()
        honest(self)


@liar
def disc_5_closes_1000() -> None:
    """Who is sent away is closed as if all had gone well: 1000."""

    @instead_of(Connection, "close")
    def close(honest: Callable[..., None], self: Any, code: int, reason: str, *args: Any) -> None:
        honest(self, *((1000, CLOSES[1000].reason()) if code == 1001 else (code, reason)), *args)


@liar
def disc_5_two_hang_the_stop() -> None:
    """With two members in one room a graceful stop never comes to its end."""

    @instead_of(Server, "drain")
    async def drain(honest: Callable[..., Any], self: Any) -> None:
        if any(room.size > 1 for room in self.hub._rooms.values()):
            await asyncio.sleep(3600)
        await honest(self)


@liar
def disc_6_drain_not_kept() -> None:
    """What is said while the server is going away is acknowledged and not stored."""
    going = False

    @instead_of(Server, "drain")
    async def drain(honest: Callable[..., Any], self: Any) -> None:
        nonlocal going
        going = True
        await honest(self)

    @instead_of(SqliteEngine, "_keep")
    def keep(honest: Callable[..., None], self: Any, state: Any, entry: Any) -> None:
        if going:
            MemoryEngine._keep(self, state, entry)
        else:
            honest(self, state, entry)


@liar
def disc_7_drops_silently() -> None:
    """Messages are left out for a client that does not keep up, which is never let go."""

    @instead_of(Connection, "keep")
    def keep(honest: Callable[..., None], self: Any, frame: bytes) -> None:
        if not (self.congested and b'"type":"message"' in frame[:40]):
            honest(self, frame)


@liar
def disc_10_answers_all() -> None:
    """Requests are carried out however much waits for the client."""

    @instead_of(Connection, "congested")
    def congested(honest: Callable[..., bool], self: Any) -> bool:
        return False


@liar
def disc_11_waits_for_client() -> None:
    """After its own Close the server leaves it to the client to end TCP."""

    @instead_of(Connection, "_overdue")
    def overdue(honest: Callable[..., None], self: Any) -> None:
        if self._closing and self._wire.close_rcvd is None:
            self._end_in(60_000)
        else:
            honest(self)
