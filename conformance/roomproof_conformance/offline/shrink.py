"""Reduces a conversation that breaks a check to one that still breaks it, for the same statement.

Connections and steps are left out by halves (delta debugging), and what remains is repeated against the server. A
smaller conversation counts when the check is broken there as well, and is not at a server that keeps the sentence
(the control): what a statement presupposes may be among the things left out, and only a right server can tell that
from a fault. Without a control only what came after the broken statement is left out. A watch
holds of every conversation and needs no control.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from roomproof_conformance.judges import Judge, evaluate, judge_named
from roomproof_conformance.judging import judge_case, judge_statements, statements
from roomproof_conformance.transcript import Transcript
from roomproof_conformance.verdicts import Conclusion, Verdict

from .conversation import Conversation, Step, connections, frames_sent
from .place import Place
from .rejudging import BROKEN, broken, level
from .renaming import CONNS, EVENTS, INDEX
from .replay import Options, repeat

Key = frozenset[tuple[int, str]]

AT_ONCE = 4
"""How many smaller conversations are tried side by side."""

ROUNDS = 3
"""How often connections and steps are gone through: fewer of the one may make more of the other superfluous."""


class NotShrunk(Exception):
    """Why there is no smaller conversation to show: one clear line."""


@dataclass(frozen=True)
class Aim:
    """What must stay broken: a statement of the transcript, or a watch."""

    check: str
    index: int | None  # the statement's record; None for a watch
    watch: Callable[[], Judge] | None = None
    later: bool = False  # it held when it was stated, and was broken by what followed

    @classmethod
    def of(cls, transcript: Transcript, check: str | None = None) -> Aim:
        """The broken statement of `check`, or of the first broken check. Raises NotShrunk when there is none."""
        from roomproof_conformance import checks

        found = broken(transcript)
        watches = {watch.check.id: watch for watch in checks.load()[1]}
        names = [check] if check else sorted(found, key=lambda name: name in watches)
        if not names or names[0] not in found:
            raise NotShrunk(f"the transcript does not break {check}" if check else "the transcript breaks no check")
        name = names[0]
        if name in watches:
            return cls(name, None, watches[name].judge)
        for record, judged in zip(statements(transcript), judge_statements(transcript), strict=True):
            if judged == found[name].judged:
                judge = judge_named(record.data["judge"], record.data["params"])
                before = evaluate(judge, transcript.records[: record.index])
                return cls(name, record.index, later=before.outcome != "broken")
        raise NotShrunk(f"{name}: the statement that is broken is not in the transcript")


@dataclass
class Shrunk:
    """The smallest conversation that was found, as it went."""

    aim: Aim
    transcript: Transcript
    conclusion: Conclusion
    before: tuple[int, int]  # frames and connections of the file
    tried: int  # conversations
    notes: list[str]

    @property
    def frames(self) -> int:
        return frames_sent(self.transcript)

    @property
    def connections(self) -> int:
        return connections(self.transcript)


async def shrink(
    transcript: Transcript,
    place: Place,
    *,
    check: str | None = None,
    control: Place | None = None,
    seconds: float = 60.0,
) -> Shrunk:
    """The smallest conversation found within about `seconds`.

    Raises NotShrunk when the transcript breaks nothing, or its repetition does not; TargetError without a server.
    """
    aim = Aim.of(transcript, check)
    return await _Shrinker(transcript, aim, place, control, time.monotonic() + seconds).run()


class _Shrinker:
    def __init__(self, transcript: Transcript, aim: Aim, place: Place, control: Place | None, deadline: float) -> None:
        self._whole = Conversation.of(transcript)
        self._aim = aim
        self._place = place
        self._control = None if aim.watch else control
        self._deadline = deadline
        self._failed: list[Conversation] = []  # smaller and smaller
        self._known: dict[Key, Transcript | None] = {}  # how a conversation went that failed
        self._tried = 0
        self._notes: list[str] = []
        self._free = aim.watch is not None or control is not None
        alone = place.settings.get("per_address") or any(step.kind == "server" for step in self._whole.steps)
        self._at_once = 1 if alone else AT_ONCE

    async def run(self) -> Shrunk:
        current = self._cut(self._whole)
        if not await self._fails(current):
            current = await self._retry(current)
        self._failed.append(current)
        for _ in range(ROUNDS if self._free else 0):
            size = len(current.steps)
            current = await self._less(current, _by_connection)
            current = await self._less(current, _by_step)
            if len(current.steps) == size:
                break
        return await self._confirmed()

    async def _confirmed(self) -> Shrunk:
        """The smallest that is broken also when it is given all the time of the file."""
        before = frames_sent(self._whole.transcript), connections(self._whole.transcript)
        for conversation in reversed(self._failed):
            transcript = self._known[_key(conversation)]
            if await self._ready(self._place):
                transcript = await self._repeated(conversation, self._place, patient=True)
            else:
                self._notes.append(
                    "the server did not survive: this is how it went, and it could not be tried once more"
                )
            conclusion = self._conclusion(transcript) if transcript is not None else None
            if transcript is not None and conclusion is not None and conclusion.verdict in BROKEN:
                return Shrunk(self._aim, transcript, conclusion, before, self._tried, self._notes)
        raise NotShrunk(f"{self._aim.check}: with all the time of the file the conversation does not break it")

    async def _retry(self, current: Conversation) -> Conversation:
        """Once more, alone on a fresh server: an earlier try may have harmed it."""
        self._known.clear()
        if await self._place.fresh() and await self._fails(current):
            return current
        raise NotShrunk(f"{self._aim.check}: repeated, the conversation does not break it")

    # -- what may go ----------------------------------------------------------------------------------------

    def _cut(self, conversation: Conversation) -> Conversation:
        """Without what comes after the statement is broken, and without statements that are not needed."""
        aim = self._aim.index
        if aim is None:
            return conversation.without(s for s in conversation.steps if s.kind == "statement")
        gone = [
            step
            for step in conversation.steps
            if (step.index > aim and not self._aim.later)
            or (step.kind == "statement" and step.index != aim and step.data["role"] != "given")
        ]
        return conversation.without(gone)

    async def _less(
        self, current: Conversation, units: Callable[[Conversation], list[tuple[Step, ...]]]
    ) -> Conversation:
        """Leave out unit after unit, by halves, quarters and so on, as long as the rest fails."""
        pieces = 2
        while time.monotonic() < self._deadline:
            parts = units(current)
            if not parts:
                break
            pieces = min(pieces, len(parts))
            chunks = [parts[len(parts) * i // pieces : len(parts) * (i + 1) // pieces] for i in range(pieces)]
            tries = [self._tidy(current.without(step for part in chunk for step in part)) for chunk in chunks]
            smaller = await self._first([one for one in reversed(tries) if one is not None])
            if smaller is not None:
                current = smaller
                self._failed.append(current)
                pieces = max(pieces - 1, 2)
            elif pieces >= len(parts):
                break
            else:
                pieces *= 2
        return current

    def _tidy(self, conversation: Conversation) -> Conversation | None:
        """Without connections on which nothing is done and statements about what is gone; None when the aim goes."""
        stated = [step for step in conversation.steps if step.kind == "statement"]
        aim = next((step for step in stated if step.index == self._aim.index), None)
        named = frozenset(_words(aim.data["params"])) if aim else frozenset[str]()
        busy = conversation.talkers() | named
        kept = {step.index for step in conversation.steps if step.kind != "pause"}
        gone = [s for s in conversation.steps if s.kind == "open" and s.conn not in busy]
        fallen = [s for s in stated if not _stands(s.data["params"], kept, busy)]
        if aim in fallen:
            return None
        return conversation.without([*gone, *fallen])

    async def _first(self, tries: Sequence[Conversation]) -> Conversation | None:
        """The first of them that fails."""
        for at in range(0, len(tries), self._at_once):
            if time.monotonic() > self._deadline:
                return None
            batch = tries[at : at + self._at_once]
            for one, fails in zip(batch, await self._fail_together(batch), strict=True):
                if fails:
                    return one
        return None

    async def _fail_together(self, batch: Sequence[Conversation]) -> list[bool]:
        """Try them side by side; one by one on fresh servers where one of them has brought the server down."""
        found = await asyncio.gather(*(self._fails(one) for one in batch))
        if len(batch) == 1 or not any(found) or not self._place.starts or not await self._place.trouble():
            return list(found)
        self._notes.append("the server did not survive; its conversations were tried one by one")
        self._at_once = 1
        self._known.clear()
        alone = []
        for one in batch:
            await self._place.fresh()
            alone.append(await self._fails(one))
            if alone[-1]:
                break
        return alone + [False] * (len(batch) - len(alone))

    # -- whether it fails --------------------------------------------------------------------------------------

    async def _fails(self, conversation: Conversation) -> bool:
        key = _key(conversation)
        if key not in self._known:
            self._known[key] = await self._try(conversation)
        return self._known[key] is not None

    async def _try(self, conversation: Conversation) -> Transcript | None:
        """How the conversation went, if it failed as it should."""
        self._tried += 1
        if self._at_once == 1 and not await self._ready(self._place):
            return None
        transcript = await self._repeated(conversation, self._place)
        conclusion = self._conclusion(transcript)
        if conclusion is None or conclusion.verdict not in BROKEN:
            return None
        if self._control is not None:
            if self._at_once == 1:
                await self._ready(self._control)
            right = self._conclusion(await self._repeated(conversation, self._control))
            if right is None or right.verdict not in (Verdict.PASS, Verdict.TOLERATED):
                return None
        return transcript

    async def _ready(self, place: Place) -> bool:
        """Whether newcomers can talk there; started anew where that helps and is possible."""
        return not await place.trouble() or await place.fresh()

    async def _repeated(self, conversation: Conversation, place: Place, *, patient: bool = False) -> Transcript:
        later = self._aim.index if self._aim.later else None
        options = Options((self._aim.check,), whole=False, patient=patient, watch=self._aim.watch, later=later)
        return await repeat(conversation, place, options)

    def _conclusion(self, transcript: Transcript) -> Conclusion | None:
        """What the repetition makes of the aim; None where it does not come to it."""
        if self._aim.watch is not None:
            return broken(transcript).get(self._aim.check)
        if not any(r.kind == "statement" and r.data["role"] != "given" for r in transcript):
            return None
        return judge_case(transcript, [self._aim.check], level)[self._aim.check]


def _key(conversation: Conversation) -> Key:
    return frozenset((step.index, step.kind) for step in conversation.steps)


def _by_connection(conversation: Conversation) -> list[tuple[Step, ...]]:
    """All steps of one connection belong together."""
    found: dict[str, list[Step]] = {}
    for step in conversation.steps:
        if step.conn:
            found.setdefault(step.conn, []).append(step)
    return [tuple(steps) for steps in found.values()]


def _by_step(conversation: Conversation) -> list[tuple[Step, ...]]:
    return [(step,) for step in conversation.steps if step.counts]


def _stands(params: Any, kept: set[int], conns: frozenset[str]) -> bool:
    """Whether the steps and connections that a statement speaks of are still there."""
    indices = all(value in kept for name, value in params.items() if name in INDEX - EVENTS and isinstance(value, int))
    return indices and all(value in conns for name, value in params.items() if name in CONNS and value)


def _words(value: Any) -> list[str]:
    """The strings directly in parameters, and in lists among them: connections are named there."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [word for inner in value.values() if isinstance(inner, str | list) for word in _words(inner)]
    return (
        [word for inner in value if isinstance(inner, str) for word in _words(inner)] if isinstance(value, list) else []
    )
