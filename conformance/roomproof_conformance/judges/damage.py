"""Judges of what one client's bad frame does: to its own connection, to the others, to those who come later.

They see records of a transcript only; whether a frame was really bad is the scenario's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding, Outcome

from .base import Judge, how_it_ended, shown

_WORDS = {
    "error": "an error event, and the connection stays",
    "ignore": "no answer, and the connection stays",
    "accept": "the rest of it taken as a message",
    "close": "a Close frame",
    "tcp-close": "the end of TCP",
}


def _in_words(outcomes: Iterable[str]) -> str:
    outcomes = list(outcomes)
    if {"error", "ignore", "accept"} <= set(outcomes):
        return "whatever is made of it, the connection stays"
    return " or ".join(_WORDS.get(outcome, outcome) for outcome in outcomes)


@dataclass
class Reacts(Judge):
    """What the server makes of the frame written in record `sent` on `conn`: one of `allowed` or of `tolerated`.

    Outcomes: `error` (an error event, and the server does not end the connection), `ignore` (nothing),
    `accept` (`text`, which stood in the frame, reaches somebody as a message), `close`, `close 1009` (with this
    code), `tcp-close` (TCP ends without a Close frame). Refusals for the rate are no answer to a bad frame.
    """

    conn: str
    sent: int
    allowed: list[str]
    tolerated: list[str] = field(default_factory=list)
    text: str | None = None
    _start: float = field(default=0.0, init=False)
    _error: Record | None = field(default=None, init=False)
    _taken: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.sent:
            self._start = record.t
        if record.index <= self.sent:
            return
        if record.kind == "event":
            event = record.event
            if event.kind == "error" and record.conn == self.conn:
                self._error = self._error or record
            elif event.kind == "message" and self.text is not None and event.text == self.text:
                self._taken = self._taken or record
        elif record.kind == "end" and record.conn == self.conn and record.data["by"] == "server":
            self._end = self._end or record

    def end(self) -> Finding:
        expected = _in_words(self.allowed)
        evidence = tuple(r.index for r in (self._error, self._taken, self._end) if r is not None)
        outcome, seen = self._outcome()
        if self._fits(outcome, self.allowed):
            return Finding("holds", expected, seen, (self.sent, *evidence))
        if self._fits(outcome, self.tolerated):
            return Finding("tolerated", expected, seen, (self.sent, *evidence))
        return Finding("broken", expected, seen, (self.sent, *evidence))

    @staticmethod
    def _fits(outcome: str, named: list[str]) -> bool:
        return outcome in named or (outcome.startswith("close ") and "close" in named)

    def _outcome(self) -> tuple[str, str]:
        parts = []
        if self._error is not None:
            parts.append(f"it answered {shown(self._error.event.tree)}")
        if self._taken is not None:
            parts.append(f"it gave {self._taken.conn} the frame's text as a message")
        outcome = "error" if self._error is not None else "accept" if self._taken is not None else "ignore"
        if self._end is not None:
            code = self._end.data.get("code")
            closed = self._end.data["how"] == "close"
            outcome = f"close {'without a code' if code is None else code}" if closed else "tcp-close"
            how = how_it_ended(self._end)
            if closed and code == 1000:
                how += " (1000 says that all is well)"
            parts.append(how)
        return outcome, "; then ".join(
            parts
        ) or f"no answer in {self.last - self._start:.2f} s, and the connection is open"


@dataclass
class Heard(Judge):
    """The message sent by operation `op` on `conn` reaches `listener`, and neither connection has ended before.

    `unless_ended`: where the server was free to end a connection and did, nothing more is asked.
    """

    conn: str
    op: int
    listener: str
    unless_ended: bool = False
    _text: str | None = field(default=None, init=False)
    _ref: str | None = field(default=None, init=False)
    _began: float = field(default=0.0, init=False)
    _heard: Record | None = field(default=None, init=False)
    _refusal: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.op:
            self._text, self._ref, self._began = record.data["args"]["text"], record.data.get("ref"), record.t
        elif record.kind == "end" and record.conn in (self.conn, self.listener) and record.data["by"] == "server":
            self._end = self._end or record
        elif record.kind == "event" and self._text is not None and self._heard is None:
            event = record.event
            if record.conn == self.listener and event.kind == "message" and event.text == self._text:
                self._heard = record
            elif record.conn == self.conn and event.kind in ("error", "rate_limited", "kicked"):
                self._refusal = record

    def settled(self) -> bool:
        return self._refusal is not None and self._ref is not None and self._refusal.event.ref == self._ref

    def end(self) -> Finding:
        expected = f"a message of {self.conn} reaches {self.listener}"
        if self._heard is not None and (self._end is None or self._heard.index < self._end.index):
            return Finding(
                "holds",
                expected,
                f"it came after {self._heard.t - self._began:.2f} s",
                (self.op, self._heard.index),
            )
        if self.unless_ended and self._end is not None:
            return Finding("holds", expected, f"not asked: {how_it_ended(self._end)}", (self._end.index,))
        seen = f"it did not come in {self.last - self._began:.2f} s"
        if self._refusal is not None:
            seen += f"; {self.conn} was told {shown(self._refusal.event.tree)}"
        if self._end is not None:
            seen += f"; of the connection of {self._end.conn}: {how_it_ended(self._end)}"
        elif self._refusal is None:
            seen += ", and both connections are open"
        evidence = tuple(r.index for r in (self._refusal, self._end) if r is not None)
        return Finding("broken", expected, seen, (self.op, *evidence))


AT_ONCE = 1.0
"""Seconds after its last answer within which a client that is closed was not let in at all."""


@dataclass
class _Way:
    """How far a new client came."""

    opened: Record | None = None
    ops: list[Record] = field(default_factory=list)
    replies: dict[int, Record] = field(default_factory=dict)
    end: Record | None = None

    def step(self, record: Record) -> None:
        if record.kind == "handshake":
            self.opened = record
        elif record.kind == "op" and record.data["op"] in ("identify", "join"):
            self.ops.append(record)
        elif record.kind == "reply":
            self.replies[record.data["op"]] = record
        elif record.kind == "end" and record.data["by"] == "server":
            self.end = self.end or record

    def obstacle(self, last: float) -> str | None:
        """What stopped it; None when it is in."""
        if self.opened is None:
            return "could not connect"
        if self.opened.data["status"] != 101:
            return f"was refused with HTTP {self.opened.data['status']}"
        for op in self.ops:
            what, reply = op.data["op"], self.replies.get(op.index)
            if reply is None and self.end is not None:
                return f"got no answer to {what}: {how_it_ended(self.end)}"
            if reply is None:
                return f"got no answer to {what} in {last - op.t:.2f} s"
            if not reply.data["ok"]:
                return f"was refused: {what} failed"
        entered = max((reply.t for reply in self.replies.values()), default=self.opened.t)
        if self.end is not None and self.end.t - entered <= AT_ONCE:
            return f"was thrown out: {how_it_ended(self.end)}"
        return None  # whoever is closed much later did enter

    @property
    def evidence(self) -> tuple[int, ...]:
        records = (self.opened, *self.ops, *self.replies.values(), self.end)
        return tuple(r.index for r in records if r is not None)[:8]


@dataclass
class Enters(Judge):
    """The new client `conn` connects, identifies itself and joins, as far as the server asks for that.

    When it does not, `elsewhere` (a new client that tried another room) tells whether more than the room is harmed.
    """

    conn: str
    elsewhere: str = ""
    _ways: dict[str, _Way] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.conn and record.conn in (self.conn, self.elsewhere):
            self._ways.setdefault(record.conn, _Way()).step(record)

    def end(self) -> Finding:
        expected = f"a new client ({self.conn}) joins the room"
        way = self._ways.get(self.conn, _Way())
        obstacle = way.obstacle(self.last)
        if obstacle is None:
            return Finding("holds", expected, "it is in", way.evidence)
        seen = f"it {obstacle}"
        if self.elsewhere:
            other = self._ways.get(self.elsewhere, _Way()).obstacle(self.last)
            seen += f"; a new client of another room ({self.elsewhere}) "
            seen += "got in: only this room is harmed" if other is None else f"{other}: the whole server is harmed"
        return Finding("broken", expected, seen, way.evidence)


@dataclass
class Recalls(Judge):
    """The history that `conn` is given holds `texts`, in this order; what else it holds is not looked at."""

    conn: str
    texts: list[str]
    _got: list[str] = field(default_factory=list, init=False)
    _evidence: list[int] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.conn == self.conn and record.kind == "event" and record.data["kind"] in ("joined", "history"):
            entries = record.event.entries
            if entries:
                self._got += [str(entry.get("text")) for entry in entries]
                self._evidence.append(record.index)

    def end(self) -> Finding:
        expected = f"the history for {self.conn} holds {shown(self.texts)}"
        got = [text for text in self._got if text in self.texts]
        outcome: Outcome = "holds" if got == self.texts else "broken"
        return Finding(outcome, expected, f"{len(self._got)} messages: {shown(self._got)}", tuple(self._evidence[:3]))
