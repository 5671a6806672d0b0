"""Judges of who is said to come and go: when an event comes, and where it stands among the user's messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.dialects.matching import matches
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, shown
from .content import view


@dataclass
class ComesAt(Judge):
    """One event like `where` comes to `conn`, `earliest` to `latest` seconds after record `after` (PRES-3)."""

    conn: str
    where: Any
    after: int
    earliest: float
    latest: float
    _start: float = field(default=0.0, init=False)
    _hits: list[Record] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        elif record.conn != self.conn or record.index < self.after or record.kind != "event":
            return
        elif matches(self.where, view(record.event)):
            self._hits.append(record)

    def end(self) -> Finding:
        expected = f"{shown(self.where)} once on {self.conn}, after {self.earliest:g} to {self.latest:g} s"
        evidence = (self.after, *(r.index for r in self._hits[:2]))
        if not self._hits:
            return Finding("broken", expected, f"nothing of the kind in {self.last - self._start:.2f} s", evidence)
        if len(self._hits) > 1:
            return Finding("broken", expected, f"{len(self._hits)} times", evidence)
        took = self._hits[0].t - self._start
        seen = f"it came after {took:.2f} s"
        if took < self.earliest:
            return Finding("unclear" if self.earliest - took <= self.noise else "broken", expected, seen, evidence)
        return Finding(self.bounded(took, self.latest), expected, seen, evidence)


@dataclass
class Framed(Judge):
    """On `conn` the event `joins` precedes the messages `texts`, and the event `leaves` follows them (PRES-7).

    `joins` and `leaves` are patterns; None where the server announces nothing of the kind.
    """

    conn: str
    texts: list[str]
    joins: Any = None
    leaves: Any = None
    after: int = 0
    _came: Record | None = field(default=None, init=False)
    _left: Record | None = field(default=None, init=False)
    _messages: list[Record] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.index <= self.after or record.kind != "event":
            return
        event = record.event
        seen = view(event)
        if event.kind == "message" and event.text in self.texts:
            self._messages.append(record)
        elif self.joins is not None and self._came is None and matches(self.joins, seen):
            self._came = record
        elif self.leaves is not None and matches(self.leaves, seen):
            self._left = record

    def end(self) -> Finding:
        expected = "the user's join event, then the messages, then the leave event"
        if self.joins is None or self.leaves is None:
            expected = f"the user's {'join event before' if self.leaves is None else 'leave event after'} the messages"
        came, left, messages = self._came, self._left, self._messages
        evidence = tuple(sorted(r.index for r in (came, left, *messages[:1], *messages[-1:]) if r is not None))
        if len(messages) < len(self.texts):
            return Finding("broken", expected, f"{len(messages)} of {len(self.texts)} messages came", evidence)
        if self.joins is not None and came is None:
            return Finding("broken", expected, "no join event", evidence)
        if self.leaves is not None and left is None:
            return Finding("broken", expected, "no leave event", evidence)
        if came is not None and came.index > messages[0].index:
            return Finding("broken", expected, f"the first message came before {shown(came.event.tree)}", evidence)
        if left is not None and left.index < messages[-1].index:
            return Finding("broken", expected, f"a message came after {shown(left.event.tree)}", evidence)
        return Finding("holds", expected, "in this order", evidence)
