"""Judges of generated frames: what one frame gets for an answer, and what a bystander sees of all of them.

They see records of a transcript only; whether a frame is really bad was proven before it was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.dialects.matching import explain, matches
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding, Outcome

from .base import Judge, how_it_ended, shown

Pattern = Any

HELLO_TIMEOUT = 4408
SHORTEST_HELLO = 1.0
"""Seconds: the shortest `hello_ms` that the kit asks for."""


@dataclass
class Handled(Judge):
    """The frame `specimen`, written from record `sent` on `conn` on, gets the one answer that it may get.

    The next reply (it carries `re`, be it null) has a tree like one of `allowed` or of `tolerated`, and the
    connection stays; with `close`, it is closed with this code, after the reply where one is allowed. Other ends of
    the connection that do: `tcp` (without a Close frame), `any`. `moot`: where the connection ended because of an
    earlier frame, nothing is asked of this one. Only one frame may be under way.
    """

    conn: str
    sent: int
    specimen: str
    expects: str
    allowed: list[Pattern] = field(default_factory=list)
    tolerated: list[Pattern] = field(default_factory=list)
    close: int | None = None
    ends: str = ""
    moot: bool = False
    _frame: Record | None = field(default=None, init=False)
    _reply: Record | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)  # what comes now belongs to a later frame
    _end: Record | None = field(default=None, init=False)

    def starts(self) -> int:
        return self.sent

    def decided(self) -> bool:
        return self._over or self._end is not None

    def settled(self) -> bool:
        return self._end is not None or (
            self._reply is not None and (self.close is None or self._answer()[0] == "broken")
        )

    def step(self, record: Record) -> None:
        if record.index == self.sent:
            self._frame = record
        elif record.conn != self.conn or self.decided():
            return
        elif record.kind == "end":
            self._over = record.data["by"] != "server"
            self._end = None if self._over else record
        elif record.kind == "event" and isinstance(record.data["tree"], Mapping) and "re" in record.data["tree"]:
            self._over = self._reply is not None
            self._reply = self._reply or record

    def end(self) -> Finding:
        expected = f"{self.specimen}: {self.expects}"
        evidence = tuple(r.index for r in (self._frame, self._reply, self._end) if r is not None)
        outcome, seen = self._judged()
        return Finding(outcome, expected, f"{seen}; sent {self._sent()}", evidence)

    def _judged(self) -> tuple[Outcome, str]:
        if self.moot and self._reply is None and self._end is not None:
            return "holds", f"not asked: {how_it_ended(self._end)}"
        if self._reply is None and self._too_late():
            return "unclear", "the server had waited for a hello to the end when this was written"
        if self._reply is None and (self.allowed or self._end is None):
            took = self.last - self._frame.t if self._frame is not None else 0.0
            after = how_it_ended(self._end) if self._end is not None else "and the connection is open"
            return "broken", f"no answer in {took:.2f} s; {after}"
        outcome, seen = self._answer()
        return (outcome, seen) if outcome == "broken" else self._ending(outcome, seen)

    def _too_late(self) -> bool:
        """Closed for want of a hello, too soon for that after the frame: it came late, by our lag or the server's."""
        if self._end is None or self._frame is None or self._end.data.get("code") != HELLO_TIMEOUT:
            return False
        return self._end.t - self._frame.t < SHORTEST_HELLO / 2

    def _answer(self) -> tuple[Outcome, str]:
        if self._reply is None:
            return "holds", "no answer"
        tree = self._reply.event.tree
        seen = f"got {shown(tree)}"
        if not self.allowed or any(matches(pattern, tree) for pattern in self.allowed):
            return "holds", seen
        if any(matches(pattern, tree) for pattern in self.tolerated):
            return "tolerated", seen
        difference = explain(self.allowed[0], tree) if len(self.allowed) == 1 else None
        return "broken", f"{difference}; {seen}" if difference else seen

    def _ending(self, outcome: Outcome, seen: str) -> tuple[Outcome, str]:
        if self._end is None:
            return (outcome, seen) if self.close is None else ("broken", f"{seen}, and the connection is open")
        seen += f"; {how_it_ended(self._end)}"
        closed = self._end.data["how"] == "close"
        if closed and self.close is not None and self._end.data.get("code") == self.close:
            return outcome, seen
        if self.ends == "any" or (self.ends == "tcp" and not closed):
            return (outcome if self.close is None else "tolerated"), seen
        return "broken", seen

    def _sent(self) -> str:
        if self._frame is None:
            return "nothing"
        data = self._frame.data
        kind = "" if data.get("opcode") == 1 else f" (opcode {data.get('opcode')})"
        return shown(str(data.get("text", data.get("base64", ""))), 300) + kind


