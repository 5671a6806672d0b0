"""Judges of what a server tells of the past: pages, replays beside live deliveries, what nobody may be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.dialects.matching import matches
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, shown
from .content import Pattern, Replied, view


def told(record: Record) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """The chat messages of an event record, each with whether it is of the past."""
    kind = record.data["kind"]
    if kind == "message":
        yield record.data["fields"], False
    elif kind in ("joined", "history"):
        event = record.event
        for entry in event.entries:
            yield {"room": event.room, "epoch": event.fields.get("epoch"), **entry}, True


def plain(*values: Any) -> tuple[Any, ...]:
    """What a server sent, as a key: a list or map where a plain value belongs stands as its text."""
    return tuple(value if isinstance(value, str | int | float | None) else repr(value) for value in values)


@dataclass
class Claimed(Judge):
    """The target claims a number for `name`: what it does not promise is not judged."""

    name: str
    value: float | None = None

    def step(self, record: Record) -> None: ...

    def end(self) -> Finding:
        expected = f"the dialect claims {self.name}"
        if self.value is None:
            return Finding("broken", expected, "it claims no number")
        return Finding("holds", expected, f"{self.value:g}")


@dataclass
class Page(Replied):
    """Join or history request `op` is answered by exactly these messages: `texts`, numbered from `low`, ascending.

    They belong to the answer's room and epoch (HIST-1, HIST-5, HIST-6, RES-1); `where` is for the rest of it.
    Without `numbered` only the texts count, without `ordered` their order does not.
    """

    texts: list[str] = field(default_factory=list)
    low: int = 1
    numbered: bool = True
    ordered: bool = True

    def end(self) -> Finding:
        finding = super().end()
        if finding.outcome != "holds" or self._event is None or self._began is None:
            return finding
        event, what = self._event.event, self._began.data["op"]
        wanted = [(number, text) for number, text in enumerate(self.texts, self.low)]
        got = [(entry.get("seq"), entry.get("text")) for entry in event.entries]
        expected = f"{what} answered with {self._shown(wanted)}"
        for entry in event.entries:
            for name in ("room", "epoch"):
                if entry.get(name) != event.fields.get(name):
                    seen = f"message {entry.get('seq')} has {name} {shown(entry.get(name))}"
                    seen += f", the answer {shown(event.fields.get(name))}"
                    return Finding("broken", expected, seen, finding.evidence)
        if self._key(got) == self._key(wanted):
            return Finding("holds", expected, f"{len(got)} messages", finding.evidence)
        seen = self._shown(got)
        if sorted(got, key=str) == sorted(wanted, key=str):
            seen += ", the right ones in another order"
        elif differences := [(g, w) for g, w in zip(got, wanted, strict=False) if g[1] != w[1]]:
            wrong, right = differences[0]
            seen += f", where number {wrong[0]} is {shown(wrong[1], 60)} and not {shown(right[1], 60)}"
        return Finding("broken", expected, seen, finding.evidence)

    def _key(self, messages: list[tuple[Any, Any]]) -> list[str]:
        keys = [str((number if self.numbered else None, text)) for number, text in messages]
        return keys if self.ordered else sorted(keys)

    def _shown(self, messages: list[tuple[Any, Any]]) -> str:
        if not messages:
            return "no messages"
        count = "1 message" if len(messages) == 1 else f"{len(messages)} messages"
        if not self.numbered:
            return count
        return f"{count}, {shown(messages[0][0])}" + (f" … {shown(messages[-1][0])}" if len(messages) > 1 else "")


@dataclass
class Replayed(Judge):
    """Each of `texts` that comes again as history equals its live delivery, in the fields that both show (HIST-7).

    With `names` these must be shown by both; without, what the dialect reads from either form is compared.
    """

    room: str
    texts: list[str]
    names: list[str] = field(default_factory=list)
    _live: dict[str, tuple[dict[str, Any], int]] = field(default_factory=dict, init=False)
    _past: list[tuple[dict[str, Any], int]] = field(default_factory=list, init=False)

    def step(self, record: Record) -> None:
        if record.kind != "event":
            return
        for fields, past in told(record):
            if fields.get("text") not in self.texts or fields.get("room") not in (None, self.room):
                continue
            if past:
                self._past.append((dict(fields), record.index))
            else:
                self._live.setdefault(str(fields["text"]), (dict(fields), record.index))

    def end(self) -> Finding:
        names = self.names or ["from", "ts", "seq", "epoch"]
        expected = f"each of {len(self.texts)} messages replayed as it was delivered, with the same {', '.join(names)}"
        for fields, index in self._past:
            text = fields["text"]
            if text not in self._live:
                continue
            live, first = self._live[text]
            for name in names:
                if not self.names and None in (live.get(name), fields.get(name)):
                    continue
                if name not in live or live.get(name) != fields.get(name):
                    seen = f"{shown(text, 40)} had {name} {shown(live.get(name), 60)} live, "
                    seen += f"{shown(fields.get(name), 60)} as history"
                    return Finding("broken", expected, seen, (first, index))
        both = self._live.keys() & {fields["text"] for fields, _ in self._past}
        if len(both) < len(self.texts):
            missing = next(text for text in self.texts if text not in both)
            return Finding(
                "broken", expected, f"{len(both)} were seen live and as history; not so {shown(missing, 60)}"
            )
        return Finding("holds", expected, f"{len(self._past)} replays compared")


@dataclass
class Untold(Judge):
    """None of `texts` comes to `conn` (None: to anybody) in any form: live, replayed, or inside whatever else.

    `fence` is a pattern of an event that must come to `conn` after record `after`: by then it would have been seen.
    """

    conn: str | None
    texts: list[str]
    after: int = 0
    fence: Pattern = None
    _hit: tuple[str, Record] | None = field(default=None, init=False)
    _fenced: bool = field(default=False, init=False)

    def step(self, record: Record) -> None:
        if record.kind != "event" or record.index < self.after or self.conn not in (None, record.conn):
            return
        if self._hit is None:
            leaked = next((text for text in _strings(record.data["tree"]) if text in self.texts), None)
            self._hit = None if leaked is None else (leaked, record)
        if self.fence is not None and matches(self.fence, view(record.event)):
            self._fenced = True

    def end(self) -> Finding:
        names = shown(self.texts[0], 40) if len(self.texts) == 1 else f"any of {len(self.texts)} messages"
        expected = f"{self.conn or 'nobody'} is not told {names}" if self.conn else f"nobody is told {names}"
        if self._hit is not None:
            text, record = self._hit
            kind = record.data["kind"]
            seen = f"{shown(text, 40)} came to {record.conn} inside a {kind} event: {shown(record.data['tree'])}"
            return Finding("broken", expected, seen, (record.index,))
        if self.fence is not None and not self._fenced:
            return Finding(
                "unclear",
                expected,
                f"the fence {shown(self.fence)} did not come either, so nothing is proven",
            )
        return Finding("holds", expected, "it never came")


def _strings(tree: Any) -> Iterator[str]:
    """Every string value of a decoded tree; iterative, for trees of any depth."""
    stack = [tree]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
