"""Judges of what was said: events that arrive, events that must not, replies, histories."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.dialects.matching import explain, matches
from roomproof_conformance.events import Event
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, how_it_ended, shown

Pattern = Any


def view(event: Event) -> dict[str, Any]:
    """What a pattern is matched against: the fields, with `kind` and `tree` beside them."""
    return {**event.fields, "kind": event.kind, "tree": event.tree}


@dataclass
class Arrives(Judge):
    """Between records `after` and `until`, `conn` gets `count` events that match `where`.

    With `within` (seconds) the first of them must come that soon after record `after`.
    """

    conn: str
    where: Pattern
    after: int = 0
    until: int | None = None
    count: int = 1
    at_least: bool = False
    within: float | None = None
    _hits: list[Record] = field(default_factory=list, init=False)
    _others: list[Record] = field(default_factory=list, init=False)
    _start: float = field(default=0.0, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.conn != self.conn or record.index < self.after:
            return
        if self.until is not None and record.index > self.until:
            return
        if record.kind == "event":
            if matches(self.where, view(record.event)):
                self._hits.append(record)
            else:
                self._others = [*self._others[-2:], record]
        elif record.kind == "end" and record.data["by"] == "server":
            self._end = record

    def starts(self) -> int:
        return self.after

    def settled(self) -> bool:
        return len(self._hits) > self.count

    def end(self) -> Finding:
        expected = f"{'at least ' if self.at_least else ''}{_times(self.count)} {shown(self.where)} on {self.conn}"
        hits = self._hits
        evidence = tuple(r.index for r in hits[:5])
        if len(hits) < self.count:
            seen = "nothing of the kind" if not hits else _times(len(hits))
            seen += f" in {self.last - self._start:.2f} s"
            if self._end:
                seen += f"; {how_it_ended(self._end)}"
                evidence += (self._end.index,)
            if self._others:
                seen += f"; last other event: {shown(self._others[-1].event.tree)}"
                evidence += tuple(r.index for r in self._others)
            evidence = (self.after, *evidence)  # what should have brought it about
            return Finding("broken", expected, seen, evidence)
        if len(hits) > self.count and not self.at_least:
            return Finding("broken", expected, f"{_times(len(hits))}: {shown(hits[-1].event.tree)} again", evidence)
        if self.within is not None and hits:
            took = hits[0].t - self._start
            outcome = self.bounded(took, self.within)
            if outcome != "holds":
                return Finding(outcome, f"{expected} within {self.within:g} s", f"it came after {took:.2f} s", evidence)
        return Finding("holds", expected, f"{_times(len(hits))}", evidence)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


@dataclass
class Absent(Judge):
    """No event that matches `where` comes to `conn` between records `after` and `until`.

    `fence` is a pattern that must have come on the same connection after `after` (the proof that
    it would have been seen); without one, `quiet` says how long (seconds) the kit listened.
    """

    conn: str
    where: Pattern
    after: int = 0
    until: int | None = None
    fence: Pattern = None
    quiet: float = 0.0
    _hit: Record | None = field(default=None, init=False)
    _fenced: bool = field(default=False, init=False)
    _start: float = field(default=0.0, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        if record.index < self.after or record.conn != self.conn or record.kind != "event":
            return
        if self.until is not None and record.index > self.until:
            return
        seen = view(record.event)
        if self._hit is None and matches(self.where, seen):
            self._hit = record
        if self.fence is not None and matches(self.fence, seen):
            self._fenced = True

    def starts(self) -> int:
        return self.after

    def end(self) -> Finding:
        expected = f"no {shown(self.where)} on {self.conn}"
        if self._hit is not None:
            return Finding("broken", expected, f"it came: {shown(self._hit.event.tree)}", (self._hit.index,))
        if self.fence is not None and not self._fenced:
            return Finding(
                "unclear",
                expected,
                f"the fence {shown(self.fence)} did not come either, so nothing is proven",
            )
        if self.fence is None and self.last - self._start < self.quiet - 0.05:
            return Finding("unclear", expected, f"listened for {self.last - self._start:.2f} s only")
        return Finding("holds", expected, "none came")


@dataclass
class Replied(Judge):
    """Operation `op` (record index) is answered, by an event that matches `where`; `ok` tells success from refusal."""

    op: int
    where: Pattern = None
    ok: bool | None = None
    within: float | None = None
    _began: Record | None = field(default=None, init=False)
    _reply: Record | None = field(default=None, init=False)
    _event: Record | None = field(default=None, init=False)
    _records: dict[int, Record] = field(default_factory=dict, init=False)
    _end: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.op:
            self._began = record
        elif self._began is None or record.conn != self._began.conn:
            return
        elif record.kind == "event" and self._reply is None:
            self._records[record.index] = record
        elif record.kind == "reply" and record.data["op"] == self.op:
            self._reply = record
            index = record.data["event"]
            if index is not None and "early" in record.data:  # the answer came before it was asked for
                self._event = Record(index, self._began.t, record.conn, "event", record.data["early"])
            elif index is not None:
                self._event = self._records.get(index)
            self._records.clear()
        elif record.kind == "end":
            self._end = record

    def starts(self) -> int:
        return self.op

    def decided(self) -> bool:
        return self._reply is not None

    def settled(self) -> bool:
        return self._reply is not None

    def end(self) -> Finding:
        what = self._began.data["op"] if self._began else "operation"
        wanted = "an answer" if self.ok is None else "success" if self.ok else "a refusal"
        expected = f"{what}: {wanted}" + (f" matching {shown(self.where)}" if self.where is not None else "")
        began, reply, event = self._began, self._reply, self._event
        if began and reply and reply.data.get("event") is None and self.where is None and reply.data["ok"] == self.ok:
            return Finding("holds", expected, "no answer is promised", (began.index,))
        if began is None or reply is None or event is None:
            seen = "no answer" if began is None else f"no answer in {self.last - began.t:.2f} s"
            if self._end is not None:
                seen += f"; {how_it_ended(self._end)}"
            evidence = tuple(r.index for r in (began, self._end) if r is not None)
            return Finding("broken", expected, seen, evidence)
        evidence = (began.index, event.index)
        if self.ok is not None and reply.data["ok"] is not self.ok:
            return Finding("broken", expected, f"got {shown(event.event.tree)}", evidence)
        if self.where is not None:
            difference = explain(self.where, view(event.event))
            if difference is not None:
                return Finding("broken", expected, f"{difference}; got {shown(event.event.tree)}", evidence)
        if self.within is not None:
            took = event.t - began.t
            outcome = self.bounded(took, self.within)
            if outcome != "holds":
                return Finding(outcome, f"{expected} within {self.within:g} s", f"it came after {took:.2f} s", evidence)
        return Finding("holds", expected, shown(event.event.tree), evidence)


@dataclass
class Shows(Judge):
    """The event of record `record` matches `where`."""

    record: int
    where: Pattern
    _event: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.record and record.kind == "event":
            self._event = record

    def settled(self) -> bool:
        return True

    def end(self) -> Finding:
        expected = shown(self.where)
        if self._event is None:
            return Finding("broken", expected, "there is no such event")
        difference = explain(self.where, view(self._event.event))
        if difference is None:
            return Finding("holds", expected, shown(self._event.event.tree), (self.record,))
        return Finding("broken", expected, f"{difference}; got {shown(self._event.event.tree)}", (self.record,))


@dataclass
class History(Judge):
    """The messages of the past that `conn` is given for `room` between records `after` and `until`.

    `texts` is what they must be, oldest first; `newest_of` relaxes that to "the newest of these, at
    most `bound`, in order, without gaps" (for servers whose bound counts other lines too).
    """

    conn: str
    room: str
    texts: list[str] = field(default_factory=list)
    after: int = 0
    until: int | None = None
    newest_of: bool = False
    bound: int | None = None
    newest_first: bool = False
    at_least: int = 1
    _got: list[str] = field(default_factory=list, init=False)
    _evidence: list[int] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.conn != self.conn or record.kind != "event" or record.index < self.after:
            return
        if self.until is not None and record.index > self.until:
            return
        event = record.event
        if event.kind not in ("history", "joined") or (event.room is not None and event.room != self.room):
            return
        if event.kind == "joined" and "entries" not in event.fields:
            return
        self._got += [str(entry.get("text", "")) for entry in event.entries]
        self._evidence.append(record.index)

    def starts(self) -> int:
        return self.after

    def end(self) -> Finding:
        got = self._got[::-1] if self.newest_first else self._got
        evidence = tuple(self._evidence[:3]) or (self.after,)
        if self.newest_of:
            bound = self.bound if self.bound is not None else len(self.texts)
            expected = f"the newest at most {bound} of {len(self.texts)} messages, oldest first, without gaps"
            right = len(got) <= bound and len(got) >= min(self.at_least, len(self.texts))
            right = right and got == self.texts[len(self.texts) - len(got) :]
            return Finding("holds" if right else "broken", expected, _difference(self.texts[-bound:], got), evidence)
        expected = f"exactly {len(self.texts)} messages: {_ends(self.texts)}"
        if got == self.texts:
            return Finding("holds", expected, f"{len(got)} messages", evidence)
        return Finding("broken", expected, _difference(self.texts, got), evidence)


def _ends(texts: list[str]) -> str:
    if not texts:
        return "none"
    return shown(texts[0], 40) if len(texts) == 1 else f"{shown(texts[0], 40)} … {shown(texts[-1], 40)}"


def _difference(wanted: list[str], got: list[str]) -> str:
    seen = f"{len(got)} messages: {_ends(got)}"
    if got == wanted[::-1] and len(got) > 1:
        return f"{seen} (the right ones, newest first)"
    if sorted(got) == sorted(wanted) and got != wanted:
        return f"{seen} (the right ones in another order)"
    missing = [text for text in wanted if text not in got]
    extra = [text for text in got if text not in wanted]
    twice = sorted({text for text in got if got.count(text) > 1})
    parts = [
        f"{name}: {len(texts)}, first {shown(texts[0], 40)}"
        for name, texts in (("missing", missing), ("unexpected", extra), ("repeated", twice))
        if texts
    ]
    return "; ".join([seen, *parts])
