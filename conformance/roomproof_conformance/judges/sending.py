"""Judges of what becomes of a `send`: its acknowledgement, its refusal, its retry under the same `mid`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from roomproof_conformance.events import Event
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding

from .base import Judge, shown
from .replay import plain, told

KEPT_ANYWAY = ("unavailable", "internal")
"""Refusals whose outcome is unknown (section 4): they may have been stored."""

Number = tuple[Any, ...]


@dataclass
class _Sends(Judge):
    """Follows the sends `ops` (all of the case when empty) to their answers."""

    reads = frozenset({"op", "event", "reply"})
    ops: list[int] = field(default_factory=list)
    _begun: dict[int, Record] = field(default_factory=dict, init=False)
    _answers: dict[int, tuple[bool, Event, int]] = field(default_factory=dict, init=False)
    _events: dict[int, Event] = field(default_factory=dict, init=False)

    def step(self, record: Record) -> None:
        if record.kind == "op" and record.data["op"] == "send" and (not self.ops or record.index in self.ops):
            self._begun[record.index] = record
        elif record.kind == "event":
            if record.data["kind"] in ("ack", "error", "rate_limited"):
                self._events[record.index] = record.event
            for fields, past in told(record):
                self._heard(fields, past, record)
        elif record.kind == "reply" and record.data["op"] in self._begun:
            index = record.data.get("event")
            if index in self._events:
                self._answers[record.data["op"]] = (record.data["ok"], self._events.pop(index), record.index)

    def _heard(self, fields: Any, past: bool, record: Record) -> None:
        """A chat message came, live or of the past."""

    @property
    def _unanswered(self) -> list[int]:
        return [op for op in self._begun if op not in self._answers]


def _number(fields: Any) -> Number:
    return plain(fields.get("room"), fields.get("epoch"), fields.get("seq"))


@dataclass
class Acknowledged(_Sends):
    """Each admitted send is answered with the epoch, number and time of its `message` (MSG-1).

    A send that is named in `ops` must have come as a message; of the others those that did are compared.
    """

    _heard_as: dict[Number, tuple[Any, Any, int]] = field(default_factory=dict, init=False)

    def _heard(self, fields: Any, past: bool, record: Record) -> None:
        if not past:
            number = _number(fields)
            self._heard_as.setdefault(number, (fields.get("text"), fields.get("ts"), record.index))

    def end(self) -> Finding:
        expected = "each sent names the epoch, number and time of its message"
        compared = 0
        for op, (ok, event, _) in self._answers.items():
            number, text = _number(event.fields), self._begun[op].data["args"]["text"]
            heard, ts, index = self._heard_as.get(number, (None, None, op))
            if not ok or (heard != text and not self.ops):
                continue
            compared += 1
            if heard != text:
                what = f"is {shown(heard, 60)}" if index != op else "never came"
                seen = f"sent for {shown(text, 60)} names number {shown(number[2])}, which {what}"
                return Finding("broken", expected, seen, (op, index))
            if ts != event.fields.get("ts"):
                seen = f"sent gives number {number[2]} time {shown(event.fields.get('ts'))}, its message {shown(ts)}"
                return Finding("broken", expected, seen, (op, index))
        if compared < len(self.ops):
            missing = len(self.ops) - compared
            return Finding("broken", expected, f"{missing} of {len(self.ops)} were not answered by sent")
        if not compared:
            return Finding("unclear", expected, "no message was seen together with its sent")
        return Finding("holds", expected, f"{compared} compared")


@dataclass
class NoTrace(_Sends):
    """The refused ones among the sends `ops` are never delivered and never in a history (MSG-4)."""

    least: int = 1
    _told: dict[str, Record] = field(default_factory=dict, init=False)

    def _heard(self, fields: Any, past: bool, record: Record) -> None:
        self._told.setdefault(str(fields.get("text")), record)

    def end(self) -> Finding:
        expected = "what was refused is neither delivered nor stored"
        refused = [op for op, (ok, event, _) in self._answers.items() if not ok and event.code not in KEPT_ANYWAY]
        for op in refused:
            text = self._begun[op].data["args"]["text"]
            if text in self._told:
                code = self._answers[op][1].code
                seen = f"{shown(text, 40)} was refused ({code}) and came to {self._told[text].conn} all the same"
                return Finding("broken", expected, seen, (op, self._told[text].index))
        if len(refused) < self.least:
            return Finding("broken", f"at least {self.least} refused", f"{len(refused)} of {len(self._begun)} refused")
        return Finding("holds", expected, f"{len(refused)} of {len(self._begun)} refused")


@dataclass
class OneOfThem(_Sends):
    """Sends racing under one `mid` get one number and time; exactly one answer says `duplicate: false` (MSG-12)."""

    def end(self) -> Finding:
        expected = f"{len(self.ops)} answers with one number and time, exactly one of them duplicate: false"
        refused = [event for ok, event, _ in self._answers.values() if not ok]
        if refused:
            return Finding("broken", expected, f"one was refused: {shown(refused[0].tree)}", tuple(self.ops))
        if self._unanswered:
            return Finding("broken", expected, f"{len(self._unanswered)} not answered", tuple(self._unanswered))
        answers = [event.fields for _, event, _ in self._answers.values()]
        names = ("room", "epoch", "seq", "ts")
        different = [name for name in names if len({str(fields.get(name)) for fields in answers}) > 1]
        if different:
            values = " and ".join(shown(fields.get(different[0])) for fields in answers)
            return Finding("broken", expected, f"{different[0]} differs: {values}", tuple(self.ops))
        said = [fields.get("duplicate") for fields in answers]
        if sorted(map(str, said)) != ["False", *["True"] * (len(said) - 1)]:
            return Finding("broken", expected, f"duplicate is {' and '.join(map(shown, said))}", tuple(self.ops))
        return Finding("holds", expected, f"number {answers[0].get('seq')}")


@dataclass
class RetryTells(_Sends):
    """After its connection dropped, a send is stored once or not at all, and its retry tells which (MSG-14).

    `ops` are the attempts under one `mid` in the order made, the last one being the retry on a new connection;
    `conn` is a member throughout. `duplicate: true` says that the message was there before the retry.
    """

    conn: str = ""
    _came: dict[str, list[tuple[Number, int]]] = field(default_factory=lambda: defaultdict(list), init=False)
    _numbers: dict[str, set[Number]] = field(default_factory=lambda: defaultdict(set), init=False)

    def _heard(self, fields: Any, past: bool, record: Record) -> None:
        text = str(fields.get("text"))
        self._numbers[text].add(_number(fields))
        if not past and record.conn == self.conn:
            self._came[text].append((_number(fields), record.index))

    def end(self) -> Finding:
        expected = "one message, and a retry that says whether the first attempt had stored it"
        retry = self.ops[-1]
        if retry not in self._answers:
            return Finding("broken", expected, "the retry was not answered", (retry,))
        ok, event, _ = self._answers[retry]
        if not ok:
            return Finding("broken", expected, f"the retry was refused: {shown(event.tree)}", (retry,))
        text = self._begun[retry].data["args"]["text"]
        came, duplicate = self._came[text], event.fields.get("duplicate")
        evidence = (*self.ops, *(index for _, index in came[:2]))
        if len(came) != 1 or len(self._numbers[text]) != 1:
            seen = f"it came to {self.conn} {len(came)} times, under {len(self._numbers[text])} numbers"
            return Finding("broken", expected, seen, evidence)
        number, index = came[0]
        if number != _number(event.fields):
            seen = f"the retry names number {shown(event.fields.get('seq'))}, the message has {shown(number[2])}"
            return Finding("broken", expected, seen, evidence)
        if duplicate is not True and index < retry:
            seen = f"duplicate is {shown(duplicate)}, but the message had come to {self.conn} before the retry was made"
            return Finding("broken", expected, seen, evidence)
        if not isinstance(duplicate, bool):
            return Finding("broken", expected, f"duplicate is {shown(duplicate)}", evidence)
        return Finding("holds", expected, "it was stored before" if duplicate else "the retry stored it", evidence)
