"""How soon things come: a judge of every message of a room, not of chosen ones, and one of the kit itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, how_it_ended, shown


@dataclass
class Prompt(Judge):
    """Every message sent to `rooms` after record `after` reaches `conn` within `within` seconds (DISC-8).

    Left out are messages that were refused, and at the end those that are still on their way.
    """

    conn: str
    rooms: list[str]
    within: float = 1.0
    after: int = 0
    _sent: dict[str, Record] = field(default_factory=dict, init=False)
    _texts: dict[int, str] = field(default_factory=dict, init=False)
    _worst: float = field(default=0.0, init=False)
    _late: tuple[float, int, int] | None = field(default=None, init=False)
    _heard: int = field(default=0, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index < self.after:
            return
        if record.kind == "op" and record.data["op"] == "send":
            args = record.data["args"]
            if args.get("room") in self.rooms:
                self._sent[args["text"]], self._texts[record.index] = record, args["text"]
        elif record.kind == "reply" and not record.data["ok"] and record.data["op"] in self._texts:
            self._sent.pop(self._texts[record.data["op"]], None)
        elif record.conn != self.conn:
            return
        elif record.kind == "event" and record.data["kind"] == "message":
            self._hear(record)
        elif record.kind == "end":
            self._end = self._end or record

    def _hear(self, record: Record) -> None:
        sent = self._sent.pop(str(record.data["fields"].get("text")), None)
        if sent is None:
            return
        self._heard += 1
        took = record.t - sent.t
        if took > self._worst:
            self._worst = took
            self._late = took, sent.index, record.index

    def end(self) -> Finding:
        expected = f"every message of the room on {self.conn} within {self.within:g} s"
        over = self._end.t if self._end is not None else self.last
        lost = [(text, sent) for text, sent in self._sent.items() if over - sent.t > self.within + self.noise]
        if lost:
            text, sent = lost[0]
            seen = f"{len(lost)} did not come, first {shown(text, 40)}, sent {over - sent.t:.2f} s before the end"
            ended = (self._end.index,) if self._end is not None else ()
            seen += f"; {how_it_ended(self._end)}" if self._end is not None else ""
            return Finding("broken", expected, seen, (sent.index, *ended))
        if self._late is None:
            return Finding("unclear", expected, "no message was heard")
        took, sent_at, heard_at = self._late
        seen = f"{self._heard} heard, the slowest after {took:.3f} s"
        return Finding(self.bounded(took, self.within), expected, seen, (sent_at, heard_at))


@dataclass
class InTime(Judge):
    """From record `after` to record `until` at most `most` seconds passed: unclear when the kit itself was late."""

    after: int
    until: int
    most: float
    _times: list[float] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.index in (self.after, self.until):
            self._times.append(record.t)

    def end(self) -> Finding:
        expected, evidence = f"at most {self.most:g} s in between", (self.after, self.until)
        if len(self._times) < 2:
            return Finding("unclear", expected, "it did not come to that", evidence)
        took = self._times[1] - self._times[0]
        return Finding("holds" if took <= self.most else "unclear", expected, f"{took:.2f} s", evidence)