@dataclass
class Referenced(Judge):
    """Of the frames `asked` (the record of each, and the `id` it carries) every reply has that `re` (CONN-11)."""

    asked: list[tuple[int, str]]
    _ids: dict[int, str] = field(default_factory=dict, init=False)
    _open: dict[str, tuple[int, str]] = field(default_factory=dict, init=False)  # by connection
    _right: int = field(default=0, init=False)
    _wrong: Finding | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._ids = dict(self.asked)

    def step(self, record: Record) -> None:
        if record.index in self._ids:
            self._open[record.conn] = (record.index, self._ids[record.index])
        elif record.kind == "event" and record.conn in self._open:
            tree = record.data["tree"]
            if isinstance(tree, Mapping) and "re" in tree:
                self._compare(*self._open.pop(record.conn), record)

    def _compare(self, sent: int, ref: str, record: Record) -> None:
        if record.data["tree"]["re"] == ref:
            self._right += 1
        elif self._wrong is None:
            seen = f"the frame with id {shown(ref)} got {shown(record.event.tree)}"
            self._wrong = Finding("broken", self._expected(), seen, (sent, record.index))

    def _expected(self) -> str:
        return "a reply whose `re` is the id of the frame"

    def end(self) -> Finding:
        if self._wrong is not None:
            return self._wrong
        return Finding("holds" if self._right else "unclear", self._expected(), f"{self._right} replies")


@dataclass
class OnlyAdmitted(Judge):
    """Every message of `room` that reaches `listener` after record `after` was acknowledged to a sender (MSG-4).

    What was refused was not acknowledged, so it is not delivered. With `least`, so many must have come: without them
    nothing was put to the test.
    """

    listener: str
    room: str
    after: int = 0
    least: int = 1
    _acks: set[tuple[Any, Any]] = field(default_factory=set, init=False)
    _messages: dict[tuple[Any, Any], Record] = field(default_factory=dict, init=False)
    _unsure: bool = field(default=False, init=False)  # a connection ended before an answer: stored or not (MSG-14)

    def step(self, record: Record) -> None:
        if record.kind != "event":
            self._unsure = self._unsure or (record.kind == "end" and record.data["by"] == "server")
            return
        fields = record.data["fields"]
        if fields.get("room") != self.room:
            return
        number = (fields.get("epoch"), fields.get("seq"))
        if record.data["kind"] == "ack":
            self._acks.add(number)
        elif record.data["kind"] == "message" and record.conn == self.listener and record.index > self.after:
            self._messages[number] = record

    def end(self) -> Finding:
        expected = f"every message that {self.listener} gets was acknowledged to its sender"
        extra = [record for number, record in self._messages.items() if number not in self._acks]
        if extra:
            seen = f"{len(extra)} were not, first {shown(extra[0].event.tree)}"
            return Finding("unclear" if self._unsure else "broken", expected, seen, (extra[0].index,))
        count = len(self._messages)
        outcome: Outcome = "holds" if count >= self.least else "unclear"
        return Finding(outcome, expected, f"{count} came, all acknowledged", (self.after,))
