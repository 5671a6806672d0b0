"""One client's connection as an `asyncio.Protocol`: bytes between the transport, the wire and the session.

In: all that one read brings goes through the library's sans-I/O core (`Wire`), and each whole message to the
session. Out: there are two ways to the transport. What is meant for this client alone waits in its queue and goes
out in one write at the end of the turn. A room's batch, the same bytes for all members, is written straight to
their transports (`write`) and touches nothing here. That is right only while the transport keeps up and no frame is
to be dropped or compressed: else the connection stands `apart`, and everything goes through its queue, where it is
counted against ``queue_bytes``.

It has no task and no timer of its own: deadlines stand in the server's wheel. It must not know what messages mean.
"""

from __future__ import annotations

import asyncio
import http
import logging
import random
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import CONNECTING, OPEN

from roomproof_protocol import CLOSES
from roomproof_server.rules.address import Client
from roomproof_server.rules.heartbeat import Heartbeat
from roomproof_server.rules.limiter import FrameBucket
from roomproof_server.rules.session import FLOOD_WAIT_MS, Session
from roomproof_server.shell.log import tell
from roomproof_server.shell.wire import DATA, Wire

if TYPE_CHECKING:
    from roomproof_server.shell.deflate import Deflater
    from roomproof_server.shell.server import Server

FAREWELL_MS = 1_000  # for carrying out what came before the client's Close; DISC-1 leaves 2 s in all
WATCH_MS = 500  # how often a client we do not read from is looked at for progress
# Frames of RFC 6455 on one connection, apart from the quota on messages: enough for the largest message in
# fragments of one byte, too little to keep a node busy with Pings.
FRAME_RATE, FRAME_BURST = 500, 8192

PING = Frame(Opcode.PING, b"").serialize(mask=False)


