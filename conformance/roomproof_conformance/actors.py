"""Clients of one target, driven by scenarios in canonical operations and never in wire syntax.

A client joins a connection (`transport`), a dialect session (`dialects`) and the case's transcript:
everything that goes out or comes in is recorded here. Knows no requirement and no verdict.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from . import asking, clock, plain
from .dialects import Exchange, Outgoing, Session
from .events import Event
from .frames import Fault, Frame, Message, MessageAssembler
from .transcript import Record, payload_fields
from .transport import Connection, End, Handshake, open_connection

if TYPE_CHECKING:
    from .case import Case

RESERVED_ACTIONS = ("identify", "join")
"""Actions that may be answered by what the server says right after the handshake, before we ask."""


class Op:
    """One canonical operation in progress; awaiting it gives itself, answered or not."""

    def __init__(self, client: Client, record: Record, exchange: Exchange) -> None:
        self.client = client
        self.record = record
        self.exchange = exchange
        self.event: Event | None = None
        self.event_index: int | None = None
        self.finished = False
        self._then: list[Callable[[], object]] = []

    def then(self, action: Callable[[], object]) -> None:
        """Call `action` when the operation succeeds."""
        self._then.append(action)
        if self.ok:
            action()

    def settle(self) -> None:
        """The exchange is over."""
        self.finished = True
        if self.ok:
            for action in self._then:
                action()

    @property
    def index(self) -> int:
        """The record of the transcript in which the operation begins."""
        return self.record.index

    @property
    def ref(self) -> str | None:
        """The request id on the wire, where the dialect has one."""
        return self.exchange.ref

    @property
    def args(self) -> Mapping[str, Any]:
        args: Mapping[str, Any] = self.record.data["args"]
        return args

    @property
    def text(self) -> str:
        return str(self.args["text"])

    @property
    def ok(self) -> bool:
        """Answered with success."""
        return self.finished and self.exchange.done and self.exchange.ok

    def field(self, name: str, default: Any = None) -> Any:
        """A field of the answer."""
        return default if self.event is None else self.event.fields.get(name, default)

    def __await__(self) -> Generator[Any, None, Op]:
        return self._wait().__await__()

    async def _wait(self) -> Op:
        await self.client.case.until(lambda: self.finished or self.client.ended, self.client.case.patience)
        return self


class _Ears:
    """The transport's listener: hands on to the client what its socket hears."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def frame(self, frame: Frame) -> None:
        self._client.frame_received(frame)

    def fault(self, fault: Fault) -> None:
        self._client.fault_received(fault)

    def ended(self, end: End) -> None:
        self._client.connection_ended(end)


