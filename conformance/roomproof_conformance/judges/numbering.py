"""Judges of numbers, times and order over whole rooms; those without parameters can watch every case of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import EVENTS, Judge, shown
from .replay import plain, told


@dataclass
class SeamNumber(Judge):
    """The first live message of a room after `joined` is numbered one above the head that it stated (HIST-4)."""

    reads = frozenset({"event", "end"})
    room: str | None = None
    conn: str | None = None
    _heads: dict[tuple[Any, ...], tuple[Any, int, int]] = field(default_factory=dict, init=False)
    _seams: int = field(default=0, init=False)
    _broken: Finding | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "end":
            self._heads = {key: head for key, head in self._heads.items() if key[0] != record.conn}
            return
        if record.kind != "event" or self._broken or self.conn not in (None, record.conn):
            return
        kind, fields = record.data["kind"], record.data["fields"]
        room, number = fields.get("room"), fields.get("seq")
        if room is None or self.room not in (None, room) or (kind != "message" and fields.get("from") is not None):
            return
        key = plain(record.conn, room)
        if kind in ("left", "notice", "joined"):
            self._heads.pop(key, None)
        if kind == "joined" and isinstance(number, int):
            self._heads[key] = (fields.get("epoch"), number, record.index)
        elif kind == "message" and key in self._heads:
            epoch, head, index = self._heads.pop(key)
            self._seams += 1
            if (fields.get("epoch"), number) != (epoch, head + 1):
                what = "another epoch" if fields.get("epoch") != epoch else f"number {shown(number)}"
                seen = f"{record.conn} joined {room} at head {head} and then got {what}"
                self._broken = Finding("broken", self._expected(), seen, (index, record.index))

    def _expected(self) -> str:
        return "the first message after a join numbered head + 1"

    def end(self) -> Finding:
        if self._broken:
            return self._broken
        if not self._seams:
            return Finding("unclear", self._expected(), "no message followed a join")
        return Finding("holds", self._expected(), f"{self._seams} joins")


@dataclass
class TimesRise(Judge):
    """On each connection the times of a room's live messages do not decrease (MSG-8)."""

    reads = EVENTS
    room: str | None = None
    conn: str | None = None
    _last: dict[tuple[Any, ...], tuple[Any, int]] = field(default_factory=dict, init=False)
    _compared: int = field(default=0, init=False)
    _broken: Finding | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind != "event" or record.data["kind"] != "message" or self.conn not in (None, record.conn):
            return
        fields = record.data["fields"]
        room, ts = fields.get("room"), fields.get("ts")
        if self.room not in (None, room) or isinstance(ts, bool) or not isinstance(ts, int | float):
            return
        key = plain(record.conn, room, fields.get("epoch"))
        if key in self._last:
            before, index = self._last[key]
            self._compared += 1
            if ts < before and self._broken is None:
                seen = f"{record.conn} got time {ts} after {before}, {before - ts:g} ms back"
                self._broken = Finding("broken", self._expected(), seen, (index, record.index))
        self._last[key] = (ts, record.index)

    def _expected(self) -> str:
        return "no message with an earlier time than the one before it"

    def end(self) -> Finding:
        if self._broken:
            return self._broken
        if not self._compared:
            return Finding("unclear", self._expected(), "no two messages with a time in milliseconds were seen")
        return Finding("holds", self._expected(), f"{self._compared} pairs")


@dataclass
class OneStream(Judge):
    """In every room, everybody sees the same text, sender and time under each number, live and replayed (MSG-6)."""

    reads = EVENTS
    _seen: dict[tuple[Any, ...], tuple[dict[str, Any], int]] = field(default_factory=dict, init=False)
    _again: int = field(default=0, init=False)
    _broken: Finding | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind != "event" or self._broken:
            return
        for fields, _ in told(record):
            if not isinstance(fields.get("seq"), int):
                continue
            key = plain(fields.get("room"), fields.get("epoch"), fields["seq"])
            shape = {name: fields.get(name) for name in ("text", "from", "name", "ts")}
            first, index = self._seen.setdefault(key, (shape, record.index))
            self._again += index != record.index
            for name in shape:
                if shape[name] != first[name] and self._broken is None:
                    seen = f"message {key[2]} of {key[0]} has {name} {shown(first[name], 60)} in one place, "
                    seen += f"{shown(shape[name], 60)} in another"
                    self._broken = Finding("broken", self._expected(), seen, (index, record.index))

    def _expected(self) -> str:
        return "the same text, sender and time under each number of a room, for everybody"

    def end(self) -> Finding:
        if self._broken:
            return self._broken
        if not self._again:
            return Finding("unclear", self._expected(), "no numbered message was seen twice")
        return Finding("holds", self._expected(), f"{len(self._seen)} numbers, compared {self._again} times")


@dataclass
class OneOrder(Judge):
    """`conns` see the messages of `room` in one order, live and replayed alike, with the same `names` of each (MSG-6).

    Compared is what two connections have in common, at least `least` messages; numbers are not needed.
    """

    room: str
    conns: list[str]
    least: int = 2
    newest_first: bool = False
    names: list[str] = field(default_factory=lambda: ["from", "ts"])
    _views: dict[str, dict[str, tuple[Mapping[str, Any], int]]] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.kind != "event" or record.conn not in self.conns:
            return
        messages = [fields for fields, _ in told(record)]
        for fields in reversed(messages) if self.newest_first else messages:
            if fields.get("room") in (None, self.room):
                view = self._views.setdefault(record.conn, {})
                view.setdefault(str(fields.get("text")), (fields, record.index))

    def end(self) -> Finding:
        expected = f"one order of the messages of {self.room} on {', '.join(self.conns)}"
        compared = 0
        first = self._views.get(self.conns[0], {})
        for conn in self.conns[1:]:
            other = self._views.get(conn, {})
            mine = [text for text in first if text in other]
            theirs = [text for text in other if text in first]
            if len(mine) < self.least:
                return Finding("broken", expected, f"{self.conns[0]} and {conn} have {len(mine)} messages in common")
            compared += len(mine)
            for one, two in zip(mine, theirs, strict=True):
                if one != two:
                    seen = f"where {self.conns[0]} got {shown(one, 40)}, {conn} got {shown(two, 40)}"
                    return Finding("broken", expected, seen, (first[one][1], other[two][1]))
            for text in mine:
                for name in self.names:
                    a, b = first[text][0].get(name), other[text][0].get(name)
                    if None not in (a, b) and a != b:
                        seen = (
                            f"{shown(text, 40)} has {name} {shown(a, 40)} on {self.conns[0]}, {shown(b, 40)} on {conn}"
                        )
                        return Finding("broken", expected, seen, (first[text][1], other[text][1]))
        return Finding("holds", expected, f"{compared} messages compared")