class Connection(asyncio.BufferedProtocol):
    """Implements `roomproof_server.rules.session.Port` and `roomproof_server.shell.wheel.Timed`."""

    __slots__ = (
        "_beat", "_client", "_closing", "_deadline", "_deflate", "_drained", "_eof", "_frames", "_leaving",
        "_opcode", "_out", "_owed", "_owed_until", "_part", "_peak", "_pending", "_reading", "_server",
        "_session", "_since", "_soon", "_stuffed", "_transport", "_why", "_wire", "received", "slot",
        "written",
    )  # fmt: skip

    _transport: asyncio.Transport

    def __init__(self, server: Server) -> None:
        self._server, settings = server, server.settings
        self._wire = Wire(
            settings.limits.frame_bytes,
            settings.origins,
            server.pages,
            compression=settings.compression,
        )
        self._session: Session | None = None  # from the handshake on
        self._beat: Heartbeat | None = None  # from welcome on
        # The fragmented message that is under way.
        self._opcode = Opcode.CONT
        self._part = bytearray()
        # The queue, how many bytes of it are application frames, and whether it is written at the end of this turn.
        self._out: list[bytes] = []
        self._pending = 0
        self._soon = False
        # Bytes given to the transport from here; those it had got rid of when last looked at; those read.
        self.written = self._drained = self.received = 0
        self._peak = 0  # the most that ever waited in the transport
        # The last large reply: its bytes, and where in all that is written it ends.
        self._owed = self._owed_until = 0
        self._stuffed = False  # the transport holds more than a quarter of queue_bytes
        self._reading = True
        self._eof = False  # the client ended its half
        self._leaving: Close | None = None  # its Close, while what came before is still carried out
        self._closing = False  # our last frame is queued
        self._deadline = 0.0  # of the handshake, of hello, or of a close; 0 while heartbeats rule
        self._since = 0.0  # when it became a WebSocket
        self._why = ""  # it was cut off, for the log
        self._frames: FrameBucket | None = None
        self._deflate: Deflater | None = None
        self._client: Client | None = None  # from the handshake on
        self.slot = 0

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport = cast("asyncio.Transport", transport)  # which uvloop's does not subclass
        if not self._server.has_room():
            transport.abort()
            return
        quarter = self._server.settings.limits.queue_bytes // 4
        transport.set_write_buffer_limits(high=quarter, low=quarter // 2)
        self._server.connections.add(self)
        self._end_in(self._server.settings.handshake_ms)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._server.buffer

    def buffer_updated(self, nbytes: int) -> None:
        wire = self._wire
        self.received += nbytes
        wire.receive_data(bytes(self._server.buffer[:nbytes]))
        if self._frames is None:
            wire.check_head(self.received)
        events = wire.events_received()
        if events:
            now = self._server.now()
            if self._beat is not None:
                self._beat.heard_at = now
            if self._frames is not None and not self._frames.take(now, len(events)):
                self._flood()
                return
        for event in events:
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, Request) and not wire.eof_sent:
                self._respond(event)
        if self._leaving is None:
            self._take_wire()
        self._regulate()

    def eof_received(self) -> bool:
        self._eof = True
        if self._leaving is not None:
            return True  # `_farewell` closes
        self._end_session()
        self.flush()
        self._end_in(self._server.settings.linger_ms)
        return False  # the transport writes what it has and closes

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._end_session()
        self._tell_end()
        if self._client is not None:
            self._server.addresses.leave(self._client)
        self._session = self._beat = None
        self._deadline = 0.0
        self._server.forget(self)

    # Not from inside the write that filled or drained it: a room may be going through its members.

    def pause_writing(self) -> None:
        self._stuffed = True
        self._server.loop.call_soon(self._stand_apart)

    def resume_writing(self) -> None:
        self._stuffed = False
        self._owed = 0
        self._server.loop.call_soon(self._regulate)

    # Port

    @property
    def write(self) -> Callable[[bytes], object]:
        return self._transport.write

    @property
    def apart(self) -> bool:
        return self._stuffed or self._closing or not self._reading or self._deflate is not None

    @property
    def congested(self) -> bool:
        return self._stuffed or self._pending > self._server.settings.limits.queue_bytes // 4

    def send(self, frame: bytes) -> None:
        self.keep(frame)
        self._flush_soon()

    def keep(self, frame: bytes) -> None:
        if not self._closing:
            if self._deflate is not None:
                frame = self._deflate(frame)
            self._out.append(frame)
            self._pending += len(frame)

    def owed(self, size: int) -> None:
        self._owed = size
        self._owed_until = self.written + self._pending + size

    def welcomed(self) -> None:
        beat = self._server.settings.heartbeat
        self._beat = Heartbeat(beat.interval_ms, beat.timeout_ms, self._server.now(), random.random())
        if self._leaving is None:
            self._deadline = 0.0
            self.wake()

    def wake(self) -> None:
        if not self._deadline:
            self._server.wheel.at(self._server.now(), self)

    def resume(self) -> None:
        self._regulate()

    def close(self, code: int, reason: str, within: float | None = None) -> None:
        """Say Close after what is queued; who has not answered ``within`` ms is cut off."""
        if self._closing:
            return
        self._end_session()
        if self._wire.state is CONNECTING:
            self._transport.abort()
            return
        if self._wire.state is OPEN:
            self._wire.send_close(code, reason)
        self._leaving = None
        self._end_in(self._server.settings.close_ms if within is None else within)
        self._take_wire()
        self._read(True)

    # What the server calls

    def flush(self) -> None:
        """Write what is queued, in one piece."""
        self._soon = False
        out = self._out
        if not out or self._transport.is_closing():
            return
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        if self._pending and self._beat is not None:
            self._beat.sent_at = self._server.now()
        self._pending = 0
        self.written += len(data)
        self._server.hub.counters.writes += 1
        self._transport.write(data)
        if not self._stuffed:
            self._owed = 0  # the reply is on its way
        if not self._closing and self._overfull():
            # If it reads now it gets what is queued, without a hole, and the reason; nothing more (DISC-7).
            self.close(4002, CLOSES[4002].reason(), self._server.settings.linger_ms)
        elif self._session is not None and self._session.waiting:
            self._server.loop.call_soon(self._regulate)

    def on_timer(self, now: float) -> float | None:
        if self._deadline > now:
            return self._deadline
        if self._deadline:
            self._overdue()
            return self._deadline if self._deadline > now else None
        return self._on_beat(now)

    def draining(self, reconnect_after_ms: int) -> bool:
        """The server is going away (DISC-5); False where this is no WebSocket, and need not be waited for."""
        if self._session is None:
            return False
        self._session.draining(reconnect_after_ms)
        return True

    def abort(self, why: str = "stopped") -> None:
        """End the TCP connection at once; ``why`` is for the log."""
        self._why = self._why or why
        self._transport.abort()

    @property
    def queued(self) -> int:
        """Bytes that wait in the transport."""
        return self._transport.get_write_buffer_size()

    # Inside

    def _respond(self, request: Request) -> None:
        server, wire = self._server, self._wire
        client, bearer = server.client(self._peer_address(), request.headers), server.bearer(request.headers)
        status = wire.respond(request, server.refusal(client))
        if status != http.HTTPStatus.SWITCHING_PROTOCOLS:
            server.hub.counters.http[status] += 1
            return
        self._since = now = server.now()
        server.addresses.enter(client)
        self._client = client
        address = client.address if client.limited else None
        self._session = Session(server.hub, self, secrets.token_hex(8), now, address=address, bearer=bearer)
        self._frames = FrameBucket(FRAME_RATE, FRAME_BURST, now)
        self._deflate = server.deflaters.for_extensions(wire.extensions)
        self._end_in(server.settings.limits.hello_ms)
        server.hub.counters.connections += 1
        tell(logging.INFO, "connected", conn=self._session.conn, peer=client.address)

    def _peer_address(self) -> str | None:
        """The address of the TCP peer, None at a unix socket."""
        peer = self._transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else None

    def _flood(self) -> None:
        """Far more frames than the messages in them could need."""
        if self._closing:
            self.abort("flood")
        else:
            self.close(4229, CLOSES[4229].reason(FLOOD_WAIT_MS), self._server.settings.linger_ms)

    def _tell_end(self) -> None:
        """Count and log the end of a WebSocket: what of it came from the client is its code and no more."""
        session, wire, counters = self._session, self._wire, self._server.hub.counters
        counters.bytes_in += self.received
        counters.bytes_out += self.written
        if session is None:
            return
        sent, came = wire.close_sent, wire.close_rcvd
        if came is not None and (sent is None or wire.close_rcvd_then_sent):
            code, by, reason = int(came.code), "client", ""
        elif sent is not None:
            code, by, reason = int(sent.code), "server", sent.reason
        else:
            code, by, reason = int(CloseCode.ABNORMAL_CLOSURE), "server" if self._why else "network", ""
        # A client can make up codes: only those of the table have a series of their own.
        counters.closes[str(code) if code in CLOSES or by != "client" else "other", by] += 1
        tell(
            logging.INFO, "closed", conn=session.conn, user=session.user_id or None, code=code, by=by,
            reason=reason or self._why, ms=round(self._server.now() - self._since), received=self.received,
            sent=self.written, max_queue=self._peak,
        )  # fmt: skip

    def _frame(self, frame: Frame) -> None:
        """One frame; fragments are put together here, their sum was checked by the wire."""
        opcode = frame.opcode
        if opcode is Opcode.CLOSE:
            if not self._closing:
                self._leaving = self._wire.close_rcvd
                self._end_in(FAREWELL_MS)
        elif opcode in DATA:
            if opcode is not Opcode.CONT:
                self._opcode = opcode
            if not frame.fin or self._part:
                self._part += frame.data
            if frame.fin:
                data = bytes(self._part or frame.data)
                self._part.clear()
                self._message(self._opcode, data)

    def _message(self, opcode: Opcode, data: bytes) -> None:
        if self._session is None or self._closing:
            return
        text = None
        if opcode is Opcode.TEXT:
            try:
                text = data.decode()  # the sans-I/O core leaves UTF-8 to us
            except UnicodeDecodeError:
                self._wire.fail(1007)
                self._take_wire()
                return
        self._session.receive(text, self._server.now())

    def _regulate(self) -> None:
        """Carry out what was held back, and read on only when nothing is (DISC-10)."""
        if self._session is None or self._transport.is_closing():
            return
        self._session.pump()
        if self._leaving is not None:
            self._farewell()
        self._read(not self._session.waiting or self._leaving is not None)

    def _read(self, reading: bool) -> None:
        if reading == self._reading or self._eof or self._transport.is_closing():
            return
        self._reading = reading
        if reading:
            self._transport.resume_reading()
        else:
            self._stand_apart()
            self._transport.pause_reading()
            self._drained = self.written - self._transport.get_write_buffer_size()
            self._server.wheel.at(self._server.now() + WATCH_MS, self)

    def _farewell(self, *, force: bool = False) -> None:
        """Echo the client's Close once everything that came before it has taken effect (DISC-9, DISC-12)."""
        assert self._leaving is not None
        if self._session is not None:
            self._session.pump(force=force)
            if (self._session.waiting or self._session.busy) and not force:
                return
            self._session.end(clean=self._leaving.code == CloseCode.NORMAL_CLOSURE)
        self._leaving = None
        self._take_wire()

    def _stand_apart(self) -> None:
        if self._session is not None and self.apart:
            self._session.stand_apart()

    def _queue(self, data: bytes) -> None:
        self._out.append(data)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if not self._soon:
            self._soon = True
            self._server.later(0, self.flush)

    def _take_wire(self) -> None:
        """Queue what the wire has to say; after its Close or its refusal nothing else goes out."""
        closing = self._closing or self._wire.close_sent is not None
        if closing and not self._closing and self._session is not None:
            self._session.stand_apart()  # what rooms have said comes before the Close
        for data in self._wire.data_to_send():
            if data:
                self._queue(data)
            else:
                self._closing = closing
                self._end_of_stream()
        self._closing = self._closing or closing

    def _end_of_stream(self) -> None:
        """End our half, and give the client a moment to end the other: to close with its data unread would
        reset the connection, and it might never see our Close."""
        self._end_session()
        self.flush()
        self._closing = True
        if self._eof or not self._transport.can_write_eof():
            self._transport.close()
        elif not self._transport.is_closing():
            try:
                self._transport.write_eof()
            except OSError:  # reset by the client, which the transport has not noticed yet
                self.abort("reset")
        self._end_in(self._server.settings.linger_ms)

    def _overdue(self) -> None:
        """The handshake, hello or a close took too long."""
        if self._leaving is not None:
            self._farewell(force=True)
        elif self._session is not None and not self._closing and not self._eof:
            self.close(4408, CLOSES[4408].reason())
        else:
            self.abort("not ended")

    def _on_beat(self, now: float) -> float | None:
        beat = self._beat
        if beat is None or self._session is None:
            return None
        if not self._reading:
            # Its frames lie unread: what it takes from us is then its sign of life (BEAT-4, BEAT-8).
            drained = self.written - self._transport.get_write_buffer_size()
            if drained > self._drained or self._session.busy:
                beat.heard_at = now
            self._drained = drained
        left = self._session.on_time()
        if self._closing:
            return self._deadline
        beat.sent_at = max(beat.sent_at, self._session.last_sent())
        for due in beat.due(now):
            if due == "ping":
                self._queue(PING)
            elif due == "tick":
                self.send(self._server.tick())
            elif self._transport.get_write_buffer_size():
                self.abort("heartbeat_timeout")
                return None
            else:
                self.close(4001, CLOSES[4001].reason(), self._server.settings.linger_ms)
                return self._deadline
        again = beat.next() if left is None else min(beat.next(), now + left)
        return again if self._reading else min(again, now + WATCH_MS)

    def _overfull(self) -> bool:
        """More than ``queue_bytes`` wait, not counting a large reply that the client asked for."""
        waiting = self._transport.get_write_buffer_size()
        if waiting > self._peak:
            self._peak = waiting
        excess = waiting - self._server.settings.limits.queue_bytes
        return excess > 0 and (excess > self._owed or self.written - waiting >= self._owed_until)

    def _end_session(self) -> None:
        if self._session is not None:
            self._session.end(clean=False)

    def _end_in(self, delay: float) -> None:
        self._deadline = self._server.now() + delay
        self._server.wheel.at(self._deadline, self)
