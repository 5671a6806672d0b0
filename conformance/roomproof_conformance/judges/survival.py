"""What must outlive a server process: acknowledged messages, their numbers, and the meaning of a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from roomproof_conformance.judges.base import Judge, shown
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding


@dataclass
class ComesBack(Judge):
    """The server that was started again with record `start` lets two clients talk."""

    start: int
    _outcome: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "mark" and record.index > self.start and self._outcome is None and "server" in record.data:
            self._outcome = record

    def end(self) -> Finding:
        expected = "two clients that talk on the server that was started again"
        if self._outcome is None:
            return Finding("unclear", expected, "the start was not waited for", (self.start,))
        came = self._outcome.data["server"] == "back"
        return Finding("holds" if came else "broken", expected, self._outcome.data["name"], (self._outcome.index,))


@dataclass
class Survives(Judge):
    """Every message of `room` acknowledged before record `restart` is in a history given after it, under its number.

    And no (epoch, seq) that any client saw, acknowledged, live or replayed, names two texts (MSG-18, HIST-10).
    `least` acknowledgements must have come before, or nothing was put to the test.
    """

    room: str
    restart: int
    least: int = 1
    _texts: dict[int, str] = field(default_factory=dict, init=False)
    _acked: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict, init=False)
    _named: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict, init=False)
    _after: set[tuple[str, int]] = field(default_factory=set, init=False)
    _given: list[int] = field(default_factory=list, init=False)
    _last_ack: tuple[int, Mapping[str, Any]] = field(default=(-1, MappingProxyType({})), init=False)
    _clash: tuple[tuple[str, int], str, str, tuple[int, int]] | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "op" and record.data["op"] == "send" and record.data["args"].get("room") == self.room:
            self._texts[record.index] = record.data["args"]["text"]
        elif record.kind == "event" and record.data["fields"].get("room") == self.room:
            self._event(record)
        elif record.kind == "reply" and record.data["op"] in self._texts and record.data["ok"]:
            self._acknowledged(record)

    def _event(self, record: Record) -> None:
        kind, fields = record.data["kind"], record.data["fields"]
        if kind == "ack":
            self._last_ack = (record.index, fields)
        elif kind == "message":
            self._name(fields.get("epoch"), fields, record)
        elif kind in ("joined", "history") and "entries" in fields:
            for entry in fields["entries"]:
                key = self._name(entry.get("epoch") or fields.get("epoch"), entry, record)
                if record.index > self.restart:
                    self._after.add(key)
            if record.index > self.restart:
                self._given.append(record.index)

    def _acknowledged(self, record: Record) -> None:
        index, fields = self._last_ack
        if index != record.data["event"]:
            return
        text = self._texts[record.data["op"]]
        key = self._name(fields.get("epoch"), {**fields, "text": text}, record)
        if record.index < self.restart:
            self._acked[key] = (text, record.index)

    def _name(self, epoch: Any, fields: Mapping[str, Any], record: Record) -> tuple[str, int]:
        key = (str(epoch), int(fields.get("seq") or 0))
        text = str(fields.get("text"))
        first, index = self._named.setdefault(key, (text, record.index))
        if first != text and self._clash is None:
            self._clash = (key, first, text, (index, record.index))
        return key

    def end(self) -> Finding:
        expected = f"all that was acknowledged in {self.room} is there after the restart, under the same numbers"
        if self._clash is not None:
            key, first, second, evidence = self._clash
            seen = f"number {key[1]} of epoch {key[0]} names {shown(first, 60)}, then {shown(second, 60)}"
            return Finding("broken", expected, seen, evidence)
        lost = [(key, text, index) for key, (text, index) in self._acked.items() if key not in self._after]
        if len(self._acked) < self.least:
            return Finding("unclear", expected, f"only {len(self._acked)} messages were acknowledged before")
        if not self._given:
            return Finding("broken", expected, "no history was given after the restart")
        if lost:
            key, text, index = lost[0]
            seen = f"{len(lost)} of {len(self._acked)} acknowledged are missing, first {key[1]}: {shown(text, 60)}"
            return Finding("broken", expected, seen, (index, self._given[0]))
        return Finding("holds", expected, f"{len(self._acked)} acknowledged, all there", (self._given[0],))
