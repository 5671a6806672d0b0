"""Judges of what comes first and what comes after what, on one connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.dialects.matching import explain, matches
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, how_it_ended, shown
from .content import view

Pattern = Any


@dataclass
class First(Judge):
    """The first event on `conn` after record `after`, among those that match `of`, matches `where`."""

    conn: str
    where: Pattern
    after: int = 0
    of: Pattern = None
    _start: float = field(default=0.0, init=False)
    _first: Record | None = field(default=None, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.conn != self.conn or record.index <= self.after or self._first is not None:
            return
        if record.kind == "end" and record.data["by"] == "server":
            self._end = record
        elif record.kind == "event" and (self.of is None or matches(self.of, view(record.event))):
            self._first = record

    def settled(self) -> bool:
        return self._first is not None

    def end(self) -> Finding:
        expected = f"first {shown(self.where)} on {self.conn}"
        if self._first is None:
            seen = f"nothing in {self.last - self._start:.2f} s"
            seen += f"; {how_it_ended(self._end)}" if self._end is not None else ""
            evidence = (self.after, *([self._end.index] if self._end is not None else []))
            return Finding("broken", expected, seen, evidence)
        difference = explain(self.where, view(self._first.event))
        evidence = (self.after, self._first.index)
        tree = shown(self._first.event.tree)
        if difference is None:
            return Finding("holds", expected, tree, evidence)
        return Finding("broken", expected, f"{difference}; got {tree}", evidence)


@dataclass
class InTurn(Judge):
    """The events on `conn` between records `after` and `until` that match `of` are exactly `wheres`, in this order.

    Without `of`, those that match any of `wheres` are meant.
    """

    conn: str
    wheres: list[Pattern]
    after: int = 0
    until: int | None = None
    of: Pattern = None
    _got: list[Record] = field(default_factory=list, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.index <= self.after:
            return
        if self.until is not None and record.index > self.until:
            return
        if record.kind == "end" and record.data["by"] == "server":
            self._end = record
        elif record.kind == "event":
            of = {"any_of": self.wheres} if self.of is None else self.of
            if matches(of, view(record.event)):
                self._got.append(record)

    def end(self) -> Finding:
        expected = f"{len(self.wheres)} on {self.conn}, in this order: {shown(self.wheres, 400)}"
        evidence = tuple(r.index for r in self._got[:12])
        for place, where in enumerate(self.wheres):
            if place >= len(self._got):
                seen = f"{place} came; missing from {shown(where)} on"
                seen += f"; {how_it_ended(self._end)}" if self._end is not None else ""
                return Finding("broken", expected, seen, evidence)
            difference = explain(where, view(self._got[place].event))
            if difference is not None:
                seen = f"at place {place + 1}: {difference}; got {shown(self._got[place].event.tree)}"
                return Finding("broken", expected, seen, evidence)
        if len(self._got) > len(self.wheres):
            extra = self._got[len(self.wheres)]
            return Finding("broken", expected, f"one more: {shown(extra.event.tree)}", (*evidence, extra.index))
        return Finding("holds", expected, f"{len(self._got)} in order", evidence)


@dataclass
class JoinedFirst(Judge):
    """On each connection the answer to the first join of a room comes before any event of that room."""

    reads = frozenset({"op", "event", "reply"})
    _joins: dict[int, tuple[str, str]] = field(default_factory=dict, init=False)
    _before: dict[tuple[str, str], Record] = field(default_factory=dict, init=False)
    _done: set[tuple[str, str]] = field(default_factory=set, init=False)
    _proofs: int = field(default=0, init=False)
    _broken: Finding | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if self._broken is not None:
            return
        if record.kind == "op" and record.data["op"] == "join":
            self._joins[record.index] = (record.conn, str(record.data["args"].get("room")))
        elif record.kind == "reply" and record.data["op"] in self._joins:
            self._answered(self._joins.pop(record.data["op"]), record)
        elif record.kind == "event":
            self._event(record)

    def _event(self, record: Record) -> None:
        event = record.event
        others = event.kind in ("joined", "left") and event.sender is not None
        if event.room is None or not (event.kind == "message" or others):
            return
        key = (record.conn, event.room)
        if key in self._done:
            self._proofs += event.kind == "message"
        else:
            self._before.setdefault(key, record)

    def _answered(self, key: tuple[str, str], reply: Record) -> None:
        early, answer = self._before.pop(key, None), reply.data.get("event")
        if reply.data["ok"]:
            self._done.add(key)
            if early is not None and answer is not None and early.index < answer:
                seen = f"{key[0]} got {shown(early.event.tree)} before the answer to its join of {key[1]}"
                self._broken = Finding("broken", self._expected(), seen, (early.index, answer))

    def _expected(self) -> str:
        return "the answer to a join before everything else of the room"

    def end(self) -> Finding:
        if self._broken is not None:
            return self._broken
        if not self._proofs:
            return Finding("unclear", self._expected(), "no message followed a join")
        return Finding("holds", self._expected(), f"{self._proofs} messages, all behind the join's answer")
