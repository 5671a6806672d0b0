"""A virtual user on gevent: websocket-client for the socket, any of the kit's dialects for the words.

Only locust's process imports this. A user is a member of rooms over any number of connections, one after the other;
what it does and hears goes to the board, which measures and judges. Knows no scenario.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import time
from collections.abc import Callable
from typing import Any

import gevent
import websocket
from gevent.event import AsyncResult
from gevent.lock import RLock

from roomproof_conformance.dialects import Dialect, DialectError, Exchange, Outgoing, Session
from roomproof_conformance.events import Event

from .board import Board
from .frames import CLOSE, PING, PONG, TEXT, Broken, Cutter, close_code
from .opening import opened

READ = 262_144
GRACE = 0.5
"""Seconds after which a connection's end is judged: whoever restarts the server has said so by then."""


class Refused(Exception):
    """The server did not let the user in; `str()` says how."""


class Op:
    """A request on its way; `result` is the answering event, None where there is none."""

    __slots__ = ("action", "began", "exchange", "id", "ok", "room", "settled")

    def __init__(self, action: str, room: str | None, exchange: Exchange, began: float, number: int) -> None:
        self.action, self.room, self.exchange, self.began, self.id = action, room, exchange, began, number
        self.settled: AsyncResult[Event | None] = AsyncResult()
        self.ok = False


