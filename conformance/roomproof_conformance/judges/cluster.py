"""Judges of several nodes that are one service: what must be said after a loss, repaired, refused, and agreed upon."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, how_it_ended, shown
from .replay import plain, told

SPEAKS_OF_EPOCH = ("sent", "joined", "reset")
"""Native messages of which the next after a loss must show the new epoch (CL-6)."""


@dataclass
class OneName(Judge):
    """No number (room, epoch, seq) names two texts, acknowledged, live or replayed (CL-6)."""

    reads = frozenset({"op", "event", "reply"})
    _texts: dict[int, tuple[str, str]] = field(default_factory=dict, init=False)  # of sends: room and text
    _acks: dict[int, Record] = field(default_factory=dict, init=False)
    _named: dict[tuple[Any, ...], tuple[str, int]] = field(default_factory=dict, init=False)
    _clash: Finding | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "op" and record.data["op"] == "send":
            self._texts[record.index] = (str(record.data["args"].get("room")), str(record.data["args"]["text"]))
        elif record.kind == "reply" and record.data["ok"] and record.data["op"] in self._texts:
            ack = self._acks.pop(record.data["event"], None)
            if ack is not None:
                room, text = self._texts[record.data["op"]]
                fields = ack.data["fields"]
                self._name(room, fields.get("epoch"), fields.get("seq"), text, ack.index)
        elif record.kind == "event":
            if record.data["kind"] == "ack":
                self._acks[record.index] = record
            for fields, _ in told(record):
                self._name(fields.get("room"), fields.get("epoch"), fields.get("seq"), fields.get("text"), record.index)

    def _name(self, room: Any, epoch: Any, seq: Any, text: Any, index: int) -> None:
        if seq is None:
            return
        key = plain(room, epoch, seq)
        first, before = self._named.setdefault(key, (str(text), index))
        if first != str(text) and self._clash is None:
            seen = f"number {key[2]} of epoch {key[1]} names {shown(first, 60)}, then {shown(str(text), 60)}"
            self._clash = Finding("broken", self._expected(), seen, (before, index))

    def _expected(self) -> str:
        return "each number of an epoch names one text"

    def end(self) -> Finding:
        if self._clash is not None:
            return self._clash
        if not self._named:
            return Finding("unclear", self._expected(), "no numbered message was seen")
        return Finding("holds", self._expected(), f"{len(self._named)} numbers")


@dataclass
class NewEpoch(Judge):
    """The first `sent`, `joined` or `reset` of `room` after record `after`, to anybody, shows another epoch (CL-6).

    With `conn` only what comes to that connection counts, and a `message` is as good.
    """

    room: str
    epoch: str
    after: int
    conn: str | None = None
    _first: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if self._first is not None or record.index <= self.after or record.kind != "event":
            return
        if self.conn is not None and record.conn != self.conn:
            return
        tree = record.data["tree"]
        if not isinstance(tree, dict) or tree.get("room") != self.room:
            return
        if tree.get("type") in SPEAKS_OF_EPOCH or (self.conn is not None and tree.get("type") == "message"):
            self._first = record

    def starts(self) -> int:
        return self.after

    def settled(self) -> bool:
        return self._first is not None

    def end(self) -> Finding:
        what = " or ".join(SPEAKS_OF_EPOCH)
        expected = f"the next {what} of {self.room}{f' on {self.conn}' if self.conn else ''} with another epoch"
        if self._first is None:
            return Finding("broken", expected, f"none came in {self.last:.1f} s of the case", (self.after,))
        tree, evidence = self._first.data["tree"], (self.after, self._first.index)
        if tree.get("epoch") == self.epoch:
            return Finding("broken", expected, f"{tree['type']} with epoch {shown(self.epoch)}, as before", evidence)
        return Finding("holds", expected, f"{tree['type']} with epoch {shown(tree.get('epoch'))}", evidence)


@dataclass
class Healed(Judge):
    """`conn` gets the messages `texts` of `room`, each once, in this order, or `reset`, within `within` seconds of
    record `after`, and is not closed (CL-4)."""

    conn: str
    room: str
    texts: list[str]
    after: int
    within: float
    _start: float = field(default=0.0, init=False)
    _got: list[Record] = field(default_factory=list, init=False)
    _reset: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.conn != self.conn:
            return
        if record.kind == "end" and record.data["by"] == "server" and self._end is None:
            self._end = record
        elif record.kind == "event" and record.data["fields"].get("room") == self.room and self._reset is None:
            tree = record.data["tree"]
            if isinstance(tree, dict) and tree.get("type") == "reset":
                self._reset = record
            elif record.data["kind"] == "message" and record.data["fields"].get("text") in self.texts:
                self._got.append(record)

    def settled(self) -> bool:
        return self._end is not None

    def end(self) -> Finding:
        expected = f"{len(self.texts)} messages in order, or reset, on {self.conn} within {self.within:g} s"
        evidence = (self.after, *(record.index for record in self._got[-3:]))
        if self._end is not None:
            return Finding("broken", expected, how_it_ended(self._end), (*evidence, self._end.index))
        if self._reset is not None:
            took = self._reset.t - self._start
            return Finding(self.bounded(took, self.within), expected, f"reset after {took:.2f} s", evidence)
        got = [record.data["fields"]["text"] for record in self._got]
        if got != self.texts:
            missing = [text for text in self.texts if text not in got]
            seen = f"{len(got)} came" + (f"; {shown(missing[0], 40)} did not" if missing else " in another order")
            return Finding("broken", expected, f"{seen} in {self.last - self._start:.2f} s", evidence)
        took = self._got[-1].t - self._start
        return Finding(self.bounded(took, self.within), expected, f"the last came after {took:.2f} s", evidence)


@dataclass
class WorksAgain(Judge):
    """A send of `conn` begun after record `after` is admitted within `within` seconds of that (CL-5)."""

    conn: str
    after: int
    within: float
    _start: float = field(default=0.0, init=False)
    _ops: set[int] = field(default_factory=set, init=False)
    _tries: int = field(default=0, init=False)
    _done: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.conn != self.conn or record.index <= self.after or self._done is not None:
            return
        if record.kind == "op" and record.data["op"] == "send":
            self._ops.add(record.index)
            self._tries += 1
        elif record.kind == "reply" and record.data["op"] in self._ops and record.data["ok"]:
            self._done = record

    def end(self) -> Finding:
        expected = f"a message of {self.conn} admitted within {self.within:g} s"
        if self._done is None:
            seen = f"none of {self._tries} in {self.last - self._start:.2f} s"
            return Finding("broken", expected, seen, (self.after,))
        took = self._done.t - self._start
        seen = f"after {took:.2f} s, at attempt {self._tries}"
        return Finding(self.bounded(took, self.within), expected, seen, (self.after, self._done.index))


@dataclass
class TurnsRed(Judge):
    """Of the GETs `path` on node `node` (as transcripts count), one after record `after` is answered by an error within
    `within` seconds (CL-7)."""

    path: str
    node: int
    after: int
    within: float
    _start: float = field(default=0.0, init=False)
    _asked: set[str] = field(default_factory=set, init=False)
    _green: Record | None = field(default=None, init=False)
    _red: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.kind == "open" and record.data.get("get") == self.path and record.data.get("node", 1) == self.node:
            self._asked.add(record.conn)
        elif record.kind == "handshake" and record.conn in self._asked and record.index > self.after:
            if record.data["status"] == 200:
                self._green = record
            elif self._red is None:
                self._red = record

    def end(self) -> Finding:
        expected = f"{self.path} of node {self.node} turns red within {self.within:g} s"
        if self._red is not None:
            took, status = self._red.t - self._start, self._red.data["status"]
            evidence = (self.after, self._red.index)
            return Finding(self.bounded(took, self.within), expected, f"HTTP {status} after {took:.1f} s", evidence)
        if self._green is None:
            return Finding("unclear", expected, "nobody answered", (self.after,))
        seen = f"still HTTP 200 after {self._green.t - self._start:.1f} s"
        return Finding("broken", expected, seen, (self.after, self._green.index))


@dataclass
class CountsAgree(Judge):
    """What `presence` answers in `room` comes to `count` on each of `conns` within `within` seconds of record `after`,
    and stays so (CL-8)."""

    room: str
    count: int
    conns: list[str]
    after: int
    within: float
    until: int | None = None  # the record from which another count is right
    _start: float = field(default=0.0, init=False)
    _latest: dict[str, tuple[Any, Record]] = field(default_factory=dict, init=False)
    _since: dict[str, float] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.kind != "event" or record.conn not in self.conns or record.index <= self.after:
            return
        if self.until is not None and record.index > self.until:
            return
        tree = record.data["tree"]
        if not isinstance(tree, dict) or tree.get("type") != "presence" or tree.get("room") != self.room:
            return
        count = tree.get("count")
        self._latest[record.conn] = (count, record)
        if count != self.count:
            self._since.pop(record.conn, None)
        else:
            self._since.setdefault(record.conn, record.t)

    def end(self) -> Finding:
        expected = f"{self.count} in {self.room} for {', '.join(self.conns)} within {self.within:g} s"
        evidence = (self.after, *(record.index for _, record in self._latest.values()))
        told = ", ".join(f"{conn}: {self._latest[conn][0] if conn in self._latest else '?'}" for conn in self.conns)
        if any(conn not in self._since for conn in self.conns):
            return Finding("broken", expected, f"{told} after {self.last - self._start:.1f} s", evidence)
        took = max(self._since[conn] for conn in self.conns) - self._start
        return Finding(self.bounded(took, self.within), expected, f"{told} after {took:.1f} s", evidence)