class Client:
    """One connection of a case: `name` stands in the transcript, `user` is the identity it claims."""

    def __init__(
        self, case: Case, name: str, user: str, session: Session, room: str | None = None, node: int = 0
    ) -> None:
        self.case = case
        self.name = name
        self.user = user
        self.session = session
        self.node = node  # of the service, counted from 0
        self.room = room  # the room that is part of the address, for servers with one room per connection
        self.connection: Connection | None = None
        self.handshake: Handshake | None = None
        self.end: End | None = None
        self.credentials: dict[str, Any] = {}  # instead of those that the case keeps for the user
        self.heard: dict[str, int] = {}  # texts of live messages, with the record of the first
        self.heartbeat_reactions = True
        self.keepalive = True
        self._frozen = False
        self._flooded = False
        self._assembler = MessageAssembler()
        self._running: list[Op] = []
        self._early: list[tuple[int, Event]] | None = []
        self._keeper: asyncio.Task[None] | None = None
        self._asking: list[asyncio.Task[None]] = []  # operations with requests over HTTP
        given = {k: v for k, v in session.variables.items() if session.dialect.variables.get(k) != v}
        where = {"node": node + 1} if len(case.target.nodes) > 1 else {}
        self._who = {"user": user, "room": room, "variables": given, **where}  # what a replay must give it as well

    # -- life ------------------------------------------------------------------------------------

    async def connect(
        self,
        *,
        headers: list[tuple[str, str]] | None = None,
        subprotocols: list[str] | None = None,
        receive_buffer: int | None = None,
        url: str | None = None,
        extensions: str | None = None,
    ) -> bool:
        """Open the connection; True when the server switched protocols. A refusal is recorded, not raised.

        `extensions` is offered as it stands, such as `permessage-deflate`; what is sent is never compressed.

        Raises `transport.Unreachable` when there is no answer that is HTTP.
        """
        await asking.before(self)
        address = url or self.case.target.address(self.session, self.node)
        offered = list(self.session.dialect.subprotocols) if subprotocols is None else subprotocols
        sent = [*self.session.headers(), *(headers or [])]
        odd = {"elsewhere": url is not None, "receive_buffer": receive_buffer, "extensions": extensions}
        self.note(
            "open",
            url=address,
            headers=[list(pair) for pair in sent],
            subprotocols=offered,
            **self._who,
            **{name: value for name, value in odd.items() if value},
        )
        self.handshake, self.connection = await open_connection(
            address,
            _Ears(self),
            subprotocols=offered,
            headers=sent,
            receive_buffer=receive_buffer,
            timeout=self.case.patience * 2,
            extensions=extensions,
        )
        self._note_handshake(self.handshake)
        if self.connection is None:
            return False
        self._assembler = MessageAssembler(deflate=self.handshake.deflate)
        if self.end is not None and not any(r.kind == "end" and r.conn == self.name for r in self.case.transcript):
            self._note_end(self.end)
        self._start_keepalive()
        return True

    async def get(self, path: str | None = None) -> None:
        """Ask for a page of the server (None: the socket's own path) without wanting a WebSocket.

        Raises `transport.Unreachable` when there is no answer that is HTTP.
        """
        address = self.case.target.address(self.session, self.node)
        self.note("open", url=address, headers=[], subprotocols=[], get=path or "", **self._who)
        self.handshake = await plain.get(address, path, patience=self.case.patience * 2)
        self._note_handshake(self.handshake)

    async def dawdle(self, begun: bytes, seconds: float) -> None:
        """Connect, write `begun` of a handshake and nothing more, and see for `seconds` whether the server ends TCP.

        Raises `transport.Unreachable` when nobody takes the connection.
        """
        address = self.case.target.address(self.session, self.node)
        begin = {"begun": begun.decode("latin-1"), "seconds": seconds}
        self.note("open", url=address, headers=[], subprotocols=[], **begin, **self._who)
        how = await plain.unfinished(address, begun, patience=seconds)
        if how is not None:
            self.end = End(how, None, "", False, "server", "server")
            self._note_end(self.end)

    async def close(self) -> None:
        """Go politely (Close 1000, and wait a moment for the server's end of it), then surely."""
        for task in [*([self._keeper] if self._keeper else []), *self._asking]:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        if self.connection is None or self.ended:
            return
        if self.connection.auto_close and not self._frozen:
            self.send_close()
            await self.case.until(lambda: self.ended, 1.0)
        if not self.ended:
            self.connection.abort()

    @property
    def ended(self) -> bool:
        return self.end is not None

    # -- canonical operations ---------------------------------------------------------------------

    def offers(self, action: str) -> bool:
        return self.session.dialect.offers(action)

    def begin(self, action: str, **args: Any) -> Op:
        """Start an operation without waiting for its answer; await the result for that."""
        exchange = self.session.begin(action, **args)
        record = self.note("op", op=action, ref=exchange.ref, user=self.user, args=args)
        op = Op(self, record, exchange)
        self._running.append(op)
        if self._early is not None and action in RESERVED_ACTIONS:
            for index, event in self._early:
                if not exchange.done and exchange.step(event):
                    op.event, op.event_index = event, index
        else:
            self._early = None
        self.drain(op)
        self.settle_op(op)
        if exchange.request is not None:
            self._asking.append(asyncio.create_task(asking.during(self, op)))
        return op

    def join(self, room: str, **args: Any) -> Op:
        return self.begin("join", room=room, **args)

    def leave(self, room: str, **args: Any) -> Op:
        return self.begin("leave", room=room, **args)

    def send(self, room: str, text: str | None = None, **args: Any) -> Op:
        """Send at once, whatever the rate limit says; `Case.say` keeps within it."""
        return self.begin("send", room=room, text=self.case.text() if text is None else text, **args)

    def rendered(self, action: str, **args: Any) -> str:
        """The frame that the dialect would write for an action, not sent: what malformed messages are made from."""
        payload = self.session.begin(action, **args).outgoing[0].payload
        return payload if isinstance(payload, str) else payload.decode()

    # -- raw ----------------------------------------------------------------------------------------

    def raw_text(self, text: str) -> Record:
        """Write a text frame of our own making; lone surrogates go out as the bytes that UTF-8 forbids."""
        return self.frame(1, text.encode("utf-8", "surrogatepass"))

    def raw_binary(self, payload: bytes) -> Record:
        return self.frame(2, payload)

    def frame(
        self,
        opcode: int,
        payload: bytes = b"",
        *,
        fin: bool = True,
        rsv: int = 0,
        mask: bool = True,
        **said: Any,
    ) -> Record:
        """Write one frame as given, right or wrong; `said` goes into its record."""
        whole = payload_fields(payload, whole=True)
        record = self.note("sent", opcode=opcode, fin=fin, rsv=rsv, masked=mask, **said, **whole)
        if self.connection is not None:
            self.connection.frame(opcode, payload, fin=fin, rsv=rsv, mask=mask)
        return record

    def raw_bytes(self, data: bytes) -> Record:
        """Write bytes that need not be a frame at all."""
        record = self.note("sent", opcode=None, **payload_fields(data, whole=True))
        if self.connection is not None:
            self.connection.raw(data)
        return record

    def ping(self, payload: bytes = b"roomproof") -> Record:
        return self.frame(9, payload)

    def send_close(self, code: int | None = 1000, reason: str = "") -> Record:
        """Write a Close frame and wait for nothing."""
        payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
        record = self.note("sent", opcode=8, fin=True, rsv=0, masked=True, code=code, **payload_fields(payload))
        if self.connection is not None:
            self.connection.close(code, reason)
        return record

    # -- bad manners ------------------------------------------------------------------------------

    def mute(self, *, pongs: bool = True, reactions: bool = True, keepalive: bool = True) -> Record:
        """Stop answering: WebSocket pongs, the dialect's heartbeat reactions, its keep-alive. Goes on reading."""
        if self.connection is not None and pongs:
            self.connection.auto_pong = False
        self.heartbeat_reactions = self.heartbeat_reactions and not reactions
        self.keepalive = self.keepalive and not keepalive
        what = [name for name, on in (("pongs", pongs), ("reactions", reactions), ("keepalive", keepalive)) if on]
        return self.note("local", action="mute", what=what)

    def freeze(self) -> Record:
        """Half-open: neither read nor write any more, and leave the socket as it is."""
        self._frozen = True
        self.mute()
        if self.connection is not None:
            self.connection.auto_close = False
            self.connection.pause_reading()
        return self.note("local", action="freeze")

    def thaw(self) -> Record:
        """Read again what had to wait."""
        self._frozen = False
        if self.connection is not None:
            self.connection.resume_reading()
        return self.note("local", action="thaw")

    def slow(self) -> Record:
        """Note that it reads slowly from here on: what is asked of it comes to it late."""
        return self.note("local", action="slow")

    def reset(self) -> Record:
        """Cut the TCP connection with RST."""
        record = self.note("local", action="reset")
        if self.connection is not None:
            self.connection.reset()
        return record

    def half_close(self) -> Record:
        """Send FIN and go on reading."""
        record = self.note("local", action="half-close")
        if self.connection is not None:
            self.connection.half_close()
        return record

    def ignore_close(self) -> Record:
        """Do not answer a Close frame of the server, and leave TCP open."""
        if self.connection is not None:
            self.connection.auto_close = False
        return self.note("local", action="ignore-close")

    # -- what comes in ------------------------------------------------------------------------------

    def frame_received(self, frame: Frame) -> None:
        if self._flooded or not self._room_for(len(frame.payload)):
            return
        extra: dict[str, Any] = {}
        if frame.opcode == 8:
            extra = {"code": frame.close_code, "reason": frame.close_reason}
        record = self.note(
            "received",
            opcode=frame.opcode,
            fin=frame.fin,
            rsv=frame.rsv,
            masked=frame.masked,
            **extra,
            **payload_fields(frame.payload),
        )
        message = self._assembler.feed(frame)
        if isinstance(message, Fault):
            self.fault_received(message)
        elif message is not None:
            self._message(message, record)

    def _room_for(self, size: int) -> bool:
        """Whether what came may be kept; a server that writes without end is cut off, and the transcript says so."""
        allowance = self.case.allowance
        if not self._flooded and not allowance.take(size):
            self._flooded = True
            kept = (
                f"{allowance.taken / 2**20:.0f} MiB were kept of this case, {self.case.target.kept.taken / 2**20:.0f}"
            )
            self.note("local", action="flooded", says=f"{kept} MiB of this run, and no more is read from {self.name}")
            if self.connection is not None:
                self.connection.abort()
        return not self._flooded

    def fault_received(self, fault: Fault) -> None:
        if self._flooded or not self._room_for(len(fault.data)):
            return
        self.note("fault", name=fault.name, detail=fault.detail, **payload_fields(fault.data, keep=256))

    def connection_ended(self, end: End) -> None:
        self.end = end
        if self.handshake is not None:
            self._note_end(end)

    def _note_handshake(self, answer: Handshake) -> None:
        self.note(
            "handshake",
            status=answer.status,
            headers=[list(pair) for pair in answer.headers],
            subprotocol=answer.subprotocol,
            body=answer.body.decode("utf-8", "replace"),
        )

    def _note_end(self, end: End) -> None:
        self.note("end", how=end.how, code=end.code, reason=end.reason, clean=end.clean, by=end.by)

    def _message(self, message: Message, frame: Record) -> None:
        if message.omitted:
            whole = len(message.payload) + message.omitted
            cut = Event(
                "unclassified", {}, None, f"a message of {whole} bytes, of which {len(message.payload)} were kept"
            )
            self.note("event", frame=frame.index, **cut.as_json())
            return
        payload: str | bytes = message.payload
        if message.text:
            payload = message.payload.decode("utf-8", "replace")
        events = self.session.receive(payload, now=frame.t)
        for event in events:
            if not self._room_for(len(message.payload) // len(events)):
                return
            record = self.note("event", frame=frame.index, **event.as_json())
            if event.kind == "message" and event.text is not None:
                self.heard.setdefault(event.text, record.index)
            if self._early is not None:
                self._early.append((record.index, event))
            self._offer(record, event)
            for role, outgoing in self.session.reactions(event):
                if role != "heartbeat" or self.heartbeat_reactions:
                    self._write(outgoing, role=role)

    def _offer(self, record: Record, event: Event) -> None:
        for op in list(self._running):
            if op.exchange.step(event):
                op.event, op.event_index = event, record.index
                self.drain(op)
                self.settle_op(op)
                return

    # -- inner ------------------------------------------------------------------------------------

    def _answered(self, frame: Frame) -> None:
        """A Pong or a Close that the connection wrote by itself."""
        code = {"code": frame.close_code} if frame.opcode == 8 else {}
        self.note(
            "sent",
            opcode=frame.opcode,
            fin=True,
            rsv=0,
            masked=True,
            auto=True,
            **code,
            **payload_fields(frame.payload),
        )

    def settle_op(self, op: Op) -> None:
        if not op.exchange.done or op.finished:
            return
        self._running.remove(op)
        op.settle()
        early = {}
        if op.event is not None and op.event_index is not None and op.event_index < op.index:
            early = {"early": op.event.as_json()}
        self.note("reply", op=op.index, ok=op.exchange.ok, event=op.event_index, **early)
        self.case.bell.ring()

    def drain(self, op: Op) -> None:
        for outgoing in op.exchange.outgoing:
            self._write(outgoing, op=op.index)
        op.exchange.outgoing.clear()

    def _write(self, outgoing: Outgoing, **said: Any) -> None:
        payload = outgoing.payload
        data = payload.encode("utf-8", "surrogatepass") if isinstance(payload, str) else payload
        self.frame(2 if outgoing.binary else 1, data, **said)

    def _start_keepalive(self) -> None:
        kept = self.session.keepalive()
        if kept is None:
            return
        period, frames = kept

        def beat() -> bool:
            if self.ended:
                return False
            if self.keepalive:
                for outgoing in frames:
                    self._write(outgoing, role="keepalive")
            return True

        self._keeper = asyncio.create_task(clock.every(period, beat))

    def note(self, kind: Any, /, **data: Any) -> Record:
        return self.case.note(self.name, kind, **data)
