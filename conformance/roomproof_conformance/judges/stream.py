"""Judges of a room's stream as its members see it: order, holes, one view for all, the seam to history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, shown


@dataclass
class Order(Judge):
    """`conn` receives exactly these texts of `room`, each once, in this order, between `after` and `until`."""

    conn: str
    room: str
    texts: list[str]
    after: int = 0
    until: int | None = None
    _got: list[str] = field(default_factory=list, init=False)
    _evidence: list[int] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.kind != "event" or record.data["kind"] != "message":
            return
        if record.index < self.after or (self.until is not None and record.index > self.until):
            return
        fields = record.data["fields"]
        if fields.get("room") in (None, self.room) and fields.get("text") in self.texts:
            self._got.append(fields["text"])
            self._evidence.append(record.index)

    def end(self) -> Finding:
        expected = f"{len(self.texts)} messages on {self.conn}, each once, in the order sent"
        if self._got == self.texts:
            return Finding("holds", expected, f"{len(self._got)} in order")
        for position, wanted in enumerate(self.texts):
            if position >= len(self._got):
                seen = f"{len(self._got)} came; the first missing is {shown(wanted, 40)}"
                return Finding("broken", expected, seen, tuple(self._evidence[-2:]) or (self.after,))
            if self._got[position] != wanted:
                seen = f"at place {position + 1} came {shown(self._got[position], 40)}, not {shown(wanted, 40)}"
                return Finding("broken", expected, seen, tuple(self._evidence[max(0, position - 1) : position + 2]))
        seen = f"{len(self._got)} came: {shown(self._got[-1], 40)} again"
        return Finding("broken", expected, seen, tuple(self._evidence[-2:]) or (self.after,))


@dataclass
class Contiguous(Judge):
    """On one connection the numbers of a room grow by exactly one per message (`step` of bounded memory).

    Holds for a server that numbers its messages; `conn` None means every connection of the case.
    """

    reads = frozenset({"event", "end"})
    room: str | None = None
    conn: str | None = None
    least: int = 2
    _last: dict[tuple[str, str], tuple[str, int, int]] = field(default_factory=dict, init=False)
    _count: int = field(default=0, init=False)
    _broken: Finding | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "end":
            self._last = {key: value for key, value in self._last.items() if key[0] != record.conn}
            return
        if record.kind != "event" or self._broken or (self.conn is not None and record.conn != self.conn):
            return
        event = record.data
        room = event["fields"].get("room")
        if not isinstance(room, str) or (self.room is not None and room != self.room):
            return
        key = (record.conn, room)
        if event["kind"] in ("joined", "left", "notice") and event["fields"].get("from") is None:
            self._last.pop(key, None)
        if event["kind"] != "message" or not isinstance(event["fields"].get("seq"), int):
            return
        epoch, seq = event["fields"].get("epoch", ""), event["fields"]["seq"]
        self._count += 1
        if key in self._last:
            before_epoch, before, index = self._last[key]
            if epoch == before_epoch and seq != before + 1:
                what = "repeats or goes back" if seq <= before else f"leaves out {seq - before - 1}"
                seen = f"{record.conn} got {seq} after {before} in {room}: it {what}"
                self._broken = Finding("broken", self._expected(), seen, (index, record.index))
        self._last[key] = (epoch, seq, record.index)

    def _expected(self) -> str:
        return "each next message of a room numbered one higher"

    def end(self) -> Finding:
        if self._broken:
            return self._broken
        if self._count < self.least:
            return Finding("unclear", self._expected(), f"{self._count} numbered messages seen")
        return Finding("holds", self._expected(), f"{self._count} messages")


@dataclass
class SameView(Judge):
    """All connections agree on (epoch, seq) to (text, sender, time) in `room`, live and replayed alike."""

    room: str
    least: int = 2
    _seen: dict[tuple[Any, Any], tuple[dict[str, Any], int]] = field(default_factory=dict, init=False)
    _again: int = field(default=0, init=False)
    _broken: Finding | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind != "event" or self._broken:
            return
        event = record.event
        if event.kind == "message" and event.room == self.room:
            self._compare(event.fields, record)
        elif event.kind in ("joined", "history") and event.room == self.room:
            for entry in event.entries:
                self._compare({"epoch": event.fields.get("epoch"), **entry}, record)

    def _compare(self, fields: Mapping[str, Any], record: Record) -> None:
        key = (fields.get("epoch"), fields.get("seq"))
        view = {name: fields.get(name) for name in ("text", "from", "ts")}
        if key not in self._seen:
            self._seen[key] = (view, record.index)
            return
        self._again += 1
        first, index = self._seen[key]
        if first != view:
            name = next(name for name in view if view[name] != first[name])
            here, there = shown(first[name], 60), shown(view[name], 60)
            seen = f"message {key[1]} has {name} {here} in one place, {there} in another"
            self._broken = Finding("broken", self._expected(), seen, (index, record.index))

    def _expected(self) -> str:
        return f"one view of {self.room}: the same text, sender and time under each number"

    def end(self) -> Finding:
        if self._broken:
            return self._broken
        if self._again < self.least:
            return Finding("unclear", self._expected(), f"only {self._again} messages were seen twice")
        return Finding("holds", self._expected(), f"{len(self._seen)} numbers, {self._again} compared")


@dataclass
class Seam(Judge):
    """History and live traffic join without gap or overlap: `conn` sees each of the texts exactly once in all.

    `joined` is the record of the event that carries the history; the texts are all that were sent to
    the room, in any order. Only those newer than the bound may be required: `retained` of them at the least.
    """

    conn: str
    room: str
    texts: list[str]
    after: int = 0
    _past: list[str] = field(default_factory=list, init=False)
    _live: list[str] = field(default_factory=list, init=False)
    _evidence: list[int] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.kind != "event" or record.index < self.after:
            return
        event = record.event
        if event.room not in (None, self.room):
            return
        if event.kind == "message" and event.text in self.texts:
            self._live.append(str(event.text))
            self._evidence.append(record.index)
        elif event.kind == "history" or (event.kind == "joined" and "entries" in event.fields):
            self._past += [str(entry.get("text")) for entry in event.entries]
            self._evidence.append(record.index)

    def end(self) -> Finding:
        expected = f"each of {len(self.texts)} messages once, either as history or live"
        both = self._past + self._live
        twice = [text for text in dict.fromkeys(both) if both.count(text) > 1]
        missing = [text for text in self.texts if text not in both]
        seen = f"{len(self._past)} as history, {len(self._live)} live"
        if twice:
            return Finding("broken", expected, f"{seen}; twice: {shown(twice[0], 40)}", tuple(self._evidence[:3]))
        if missing:
            seen += f"; {len(missing)} missing, first {shown(missing[0], 40)}"
            return Finding("broken", expected, seen, tuple(self._evidence[:3]))
        if not self._past or not self._live:
            return Finding("unclear", expected, f"{seen}: the join did not fall into the traffic")
        return Finding("holds", expected, seen)
