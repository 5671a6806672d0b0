"""Listeners of a hot room: one process, one epoll, many connections that only listen, count and compare.

    python -m roomproof_loadtest.lean URL COUNT

The same message comes to a thousand members as the same bytes, so it is decoded once and looked up for the others: two
microseconds of Python instead of fifteen. Each listener's order is checked with every message: by the server's numbers,
or by each sender's own. No gevent and no locust here; parameters come by the environment (see `locustfile`).
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections import deque
from pathlib import Path
from typing import Any

import websocket

from roomproof_conformance.dialects import Session, load
from roomproof_conformance.judges.live import Token, Violation, parse

from . import parameters
from .board import KEPT, LONGEST, clock_name
from .figures import Sheet
from .frames import BINARY, CLOSE, PING, TEXT, Broken, Cutter, close_code
from .heartbeat import Metronome
from .opening import opened

CACHED = 512
"""Chunks and payloads that are remembered."""
DRAIN = 1.0
"""Seconds of silence after which nothing more is expected at the end."""

Heard = list[tuple[Token, Any, Any]]
"""The messages of a chunk, with epoch and seq where there are such."""


class Listener:
    """One connection."""

    __slots__ = ("cutter", "epoch", "expect", "name", "recent", "seq", "session", "socket", "wire")

    def __init__(self, name: str, session: Session, wire: Any) -> None:
        self.name, self.session, self.wire, self.socket = name, session, wire, wire.sock
        self.cutter = Cutter()
        self.epoch: Any = None
        self.seq: Any = None
        self.expect: dict[str, int] = {}
        self.recent: deque[tuple[float, bytes]] = deque(maxlen=6)


class Listeners:
    """All of them, and what they found."""

    def __init__(self, url: str, dialect: str, room: str, run: str, patience: float) -> None:
        self.url, self.room, self.run, self.patience = url, room, run, patience
        self.dialect = load(dialect)
        self.clock = clock_name()
        self.now, self.total = Sheet(), Sheet()
        self.kinds: dict[str, int] = {}
        self.violations: list[dict[str, Any]] = []
        self.notes: dict[str, int] = {}
        self.by_fd: dict[int, Listener] = {}
        self.highest: dict[str, int] = {}
        self.newest = 0.0
        self.poll = select.epoll()
        self._metronome: Metronome | None = None
        self._chunks: dict[bytes, Heard | None] = {}
        self._payloads: dict[bytes, Heard] = {}

    # -- coming ---------------------------------------------------------------------------------------

    def add(self, number: int) -> bool:
        """Connect and join one listener; False when it was refused."""
        name = f"l{self.run}x{number}"
        bound = self.room if self.dialect.room_in_url else None
        session = Session(self.dialect, nick=name, room=bound)
        began = time.monotonic()
        try:
            wire = opened(session, self.url, self.patience)
            wire.settimeout(self.patience)
            listener = Listener(name, session, wire)
            self.now.took("connect", (time.monotonic() - began) * 1000)
            for action in ("identify", "join"):
                if self.dialect.offers(action):
                    self._ask(listener, action)
        except (OSError, websocket.WebSocketException, Broken) as error:
            self.now.counts["connect failed"] += 1
            note = f"listener: {error}"[:160]
            self.notes[note] = self.notes.get(note, 0) + 1
            return False
        listener.socket.setblocking(False)
        self.by_fd[listener.socket.fileno()] = listener
        self.poll.register(listener.socket.fileno(), select.EPOLLIN)
        return True

    def _ask(self, listener: Listener, action: str) -> None:
        """One request and its answer, before the listener is one of many. Raises OSError when it is refused."""
        began = time.monotonic()
        given = {"room": self.room} if action == "join" else {}
        exchange = listener.session.begin(action, **given)
        while True:
            for outgoing in exchange.outgoing:
                payload = outgoing.payload
                data = payload.encode() if isinstance(payload, str) else payload
                listener.wire.send(data, BINARY if outgoing.binary else TEXT)
            exchange.outgoing.clear()
            if exchange.done:
                break
            data = listener.socket.recv(262_144)
            if not data:
                raise OSError("the server ended the connection")
            for opcode, payload in listener.cutter.feed(data):
                if opcode == PING:
                    listener.wire.pong(payload)
                elif opcode == CLOSE:
                    raise OSError(f"the server closed the connection with {close_code(payload)}")
                else:
                    text = payload.decode("utf-8", "replace") if opcode == TEXT else payload
                    for event in listener.session.receive(text):
                        if not exchange.step(event):
                            if event.kind == "message":
                                self._one(listener, self._heard(event), time.monotonic())
                        elif action == "join" and exchange.done and exchange.ok:
                            listener.seq, listener.epoch = event.fields.get("seq"), event.fields.get("epoch")
                        for _, outgoing in listener.session.reactions(event):
                            answer = outgoing.payload
                            listener.wire.send(answer.encode() if isinstance(answer, str) else answer)
        if not exchange.ok:
            raise OSError(f"{action} was refused")
        self.now.took(action, (time.monotonic() - began) * 1000)

    def hear_beats(self, metronome: Metronome) -> None:
        """Have the beats read by the same loop as everything else: what they wait is what messages wait."""
        self._metronome = metronome
        self.poll.register(metronome.fileno(), select.EPOLLIN)

    # -- listening ------------------------------------------------------------------------------------

    def listen(self, seconds: float) -> None:
        """Read what comes for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            for fd, _ in self.poll.poll(min(left, 0.25)):
                listener = self.by_fd.get(fd)
                if listener is None:
                    if self._metronome is not None and fd == self._metronome.fileno():
                        self._metronome.read(lambda lag: self.now.took("own lag", lag * 1000.0))
                    continue
                try:
                    data = listener.socket.recv(262_144)
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._over(listener, f"the server broke the TCP connection off ({type(error).__name__})")
                    continue
                if not data:
                    self._over(listener, "the server ended the TCP connection without a Close frame")
                    continue
                self._chunk(listener, data, time.monotonic())

    def _chunk(self, listener: Listener, data: bytes, t: float) -> None:
        listener.recent.append((t, data))
        if listener.cutter.empty:
            known = self._chunks.get(data)
            if known is not None:  # None too for one that each listener must look at itself
                self._one(listener, known, t)
                return
        fresh, plain = listener.cutter.empty, True
        whole: Heard = []
        try:
            messages = listener.cutter.feed(data)
        except Broken as broken:
            self._over(listener, f"the server broke RFC 6455: {broken}")
            return
        for opcode, payload in messages:
            if opcode in (TEXT, BINARY):
                heard = self._payloads.get(payload)
                if heard is None:
                    heard = self._decode(listener, payload, opcode)
                    plain = plain and payload in self._payloads
                whole += heard
            elif opcode == PING:
                plain = False
                self._write(listener, payload, 10)
            elif opcode == CLOSE:
                code, why = close_code(payload)
                self._one(listener, whole, t)
                self._over(listener, f"the server closed the connection with {code or 'no code'} {why!r}")
                return
        if fresh and listener.cutter.empty:
            if len(self._chunks) > CACHED:
                self._chunks.clear()
            self._chunks[data] = whole if plain else None
        self._one(listener, whole, t)

    def _decode(self, listener: Listener, payload: bytes, opcode: int) -> Heard:
        text = payload.decode("utf-8", "replace") if opcode == TEXT else payload
        whole: Heard = []
        same = True
        for event in listener.session.receive(text):
            whole += self._heard(event)
            for _, outgoing in listener.session.reactions(event):
                same = False
                answer = outgoing.payload
                self._write(listener, answer.encode() if isinstance(answer, str) else answer, 1)
        if same:
            if len(self._payloads) > CACHED:
                self._payloads.clear()
            self._payloads[payload] = whole
        return whole

    def _heard(self, event: Any) -> Heard:
        if event.kind != "message" or event.text is None:
            return []
        try:
            token = parse(event.text)
        except ValueError:
            self._tell("altered", "l", "the text that was sent", event.text[:120], b"")
            return []
        return [] if token is None else [(token, event.fields.get("epoch"), event.fields.get("seq"))]

    def _one(self, listener: Listener, heard: Heard, t: float) -> None:
        """The messages of one chunk, as this listener got them."""
        now = self.now
        for token, epoch, seq in heard:
            sender, number = token.sender, token.number
            now.counts["deliveries"] += 1
            if token.clock == self.clock:
                now.took("delivery", (t - token.stamp) * 1000.0)
            if token.room != self.room:
                self._tell("leaked", listener.name, f"messages of {self.room}", f"one of {token.room}", listener)
                continue
            if seq is not None:
                last = listener.seq
                if last is not None and epoch == listener.epoch and seq != last + 1:
                    kind = "lost" if seq > last else "duplicated" if seq == last else "reordered"
                    self._tell(kind, listener.name, f"message {last + 1} after {last}", f"message {seq} came", listener)
                if last is None or epoch != listener.epoch or seq > last:
                    listener.seq, listener.epoch = seq, epoch
            else:
                expect = listener.expect.get(sender)
                if expect is not None and number != expect:
                    kind = "lost" if number > expect else "duplicated" if number == expect - 1 else "reordered"
                    what = f"number {number} of {sender} came"
                    self._tell(kind, listener.name, f"number {expect} of {sender}", what, listener)
                if expect is None or number >= expect:
                    listener.expect[sender] = number + 1
            if self.highest.get(sender, -1) < number:
                self.highest[sender] = number
                self.newest = t
        return

    def _write(self, listener: Listener, payload: bytes, opcode: int) -> None:
        with contextlib.suppress(OSError, websocket.WebSocketException):  # its end is read, and told
            listener.wire.send(payload, opcode)

    def _over(self, listener: Listener, fault: str) -> None:
        fd = listener.socket.fileno()
        self.poll.unregister(fd)
        del self.by_fd[fd]
        listener.socket.close()
        self.now.counts["closed:listener"] += 1
        self._tell("dropped", listener.name, "a connection that stays while its client is alive", fault, listener)

    # -- telling --------------------------------------------------------------------------------------

    def _tell(self, kind: str, conn: str, expected: str, seen: str, listener: Any) -> None:
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        self.now.counts[f"violation:{kind}"] += 1
        if self.kinds[kind] > KEPT:
            return
        violation = Violation(kind, time.monotonic(), conn, self.room, expected, seen)
        lines = []
        if isinstance(listener, Listener):
            for t, chunk in listener.recent:
                try:
                    lines += [
                        {"t": round(t, 6), "conn": conn, "way": "<", "text": p.decode("utf-8", "replace")[:LONGEST],
                         "length": len(p)}
                        for _, p in Cutter().feed(chunk)
                    ]  # fmt: skip
                except Broken:
                    continue
        self.violations.append({**violation.as_json(), "transcript": lines})

    def finish(self) -> None:
        """Nothing more is sent: wait until nothing more comes, then compare all with all."""
        until = time.monotonic() + self.patience
        while time.monotonic() < until:
            self.listen(0.2)
            if self.behind() == 0 or time.monotonic() - self.newest > max(DRAIN, self.patience / 2):
                break
        for listener in self.by_fd.values():
            gap = self._behind(listener)
            if gap:
                self._tell(
                    "lost", listener.name, "every message that others got", f"the last {gap} are missing", listener
                )

    def behind(self) -> int:
        return sum(self._behind(listener) for listener in self.by_fd.values())

    def _behind(self, listener: Listener) -> int:
        if listener.seq is not None:
            top: int = max((each.seq for each in self.by_fd.values() if each.seq is not None), default=0)
            return top - int(listener.seq)
        return sum(max(0, top + 1 - listener.expect.get(s, top + 1)) for s, top in self.highest.items())

    def sample(self) -> dict[str, Any]:
        sheet, self.now = self.now, Sheet()
        self.total.merge(sheet)
        count = len(self.by_fd)
        return {"worker": "lean", "t": time.time(), "users": count, "connections": count, **sheet.as_json()}

    def final(self) -> dict[str, Any]:
        self.sample()
        return {
            "pid": os.getpid(), **self.total.as_json(), "violations": self.violations, "kinds": self.kinds,
            "notes": self.notes, "clock_offset": time.time() - time.monotonic(),
        }  # fmt: skip


def main(arguments: list[str]) -> int:
    """Listen until SIGTERM; the exit code."""
    url, count = arguments[0], int(arguments[1])
    values = parameters.defaults() | parameters.from_environment(os.environ)
    folder = Path(os.environ[parameters.PREFIX + "FOLDER"])
    run = os.environ[parameters.PREFIX + "RUN"]
    dialect = os.environ.get(parameters.PREFIX + "DIALECT") or "native"
    crowd = Listeners(url, dialect, f"hot{run}", run, values["patience"])
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    metronome = Metronome()
    crowd.hear_beats(metronome)
    with (folder / "samples-lean.jsonl").open("a", buffering=1) as out:
        due = time.monotonic() + 1
        number = 0
        while not stop:
            if number < count:
                crowd.add(number)
                number += 1
                crowd.listen(0.002)
            else:
                crowd.listen(0.25)
            if time.monotonic() >= due:
                due += 1
                out.write(json.dumps(crowd.sample()) + "\n")
        crowd.finish()
        out.write(json.dumps(crowd.sample()) + "\n")
    metronome.stop()
    draft = folder / "final-lean.tmp"
    draft.write_text(json.dumps([crowd.final()]))
    draft.rename(folder / "final-lean.json")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
