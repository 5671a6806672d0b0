"""Faults of the heartbeat: signs of life that are not sent, not heard, or taken for membership."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from websockets.frames import Frame, Opcode

from roomproof_protocol import Heartbeat as Times
from roomproof_server.rules.heartbeat import Heartbeat
from roomproof_server.rules.session import Session
from roomproof_server.shell.connection import Connection
from roomproof_server.shell.server import Server
from roomproof_server.shell.wire import Wire

from .lying import instead_of, liar


def _never(beat: str) -> None:
    @instead_of(Heartbeat, "due")
    def due(honest: Callable[..., list[str]], self: Any, now: float) -> list[str]:
        return [due for due in honest(self, now) if due != beat]


@liar
def beat_1_no_ping() -> None:
    """No Ping is ever sent."""
    _never("ping")


@liar
def beat_4_keeps_dead() -> None:
    """A dead client is kept for ever."""
    _never("dead")


@liar
def beat_3_no_tick() -> None:
    """An idle client gets no tick."""
    _never("tick")


@liar
def beat_3_ticks_always() -> None:
    """Ticks come in a busy room too."""

    @instead_of(Connection, "flush")
    def flush(honest: Callable[..., None], self: Any) -> None:
        before = self._beat and self._beat.sent_at
        honest(self)
        if self._beat is not None:
            self._beat.sent_at = before

    @instead_of(Session, "last_sent")
    def last_sent(honest: Callable[..., float], self: Any) -> float:
        return 0.0


@liar
def beat_5_pongs_are_nothing() -> None:
    """A client that only answers Pings is taken for dead."""

    @instead_of(Wire, "events_received")
    def events_received(honest: Callable[..., list[Any]], self: Any) -> list[Any]:
        return [e for e in honest(self) if not (isinstance(e, Frame) and e.opcode is Opcode.PONG)]


@liar
def beat_6_only_pongs() -> None:
    """A client that sends frames and does not answer Pings is taken for dead."""
    heard: dict[Any, float] = {}
    ponged = False

    @instead_of(Wire, "events_received")
    def events_received(honest: Callable[..., list[Any]], self: Any) -> list[Any]:
        nonlocal ponged
        events = honest(self)
        ponged = any(isinstance(e, Frame) and e.opcode is Opcode.PONG for e in events)
        return events

    def set_heard(self: Any, now: float) -> None:
        if ponged or self not in heard:
            heard[self] = now

    assert "heard_at" in Heartbeat.__slots__
    setattr(Heartbeat, "heard_at", property(heard.__getitem__, set_heard))  # noqa: B010 - a slot, for type checkers


@liar
def beat_5_evicts_silent() -> None:
    """Who says nothing for a while is no member any more, although the socket stays open."""
    spoke: dict[Any, float] = {}

    @instead_of(Session, "receive")
    def receive(honest: Callable[..., None], self: Any, data: Any, now: float) -> None:
        spoke[self] = now
        honest(self, data, now)

    @instead_of(Connection, "_on_beat")
    def on_beat(honest: Callable[..., Any], self: Any, now: float) -> Any:
        session, beat = self._session, self._server.settings.heartbeat
        if session in spoke and now - spoke[session] > 2 * (beat.interval_ms + beat.timeout_ms):
            for room in session._rooms.values():
                room.drop(session)
        return honest(self, now)


@liar
def beat_2_other_payload() -> None:
    """A Pong carries the server's own payload."""

    @instead_of(Wire, "recv_frame")
    def recv_frame(honest: Callable[..., None], self: Any, frame: Frame) -> None:
        honest(self, Frame(Opcode.PING, b"pong") if frame.opcode is Opcode.PING else frame)


@liar
def beat_2_no_pong_request() -> None:
    """The request `ping` is answered after two seconds only."""

    @instead_of(Session, "_reply")
    def reply(honest: Callable[..., None], self: Any, kind: str, request: Any, **members: Any) -> None:
        later = functools.partial(honest, self, kind, request, **members)
        if kind == "pong":
            asyncio.get_running_loop().call_later(2.0, later)
        else:
            later()


@liar
def beat_4_full_buffers() -> None:
    """A dead client is kept as long as anything waits for it."""

    @instead_of(Connection, "_on_beat")
    def on_beat(honest: Callable[..., Any], self: Any, now: float) -> Any:
        if self._beat is not None and self._transport.get_write_buffer_size():
            self._beat.heard_at = now
        return honest(self, now)


@liar
def beat_4_closes_1000() -> None:
    """A dead client is closed as if all had gone well: 1000."""

    @instead_of(Connection, "close")
    def close(honest: Callable[..., None], self: Any, code: int, *args: Any) -> None:
        honest(self, 1000 if code == 4001 else code, *args)


@liar
def beat_8_not_while_busy() -> None:
    """No Ping is sent to a client that other frames flow to."""

    @instead_of(Heartbeat, "due")
    def due(honest: Callable[..., list[str]], self: Any, now: float) -> list[str]:
        busy = now - self.sent_at < self._interval / 2
        return [beat for beat in honest(self, now) if not (busy and beat == "ping")]


@liar
def beat_9_together() -> None:
    """The first Pings of all connections come a full interval after welcome."""

    @instead_of(Heartbeat, "__init__")
    def init(
        honest: Callable[..., None], self: Any, interval: float, timeout: float, now: float, spread: float
    ) -> None:
        honest(self, interval, timeout, now, 1.0)


def _times(change: Callable[[Times], Times]) -> None:
    """Another heartbeat than the one that was asked for."""

    @instead_of(Server, "__init__")
    def init(honest: Callable[..., None], self: Any, settings: Any, engine: Any = None) -> None:
        honest(self, replace(settings, heartbeat=change(settings.heartbeat)), engine)


@liar
def beat_7_two_seconds_least() -> None:
    """Interval and timeout of the heartbeat cannot be set below two seconds."""
    _times(lambda asked: Times(max(2000, asked.interval_ms), max(2000, asked.timeout_ms)))


@liar
def beat_7_slow_by_default() -> None:
    """Unless it is set, the interval of the heartbeat is thirty seconds."""
    _times(lambda asked: replace(asked, interval_ms=30_000) if asked == Times() else asked)


@liar
def beat_8_deaf_while_busy() -> None:
    """Pongs of a client that other frames flow to are not heard."""
    busy = False

    @instead_of(Connection, "buffer_updated")
    def updated(honest: Callable[..., None], self: Any, nbytes: int) -> None:
        nonlocal busy
        beat = self._beat
        busy = beat is not None and self._server.now() - beat.sent_at < beat._interval / 2
        honest(self, nbytes)

    @instead_of(Wire, "events_received")
    def events_received(honest: Callable[..., list[Any]], self: Any) -> list[Any]:
        return [e for e in honest(self) if not (busy and isinstance(e, Frame) and e.opcode is Opcode.PONG)]
