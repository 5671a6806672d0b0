"""Judges of the closing handshake (RFC 6455 7): Close frames that are answered, and TCP connections that then end."""

from __future__ import annotations

from dataclasses import dataclass, field

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, how_it_ended

CLOSE = 8


def _is_close(record: Record) -> bool:
    return record.kind == "received" and record.data["opcode"] == CLOSE


def _code(record: Record) -> str:
    code = record.data.get("code")
    return "Close without a code" if code is None else f"Close {code}"


@dataclass
class AnswersClose(Judge):
    """The Close frame of record `close` is answered by one, and TCP ends within `within` seconds (DISC-1).

    The client must not end TCP by itself meanwhile (`Client.ignore_close`).
    """

    conn: str
    close: int
    within: float = 2.0
    _sent: Record | None = field(default=None, init=False)
    _answer: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.close:
            self._sent = record
        elif self._sent is None or record.conn != self.conn:
            return
        elif _is_close(record) and self._answer is None:
            self._answer = record
        elif record.kind == "end" and self._end is None:
            self._end = record

    def end(self) -> Finding:
        expected = f"a Close frame in answer, and the end of TCP within {self.within:g} s"
        if self._sent is None:
            return Finding("unclear", expected, "no Close frame was sent")
        evidence = tuple(r.index for r in (self._sent, self._answer, self._end) if r is not None)
        if self._answer is None:
            waited = self.last - self._sent.t
            seen = (
                f"no Close frame in {waited:.2f} s"
                if self._end is None
                else f"no Close frame; {how_it_ended(self._end)}"
            )
            return Finding("broken", expected, seen, evidence)
        seen = f"{_code(self._answer)} after {self._answer.t - self._sent.t:.2f} s"
        if self._end is None:
            return Finding("broken", expected, f"{seen}, TCP open after {self.last - self._sent.t:.2f} s", evidence)
        took = self._end.t - self._sent.t
        return Finding(self.bounded(took, self.within), expected, f"{seen}, TCP ended after {took:.2f} s", evidence)


@dataclass
class EchoesCode(Judge):
    """The Close frame that answers the one written in record `close` carries the same code (DISC-12)."""

    conn: str
    close: int
    _sent: Record | None = field(default=None, init=False)
    _answer: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.close:
            self._sent = record
        elif self._sent is not None and record.conn == self.conn and _is_close(record) and self._answer is None:
            self._answer = record

    def settled(self) -> bool:
        return self._answer is not None

    def end(self) -> Finding:
        if self._sent is None:
            return Finding("unclear", "the code of the client's Close frame", "no Close frame was sent")
        expected = f"{_code(self._sent)} in answer"
        if self._answer is None:
            return Finding("broken", expected, "no Close frame", (self._sent.index,))
        same = self._answer.data.get("code") == self._sent.data.get("code")
        evidence = (self._sent.index, self._answer.index)
        return Finding("holds" if same else "broken", expected, _code(self._answer), evidence)


@dataclass
class SaysClose(Judge):
    """After record `after` the server writes a Close frame to `conn`."""

    conn: str
    after: int
    _close: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.index < self.after:
            return
        if _is_close(record) and self._close is None:
            self._close = record
        elif record.kind == "end":
            self._end = record

    def settled(self) -> bool:
        return self._end is not None

    def end(self) -> Finding:
        expected = f"a Close frame on {self.conn}"
        if self._close is not None:
            return Finding("holds", expected, _code(self._close), (self._close.index,))
        return Finding("broken", expected, how_it_ended(self._end) if self._end else "none came", (self.after,))


@dataclass
class EndsTcp(Judge):
    """TCP ends within `within` seconds after the server's Close frame on `conn` (DISC-11).

    The client must not end it by itself (`Client.ignore_close`).
    """

    conn: str
    within: float = 10.0
    _close: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn:
            return
        if _is_close(record) and self._close is None:
            self._close = record
        elif record.kind == "end" and self._end is None:
            self._end = record

    def end(self) -> Finding:
        expected = f"the end of TCP within {self.within:g} s of the server's Close frame on {self.conn}"
        if self._close is None:
            return Finding("unclear", expected, "the server wrote no Close frame")
        if self._end is None:
            waited = self.last - self._close.t
            return Finding(
                "broken",
                expected,
                f"TCP open {waited:.2f} s after {_code(self._close)}",
                (self._close.index,),
            )
        took = self._end.t - self._close.t
        evidence = (self._close.index, self._end.index)
        return Finding(
            self.bounded(took, self.within),
            expected,
            f"TCP ended {took:.2f} s after {_code(self._close)}",
            evidence,
        )
