"""A transcript as steps that can be repeated one after another, and left out.

What the server did is not repeated; it says what a step has to wait for. Knows no socket and no verdict.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from roomproof_conformance.transcript import Record, Transcript

StepKind = Literal["open", "op", "frame", "local", "token", "server", "mark", "pause", "statement"]

PAUSE = 0.3
"""Seconds before a step from which the kit is taken to have waited on purpose, though no mark says so."""
CLOSE, PING, PONG = 8, 9, 10
OUTCOMES = ("back", "gone")
"""What a mark says of a server that was started again: it follows by itself."""


@dataclass(frozen=True)
class Step:
    """Something that the kit did: `index` is its record in the file, `seconds` how long it lasted there.

    Of a statement these are the seconds until it held, or was given up. `awaits` is what had come since the
    step before.
    """

    index: int
    conn: str
    kind: StepKind
    data: Mapping[str, Any]
    seconds: float = 0.0
    awaits: tuple[Record, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether it is a step that can be left out by itself."""
        return self.kind in ("op", "frame", "local", "pause")

    @property
    def leaves(self) -> bool:
        """Whether the connection is ended by it."""
        if self.kind == "frame":
            return bool(self.data["opcode"] == CLOSE)
        return self.kind == "local" and self.data["action"] in ("reset", "half-close")


@dataclass(frozen=True)
class Conversation:
    """The steps of a transcript, or those that are kept of it."""

    transcript: Transcript
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, transcript: Transcript) -> Conversation:
        """All that the kit did in a transcript."""
        return cls(transcript, tuple(_steps(transcript)))

    def without(self, steps: Iterable[Step]) -> Conversation:
        """The same with fewer steps; what those that remain wait for goes to the next one that is kept."""
        gone = {id(step) for step in steps}
        kept: list[Step] = []
        carried: tuple[Record, ...] = ()
        for step in self.steps:
            if id(step) in gone:
                carried += step.awaits
            else:
                kept.append(replace(step, awaits=carried + step.awaits) if carried else step)
                carried = ()
        return replace(self, steps=tuple(kept))

    @property
    def conns(self) -> list[str]:
        """The names of the connections, in the order in which they were opened."""
        return list(dict.fromkeys(step.conn for step in self.steps if step.kind == "open"))

    def talkers(self) -> frozenset[str]:
        """The connections on which something is done beyond opening them."""
        return frozenset(step.conn for step in self.steps if step.counts and step.conn)


def frames_sent(transcript: Transcript) -> int:
    """Frames that the kit wrote because a scenario wanted it, not by itself as every client does."""
    return sum(r.kind == "sent" and not r.data.get("auto") and "role" not in r.data for r in transcript)


def connections(transcript: Transcript) -> int:
    """How many connections were asked for."""
    return len({record.conn for record in transcript if record.kind == "open"})


def _steps(transcript: Transcript) -> Iterator[Step]:
    came: list[Record] = []
    last, waits = 0.0, 0.0
    for record in transcript:
        if _came(record):
            came.append(record)
        message = record.kind == "event" and record.data["kind"] == "message"
        if message or record.kind in ("handshake", "reply", "end"):
            last = record.t
        kind = _kind(record)
        if kind is None:
            continue
        gap = max(0.0, record.t - last)
        awaits, came = tuple(came), []
        pause = waits or (gap if kind != "statement" and gap >= PAUSE else 0.0)
        if pause:
            yield Step(record.index, "", "pause", {}, pause, awaits)
            gap, awaits = max(0.0, gap - pause), ()
        yield Step(record.index, record.conn, kind, record.data, gap, awaits)
        last = record.t
        waits = record.data.get("seconds", 0.0) if kind == "mark" else 0.0


def _came(record: Record) -> bool:
    """Whether something happened that a later step may depend on."""
    data = record.data
    if record.kind == "received":
        return bool(data["opcode"] == PONG)
    return record.kind in ("event", "reply", "end")


def _kind(record: Record) -> StepKind | None:
    """What kind of step the kit took in this record; None for what happened by itself."""
    data = record.data
    if record.kind == "sent":
        by_itself = data.get("auto") or "role" in data or "op" in data
        return None if by_itself else "frame"
    if record.kind == "local":
        return "token" if data["action"] == "token" else "local"
    if record.kind == "mark":
        if data.get("server") in OUTCOMES:
            return None
        return "server" if "server" in data else "mark"
    if record.kind == "open":
        return "open"
    if record.kind == "op":
        return "op"
    return "statement" if record.kind == "statement" else None


def said_by(conversation: Conversation) -> dict[str, list[int]]:
    """Which steps (by record) send each chat text that occurs in the transcript's messages and operations."""
    sources: dict[str, list[int]] = {}
    for step in conversation.steps:
        if step.kind == "op" and isinstance(step.data["args"].get("text"), str):
            sources.setdefault(step.data["args"]["text"], []).append(step.index)
    frames = [(step.index, step.data["text"]) for step in conversation.steps if step.kind == "frame" and _text(step)]
    if frames:
        for text in _texts(conversation.transcript):
            spelled = json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]
            for index, payload in frames:
                if len(text) > 3 and any(spelling in payload for spelling in spelled):
                    sources.setdefault(text, []).append(index)
    return sources


def _text(step: Step) -> bool:
    return "text" in step.data and step.data.get("opcode") in (0, 1)


def _texts(transcript: Transcript) -> set[str]:
    """The texts of all chat messages that came, and those that statements name."""
    found: set[str] = set()
    for record in transcript:
        if record.kind == "event" and record.data["kind"] == "message":
            text = record.data["fields"].get("text")
            found |= {text} if isinstance(text, str) else set()
        elif record.kind == "statement":
            texts = record.data["params"].get("texts")
            found |= {text for text in texts if isinstance(text, str)} if isinstance(texts, list) else set()
    return found
