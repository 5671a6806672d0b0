"""Judges of the closing handshake (RFC 6455 7): Close frames that are answered, and TCP connections that then end."""

from __future__ import annotations

from dataclasses import dataclass, field

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding, Outcome

from .base import EVENTS, Judge, how_it_ended, shown

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


@dataclass
class EndsSpread(Judge):
    """The server does not end all of `conns` within `least` seconds (DISC-5)."""

    conns: list[str]
    least: float
    _ends: dict[str, Record] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.conn in self.conns and record.kind == "end" and record.data["by"] == "server":
            self._ends.setdefault(record.conn, record)

    def end(self) -> Finding:
        expected = f"the ends of {len(self.conns)} connections spread over at least {self.least:g} s"
        if len(self._ends) < len(self.conns):
            return Finding("unclear", expected, f"{len(self._ends)} ended")
        ordered = sorted(self._ends.values(), key=lambda record: record.t)
        spread = ordered[-1].t - ordered[0].t
        evidence = (ordered[0].index, ordered[-1].index)
        outcome: Outcome = "unclear" if self.least - spread <= self.noise else "broken"
        return Finding("holds" if spread >= self.least else outcome, expected, f"all within {spread:.2f} s", evidence)


@dataclass
class ToldApart(Judge):
    """The notices `draining` to `conns` do not all name the same time to come back (DISC-5)."""

    reads = EVENTS
    conns: list[str]
    _told: dict[str, Record] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        tree = record.data["tree"] if record.kind == "event" and record.conn in self.conns else None
        if isinstance(tree, dict) and tree.get("code") == "draining":
            self._told.setdefault(record.conn, record)

    def end(self) -> Finding:
        expected = f"times to come back that differ among {len(self.conns)} clients"
        if len(self._told) < len(self.conns):
            return Finding("unclear", expected, f"{len(self._told)} were told")
        times = [record.data["tree"].get("reconnect_after_ms") for record in self._told.values()]
        evidence = tuple(record.index for record in self._told.values())
        same = all(time == times[0] for time in times)
        return Finding("broken" if same else "holds", expected, f"reconnect_after_ms {shown(times)}", evidence)


@dataclass
class LetGo(Judge):
    """While `conn` did not read, from record `frozen` to record `back`, the server let it go (DISC-7).

    By its Close frame with `code`, or by the end of TCP; when TCP ends behind that Close is another sentence. Who
    still hears what was said after `back` was kept, whatever became of it then: which says nothing where not
    `enough` was addressed to it.
    """

    conn: str
    frozen: int
    back: int
    code: int
    enough: bool = True
    _said: set[str] = field(default_factory=set, init=False)  # after `back`
    _heard: Record | None = field(default=None, init=False)
    _close: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "op" and record.data["op"] == "send" and record.index > self.back:
            self._said.add(record.data["args"]["text"])
        elif record.conn != self.conn or record.index < self.frozen:
            return
        elif record.kind == "event" and record.data["kind"] == "message":
            if record.data["fields"].get("text") in self._said:
                self._heard = self._heard or record
        elif _is_close(record) and self._close is None:
            self._close = record
        elif record.kind == "end" and record.data["by"] == "server":
            self._end = self._end or record

    def end(self) -> Finding:
        expected = f"Close {self.code} or the end of TCP for {self.conn} while it did not read"
        kept: Outcome = "broken" if self.enough else "unclear"
        evidence = tuple(r.index for r in (self._heard, self._close, self._end) if r is not None)
        if self._heard is not None:
            return Finding(kept, expected, "it still hears what is said when it reads again", evidence)
        if self._close is not None:
            right = self._close.data.get("code") == self.code
            return Finding("holds" if right else "broken", expected, _code(self._close), evidence)
        if self._end is None:
            return Finding(kept, expected, "still open", (self.back,))
        return Finding("holds", expected, how_it_ended(self._end), evidence)


@dataclass
class AnsweredWhileOpen(Judge):
    """Each of the operations `ops` is answered within `within` seconds, unless its connection ends before (DISC-5)."""

    ops: list[int]
    within: float = 1.0
    _open: dict[str, Record] = field(default_factory=dict, init=False)  # the operation not answered yet, by connection
    _ended: set[str] = field(default_factory=set, init=False)
    _answered: list[int] = field(default_factory=list, init=False)
    _deaf: tuple[Record, float] | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "end":
            self._ended.add(record.conn)
        if record.index in self.ops and record.conn not in self._ended:
            self._open[record.conn] = record
        elif record.conn in self._open and (record.kind == "end" or self._answers(record)):
            op = self._open.pop(record.conn)
            waited = record.t - op.t
            if record.kind == "reply":
                self._answered.append(record.index)
            if waited > self.within and (self._deaf is None or waited > self._deaf[1]):
                self._deaf = op, waited

    def _answers(self, record: Record) -> bool:
        return record.kind == "reply" and record.data["op"] == self._open[record.conn].index

    def end(self) -> Finding:
        expected = f"an answer within {self.within:g} s to who was not closed by then"
        for op in self._open.values():
            if self._deaf is None or self.last - op.t > self._deaf[1]:
                self._deaf = op, self.last - op.t
        if self._deaf is not None and self._deaf[1] > self.within:
            op, waited = self._deaf
            outcome = self.bounded(waited, self.within)
            return Finding(outcome, expected, f"{op.conn} was open for {waited:.2f} s without one", (op.index,))
        if not self._answered:
            return Finding("unclear", expected, "nobody was open long enough")
        return Finding("holds", expected, f"{len(self._answered)} of {len(self.ops)} answered", tuple(self._answered))
