"""One client's connection as an `asyncio.Protocol`: bytes between the transport, the wire and the session.

It has no task and no timer of its own: writes are gathered and go out once per turn of the loop, deadlines
stand in the server's wheel. It must not know what messages mean.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from typing import TYPE_CHECKING

from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN

from roomproof_protocol import CLOSES
from roomproof_server.rules.heartbeat import Heartbeat
from roomproof_server.rules.session import Session
from roomproof_server.shell.wire import Wire

if TYPE_CHECKING:
    from roomproof_server.shell.server import Server

FAREWELL_MS = 1_000  # for carrying out what came before the client's Close; DISC-1 leaves 2 s in all


class Connection(asyncio.Protocol):
    """Implements `roomproof_server.rules.session.Port` and `roomproof_server.shell.wheel.Timed`."""

    __slots__ = (
        "_beat", "_closing", "_deadline", "_drained", "_leaving", "_out", "_parts", "_pending", "_reading",
        "_server", "_session", "_stuffed", "_transport", "_wire", "_written", "slot",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self._server = server
        self._wire = Wire(server.settings.limits.frame_bytes, server.settings.origins)
        self._session: Session | None = None  # from the handshake on
        self._beat: Heartbeat | None = None  # from welcome on
        self._parts: list[bytes] = []  # of a fragmented message
        self._out: list[bytes] = []  # of this turn of the loop
        self._pending = self._written = self._drained = 0  # bytes: in _out, ever written, of those taken by the kernel
        self._stuffed = False  # the transport holds more than a quarter of queue_bytes
        self._reading = True
        self._leaving: Close | None = None  # the client's Close, while what came before it is still carried out
        self._closing = False  # our last frame is queued
        self._deadline = 0.0
        self.slot = 0

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        quarter = self._server.settings.limits.queue_bytes // 4
        transport.set_write_buffer_limits(high=quarter, low=quarter // 2)
        self._server.connections.add(self)
        self._end_in(self._server.settings.handshake_ms)

    def data_received(self, data: bytes) -> None:
        wire = self._wire
        wire.receive_data(data)
        events = wire.events_received()
        if events and self._beat is not None:
            self._beat.heard_at = self._server.now()
        for event in events:
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, Request) and not wire.eof_sent and wire.respond(event):
                self._opened()
        if self._leaving is not None:
            self._farewell()
        else:
            self._take_wire()
        self._regulate()

    def eof_received(self) -> bool:
        self._lost(clean=False)
        return False  # the transport writes what it has and closes

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(clean=False)
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        self._stuffed = True

    def resume_writing(self) -> None:
        self._stuffed = False
        # Not from inside the write that drained it: rooms may be going through their members.
        self._server.loop.call_soon(self._regulate)

    # Port

    @property
    def congested(self) -> bool:
        return self._stuffed or self._pending > self._server.settings.limits.queue_bytes // 4

    def send(self, frame: bytes) -> None:
        if self._closing:
            return
        if not self._out:
            self._server.flush_later(self)
        self._out.append(frame)
        self._pending += len(frame)

    def welcomed(self) -> None:
        beat = self._server.settings.heartbeat
        self._beat = Heartbeat(beat.interval_ms, beat.timeout_ms, self._server.now(), random.random())
        self._server.wheel.at(self._beat.next(), self)

    def close(self, code: int, reason: str, within: float | None = None) -> None:
        if self._closing:
            return
        if self._session is not None:
            self._session.end(clean=False)
        if self._wire.state is OPEN:
            self._wire.send_close(code, reason)
        self._leaving = None
        self._take_wire()
        self._end_in(self._server.settings.close_ms if within is None else within)

    # What the server calls

    def flush(self) -> None:
        """Write what this turn of the loop gathered, in one piece."""
        out = self._out
        if not out or self._transport.is_closing():
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        self._pending = 0
        self._written += len(data)
        self._transport.write(data)
        if self._beat is not None:
            self._beat.sent_at = self._server.now()
        if self._transport.get_write_buffer_size() > self._server.settings.limits.queue_bytes and not self._closing:
            # It gets all that is queued, without a hole, and the reason, if it reads now; nothing more (DISC-7).
            self.close(4002, CLOSES[4002].reason(), self._server.settings.drain_ms)

    def on_timer(self, now: float) -> float | None:
        if self._transport.is_closing() and not self._transport.get_write_buffer_size():
            return None
        if self._deadline:
            if now < self._deadline:
                return self._deadline
            return self._overdue()
        assert self._beat is not None
        return self._beat_due(self._beat, now)

    # Inside

    def _opened(self) -> None:
        self._session = Session(self._server.hub, self, secrets.token_hex(8), self._server.now())
        self._end_in(self._server.settings.limits.hello_ms)

    def _frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._leaving = self._wire.close_rcvd
            self._end_in(FAREWELL_MS)
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY) and not frame.fin:
            self._parts = [bytes([frame.opcode]), frame.data]
        elif frame.opcode is Opcode.CONT and not frame.fin:
            self._parts.append(frame.data)
        elif frame.opcode is Opcode.CONT:
            opcode, *parts = self._parts
            self._parts = []
            self._message(Opcode(opcode[0]), b"".join([*parts, frame.data]))
        elif frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._message(frame.opcode, frame.data)

    def _message(self, opcode: Opcode, data: bytes) -> None:
        if self._session is None or self._closing:
            return
        text = None
        if opcode is Opcode.TEXT:
            try:
                text = data.decode()  # the sans-I/O core leaves UTF-8 to us
            except UnicodeDecodeError:
                self._wire.fail(1007)
                return
        self._session.receive(text, self._server.now())

    def _regulate(self) -> None:
        """Carry out what was held back, and read on only when nothing is (DISC-10)."""
        if self._session is None or self._transport.is_closing():
            return
        self._session.pump()
        if self._leaving is not None:
            self._farewell()
        reading = not self._session.waiting or self._leaving is not None
        if reading != self._reading:
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _farewell(self, *, force: bool = False) -> None:
        """Echo the client's Close once everything that came before it has taken effect (DISC-9, DISC-12)."""
        assert self._leaving is not None
        if self._session is not None:
            self._session.pump(force=force)
            if (self._session.waiting or self._session.busy) and not force:
                return
            self._session.end(clean=self._leaving.code == 1000)
        self._leaving = None
        self._take_wire()

    def _take_wire(self) -> None:
        """Queue what the wire has to say; after its Close or refusal nothing else goes out."""
        wire = self._wire
        for data in wire.data_to_send():
            if data:
                self.send(data)
            else:
                self._end_of_stream()
        if wire.close_sent is not None:
            self._closing = True

    def _end_of_stream(self) -> None:
        """The wire is done: end our half, give the client a moment to end the other, keep reading till then."""
        self._lost(clean=False)
        self.flush()
        self._closing = True
        if not self._transport.is_closing() and self._transport.can_write_eof():
            self._transport.write_eof()
        self._end_in(self._server.settings.drain_ms)

    def _lost(self, *, clean: bool) -> None:
        if self._session is not None:
            self._session.end(clean=clean)

    def _end_in(self, delay: float) -> None:
        self._deadline = self._server.now() + delay
        self._server.wheel.at(self._deadline, self)