class Voice:
    """One user's side of the service. `judged` and `pace` as for `Crowd.member`; `group` keeps its latencies apart."""

    def __init__(
        self, name: str, dialect: Dialect, base: str, board: Board, *, judged: bool = True, pace: bool = True,
        patience: float = 10.0, receive_buffer: int | None = None, expect_end: bool = False, group: str = "",
    ) -> None:  # fmt: skip
        self.name, self.dialect, self.base, self.board = name, dialect, base, board
        self.patience, self.expect_end, self.group = patience, expect_end, group
        self.member = board.crowd.member(name, judged=judged, pace=pace)
        self.open = False
        self.pause: Callable[[], float] | None = None  # between two reads, for who reads slowly
        self.read_size = READ
        self.marks: dict[str, Any] = {}  # the last number of each room, to go on from
        self.token: Any = None
        self.on_event: Callable[[Event, float], None] | None = None
        self.leaving = False
        self._buffer = receive_buffer
        self._running: list[Op] = []
        self._early: list[Event] | None = []
        self._lock = RLock()
        self._socket: Any = None
        self._greenlets: list[Any] = []
        self._ids = itertools.count(1)
        self.session: Session | None = None
        self._reason: str | None = None

    # -- connecting -----------------------------------------------------------------------------------

    def connect(self, room: str | None = None) -> None:
        """Open a connection (bound to `room` where the address says it) and identify. Raises Refused."""
        dialect = self.dialect
        self.session = Session(
            dialect, nick=self.name, room=room if dialect.room_in_url else None, fresh=lambda: f"{next(self._ids)}"
        )
        self.leaving, self._early, self._running, self._reason = False, [], [], None
        began = time.monotonic()
        try:
            self._socket = self._handshake()
        except websocket.WebSocketBadStatusException as refusal:
            self.board.count(f"refused:http {refusal.status_code}")
            raise Refused(f"the upgrade was refused with HTTP status {refusal.status_code}") from None
        except (OSError, websocket.WebSocketException, ValueError) as error:
            self.board.count(f"refused:{type(error).__name__}")
            raise Refused(f"no connection: {str(error) or type(error).__name__}") from None
        self.board.took("connect", time.monotonic() - began)
        self.open = True
        self.board.connections += 1
        self.member = self.board.crowd.member(self.name, judged=self.member.judged, pace=self.member.pace)
        self._greenlets = [gevent.spawn(self._read, self._socket)]
        kept = self.session.keepalive()
        if kept is not None:
            self._greenlets.append(gevent.spawn(self._keep_alive, kept[0]))
        if dialect.offers("identify"):
            args = {"token": self.token} if self.token is not None and dialect.accepts("identify", "token") else {}
            op = self.ask("identify", **args)
            self.wait(op)
            if not op.ok:
                self.close()
                raise Refused(f"identify failed: {self._why()}")
        claims = dialect.claims_for(self.session.variables)
        self.board.learned(claims)
        if claims.resume:
            self.token = self.session.variables.get("token", self.token)

    def _handshake(self) -> Any:
        assert self.session is not None
        options = [(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
        if self._buffer is not None:
            options.append((socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer))
        return opened(self.session, self.base, self.patience, options)

    def close(self) -> None:
        """Go: a Close frame, and no waiting."""
        if not self.open:
            return
        self.leaving = True
        with contextlib.suppress(OSError, websocket.WebSocketException):
            self._send(b"\x03\xe8", CLOSE)
        self._over(None)

    def vanish(self) -> None:
        """Cut the connection without a word."""
        self.leaving = True
        self._over(None)

    # -- talking --------------------------------------------------------------------------------------

    def ask(self, action: str, room: str | None = None, *, number: int | None = None, **args: Any) -> Op:
        """Write a request and go on; `wait` waits for its answer."""
        assert self.session is not None
        t = time.monotonic()
        if room is not None:
            args["room"] = room
        exchange = self.session.begin(action, **args)
        op_id = self.board.crowd.op(
            self.member, action, room, t, number=number, answers=not exchange.done, resumed="after" in args
        )
        op = Op(action, room, exchange, t, op_id)
        self._running.append(op)
        if action in ("identify", "join") and self._early is not None:
            for event in self._early:
                if not exchange.done and exchange.step(event):
                    self._settle(op, event, t)
        else:
            self._early = None
        self._write_all(exchange)
        if exchange.done and op in self._running:
            self._settle(op, exchange.event, t)
        return op

    def wait(self, op: Op) -> Event | None:
        """The answer, or None when none comes within the patience or before the connection's end."""
        try:
            answer: Event | None = op.settled.get(timeout=self.patience)
            return answer
        except gevent.Timeout:
            return None

    def join(self, room: str, *, resume: bool = False, **args: Any) -> bool:
        """Join, and wait for it; with `resume` from where this user last was."""
        assert self.session is not None
        claims = self.board.crowd.claims
        if resume and claims is not None and claims.resume and room in self.marks:
            args["after"] = self.marks[room]
        op = self.ask("join", room, **args)
        self.wait(op)
        return op.ok

    def say(self, room: str, size: int) -> Op:
        """One message into the room, and no waiting."""
        t = time.monotonic()
        number, text = self.board.crowd.text(self.member, room, t, t, size)
        self.board.count("sent")
        return self.ask("send", room, number=number, text=text)

    def raw(self, payload: str | bytes, opcode: int | None = None) -> None:
        """Write a frame as it is."""
        data = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
        self._send(data, opcode if opcode is not None else TEXT if isinstance(payload, str) else 2)

    def _write_all(self, exchange: Exchange) -> None:
        for outgoing in exchange.outgoing:
            self._write(outgoing)
        exchange.outgoing.clear()

    def _write(self, outgoing: Outgoing) -> None:
        payload = outgoing.payload
        if isinstance(payload, str):
            self.board.frame(self.name, time.monotonic(), ">", payload)
            payload = payload.encode("utf-8", "surrogatepass")
        self._send(payload, 2 if outgoing.binary else 1)

    def _send(self, payload: bytes, opcode: int) -> None:
        with self._lock:
            if self._socket is None:
                return
            with contextlib.suppress(OSError, websocket.WebSocketException):  # its reader sees the end, and says how
                self._socket.send(payload, opcode)

    # -- listening ------------------------------------------------------------------------------------

    def _read(self, connection: Any) -> None:
        cutter, sock = Cutter(), connection.sock
        session, reason = self.session, "the server ended the TCP connection without a Close frame"
        assert session is not None
        try:
            while data := sock.recv(self.read_size):
                t = time.monotonic()
                for opcode, payload in cutter.feed(data):
                    if opcode == TEXT or opcode == 2:
                        self._message(session, payload.decode("utf-8", "replace") if opcode == TEXT else payload, t)
                    elif opcode == PING:
                        self._send(payload, PONG)
                    elif opcode == CLOSE:
                        if self.leaving:
                            return
                        code, why = close_code(payload)
                        self.board.count(f"closed:{code or 'no code'}")
                        reason = f"the server closed the connection with {code or 'no code'} {why!r}".rstrip(" '")
                        self._send(payload[:2], CLOSE)
                        raise EOFError
                if self.pause is not None:
                    gevent.sleep(self.pause())
        except EOFError:
            pass
        except Broken as broken:
            self.board.count("closed:broken frames")
            reason = f"the server broke RFC 6455: {broken}"
        except OSError as error:
            if self.leaving:
                return
            reason = f"the server broke the TCP connection off ({type(error).__name__})"
            self.board.count("closed:reset")
        else:
            if self.leaving:
                return
            self.board.count("closed:eof")
        self._reason = reason
        if self._socket is connection:
            self._over(None if self.leaving or self.expect_end else reason)

    def _message(self, session: Session, payload: str | bytes, t: float) -> None:
        board, member = self.board, self.member
        board.frame(self.name, t, "<", payload if isinstance(payload, str) else repr(payload))
        for event in session.receive(payload, now=t):
            if event.kind == "message":
                token = board.crowd.event(member, event, t)
                if token is not None:
                    counts = board.now.counts
                    counts["deliveries"] += 1
                    if token.clock == board.clock:
                        board.now.took("delivery" + self.group, (t - token.stamp) * 1000.0)
                    if "seq" in event.fields:
                        self._mark(token.room, event)
                else:
                    board.count("other messages")
            else:
                board.crowd.event(member, event, t)
                board.heard(self.name, event)
            if self._early is not None:
                self._early.append(event)
            for op in self._running:
                if op.exchange.step(event):
                    if op.action == "join" and op.room is not None and "seq" in event.fields:
                        self._mark(op.room, event)
                    self._write_all(op.exchange)
                    if op.exchange.done:
                        self._settle(op, event, t)
                    break
            for _, outgoing in session.reactions(event):
                self._write(outgoing)
            if self.on_event is not None:
                self.on_event(event, t)

    def _mark(self, room: str, event: Event) -> None:
        """How far this user has heard the room: what a resume goes on from."""
        self.marks[room] = {"epoch": event.fields.get("epoch"), "seq": event.fields["seq"]}

    def _settle(self, op: Op, event: Event | None, t: float) -> None:
        if op in self._running:
            self._running.remove(op)
        op.ok = op.exchange.ok
        answered = event is not None
        if answered:
            name = {"send": "ack"}.get(op.action, op.action)
            self.board.took((name if op.ok else f"refusal of {op.action}") + self.group, time.monotonic() - op.began)
        if op.action == "send" and op.ok:
            self.board.count("accepted")
        self.board.crowd.reply(self.member, op.id, ok=op.ok, event=event, t=t)
        op.settled.set(event)

    def _why(self) -> str:
        return self._reason or "no answer, or a refusal"

    def _keep_alive(self, period: float) -> None:
        while self.open:
            gevent.sleep(period)
            kept = self.session.keepalive() if self.session is not None else None
            for outgoing in kept[1] if kept else ():
                self._write(outgoing)

    def _over(self, fault: str | None) -> None:
        if not self.open:
            return
        self.open = False
        self.board.connections -= 1
        connection, self._socket = self._socket, None
        for op in self._running:
            op.settled.set(None)
        self._running = []
        ended = time.monotonic()
        self.board.frame(self.name, ended, "!", fault or "the connection is over")
        self.board.crowd.ended(self.member, ended)
        if fault is not None:
            gevent.spawn_later(GRACE, self._judge_end, fault, ended)
        try:
            if connection is not None and connection.sock is not None:
                connection.sock.close()
        except OSError:
            pass
        mine = gevent.getcurrent()
        gevent.killall([g for g in self._greenlets if g is not mine], block=False)

    def _judge_end(self, fault: str, t: float) -> None:
        self.board.crowd.dropped(self.member, fault, t)


def waits(rng: random.Random, rate: float) -> float:
    """A wait around 1/rate seconds, so that the users of one batch do not send in step."""
    return rng.uniform(0.5 / rate, 1.5 / rate) if rate > 0 else 1e9


__all__ = ["DialectError", "Op", "Refused", "Voice", "waits"]
