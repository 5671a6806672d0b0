"""The interval oracle of rate limits: sound whatever the network did (protocol-v1, section 6).

Of an attempt only the moment before sending (s) and the moment its outcome was known (r) are
certain; the server decided somewhere between. Every judge here draws only what follows from that.
A server without acknowledgements admits what any client of the case receives; refusals without a
reference belong to the oldest attempt of their connection that is still open.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from roomproof_conformance.events import Event
from roomproof_conformance.transcript import Record
from roomproof_conformance.verdicts import Finding, Outcome

from .base import Judge

GRAIN = 0.025
"""Seconds of timer grain and of clocks that run at different rates: the only tolerance (section 6, e)."""


@dataclass(slots=True)
class Attempt:
    """One `send`: outcome `refused` means for its rate, `open` not known.

    `other` is refused for anything else, or a duplicate: that is answered and no message (RATE-9).
    """

    op: int
    conn: str
    user: str
    text: str
    s: float
    r: float | None = None
    outcome: Literal["admitted", "refused", "other", "open"] = "open"
    retry_after: float | None = None
    evidence: int | None = None
    scope: str | None = None  # of a refusal: whose rate it was


class Attempts:
    """Follows the sends of a case to their outcomes."""

    def __init__(self) -> None:
        self.all: list[Attempt] = []
        self._by_op: dict[int, Attempt] = {}
        self._by_text: dict[str, list[Attempt]] = defaultdict(list)
        self._open: dict[str, list[Attempt]] = defaultdict(list)
        self._events: dict[int, Event] = {}
        self._beats: dict[str, float] = {}
        self.last = 0.0

    def step(self, record: Record) -> None:
        self.last = record.t
        if record.kind == "op" and record.data["op"] == "send":
            args = record.data["args"]
            attempt = Attempt(record.index, record.conn, record.data.get("user", record.conn), args["text"], record.t)
            self.all.append(attempt)
            self._by_op[record.index] = attempt
            self._by_text[attempt.text].append(attempt)
            self._open[record.conn].append(attempt)
        elif record.kind == "sent" and "role" in record.data:
            self._beats[record.conn] = record.t
        elif record.kind == "event":
            self._event(record)
        elif record.kind == "reply" and record.data["op"] in self._by_op:
            self._reply(record)

    def _event(self, record: Record) -> None:
        kind = record.data["kind"]
        if kind == "message":
            same = self._by_text.get(str(record.data["fields"].get("text")), [])
            attempt = next((a for a in same if a.outcome in ("open", "admitted")), None)
            if attempt is not None and attempt.outcome == "open":
                self._settle(attempt, "admitted", record)
        elif kind in ("ack", "rate_limited", "error"):
            self._events[record.index] = record.event
            if kind == "ack" or record.data["fields"].get("ref") is not None:
                return
            if kind == "rate_limited" or not self._may_answer_a_beat(record):
                waiting = [a for a in self._open[record.conn] if a.outcome == "open"]
                if waiting:
                    self._settle(waiting[0], "refused" if kind == "rate_limited" else "other", record)

    def _may_answer_a_beat(self, record: Record) -> bool:
        """An error without reference may mean the kit's own heartbeat frame: some servers refuse what they ask for."""
        beat = self._beats.pop(record.conn, None)
        return beat is not None and record.t - beat < 1.0

    def _reply(self, record: Record) -> None:
        attempt = self._by_op[record.data["op"]]
        index = record.data.get("event")
        if index is None or (attempt.outcome != "open" and record.data["ok"]):
            return
        event = self._events.get(index)
        if event is not None and event.fields.get("duplicate") is True:
            self._settle(attempt, "other", record)
        elif record.data["ok"]:
            self._settle(attempt, "admitted", record)
        elif event is not None and event.kind == "rate_limited":
            self._settle(attempt, "refused", record)
            attempt.scope = event.fields.get("scope")
            wait = event.fields.get("retry_after_ms")
            attempt.retry_after = wait / 1000 if isinstance(wait, int | float) else None
        else:
            self._settle(attempt, "other", record)

    def _settle(self, attempt: Attempt, outcome: Literal["admitted", "refused", "other"], record: Record) -> None:
        attempt.outcome, attempt.r, attempt.evidence = outcome, record.t, record.index
        self._open[attempt.conn] = [a for a in self._open[attempt.conn] if a is not attempt]


def chosen(attempts: Iterable[Attempt], ops: list[int]) -> list[Attempt]:
    """The attempts that a statement speaks of (all when it names none)."""
    wanted = set(ops)
    return [a for a in attempts if not ops or a.op in wanted]


def standing(attempt: Attempt, attempts: Iterable[Attempt], per: float) -> list[Attempt]:
    """Those of the attempts that were admitted and can stand in the window of one that was refused (`per` seconds)."""
    until, since = attempt.r or attempt.s, attempt.s - per - GRAIN
    return [a for a in attempts if a.outcome == "admitted" and a.s < until and (a.r or 0.0) > since]


@dataclass
class _Rate(Judge):
    """`allow` messages per `per` seconds; `ops` names the attempts meant (all of the case when empty)."""

    allow: int = 5
    per: float = 1.0
    ops: list[int] = field(default_factory=list)
    _attempts: Attempts = field(default_factory=Attempts, init=False, repr=False)

    def step(self, record: Record) -> None:
        self._attempts.step(record)

    def settled(self) -> bool:
        mine = chosen(self._attempts.all, self.ops)
        return bool(mine) and all(a.outcome != "open" for a in mine)

    def _evidence(self, attempts: Iterable[Attempt]) -> tuple[int, ...]:
        return tuple(i for a in attempts for i in (a.op, a.evidence) if i is not None)[:16]


@dataclass
class AtMost(_Rate):
    """No `allow` + 1 of the attempts were surely admitted within `per` seconds (over-admission).

    The attempts must have put the limit to the test: with fewer than `allow` + 1 of them inside one window, unclear.
    """

    def end(self) -> Finding:
        expected = f"at most {self.allow} admitted in any {self.per:g} s"
        attempts = chosen(self._attempts.all, self.ops)
        admitted = [a for a in attempts if a.outcome == "admitted" and a.r is not None]
        most: list[Attempt] = []
        for first in admitted:
            inside = [a for a in admitted if a.s >= first.s and a.r is not None and a.r - first.s < self.per - GRAIN]
            if len(inside) > len(most):
                most = inside
        if len(most) > self.allow:
            span = max(a.r or 0.0 for a in most) - min(a.s for a in most)
            return Finding("broken", expected, f"{len(most)} admitted within {span:.3f} s", self._evidence(most))
        tested = any(
            sum(1 for a in attempts if first.s <= a.s and (a.r or a.s) - first.s < self.per - GRAIN) > self.allow
            for first in attempts
        )
        if not tested:
            return Finding("unclear", expected, f"{len(attempts)} attempts never came close enough together to tell")
        return Finding(
            "holds",
            expected,
            f"{len(admitted)} of {len(attempts)} admitted, {len(most)} in the fullest window",
        )


@dataclass
class BurstRefused(_Rate):
    """Of a burst by a user silent before, exactly `allow` are admitted and the rest is refused for its rate."""

    def end(self) -> Finding:
        attempts = chosen(self._attempts.all, self.ops)
        extra = len(attempts) - self.allow
        expected = f"{self.allow} admitted, {extra} refused for the rate"
        if not attempts:
            return Finding("unclear", expected, "nothing was sent")
        span = max(a.r if a.r is not None else self._attempts.last for a in attempts) - min(a.s for a in attempts)
        counts = {name: sum(a.outcome == name for a in attempts) for name in ("admitted", "refused", "other", "open")}
        seen = ", ".join(f"{n} {'without outcome' if name == 'open' else name}" for name, n in counts.items() if n)
        if counts["admitted"] == self.allow and counts["refused"] == extra:
            return Finding("holds", expected, seen, self._evidence(attempts))
        if counts["open"] == 0 and span >= self.per - GRAIN:
            return Finding("unclear", expected, f"{seen}; the burst took {span:.2f} s", self._evidence(attempts))
        if counts["refused"] > extra and counts["open"] == 0 and counts["other"] == 0:
            seen += ": fewer were admitted than allowed"
        return Finding("broken", expected, seen, self._evidence(attempts))


@dataclass
class MustAdmit(_Rate):
    """No attempt is refused for its rate while fewer than `allow` admissions could stand in its window."""

    def end(self) -> Finding:
        expected = f"an attempt with fewer than {self.allow} admissions in the {self.per:g} s before it is admitted"
        attempts = self._attempts.all
        mine = chosen(attempts, self.ops)
        if not mine or all(a.outcome == "open" for a in mine):
            return Finding("unclear", expected, "no attempt came to an outcome")
        users = {a.user for a in mine}
        theirs = [a for a in attempts if a.user in users]
        for attempt in mine:
            if attempt.outcome != "refused":
                continue
            before = standing(attempt, theirs, self.per)
            if len(before) < self.allow:
                seen = f"refused at {attempt.r:.3f} s with {len(before)} admissions that can stand in its window"
                return Finding("broken", expected, seen, self._evidence([*before, attempt]))
        stuck = [a for a in mine if a.outcome == "open"]
        if stuck:
            seen = f"{len(stuck)} of {len(mine)} attempts had no outcome in {self._attempts.last - stuck[0].s:.2f} s"
            return Finding("broken", expected, seen, self._evidence(stuck))
        refused = sum(a.outcome == "refused" for a in mine)
        return Finding("holds", expected, f"{len(mine)} attempts, {refused} refused, none wrongly")


@dataclass
class Paced(_Rate):
    """Attempts kept up for `seconds`: at least `allow` per window are admitted, however many are refused in between."""

    seconds: float = 0.0

    def end(self) -> Finding:
        attempts = chosen(self._attempts.all, self.ops)
        settled = [a for a in attempts if a.r is not None]
        if len(settled) < 2:
            return Finding("unclear", "an outcome of each attempt", f"{len(settled)} of {len(attempts)} settled")
        trip = max(a.r - a.s for a in settled if a.r is not None)
        gap = max((b.s - a.s for a, b in pairwise(attempts)), default=0.0)
        least = self.allow * int(self.seconds // (self.per + gap + trip + GRAIN))
        admitted = [a for a in attempts if a.outcome == "admitted"]
        expected = f"at least {least} of the attempts in {self.seconds:g} s admitted"
        seen = f"{len(admitted)} of {len(attempts)} admitted"
        if least <= self.allow:
            return Finding("unclear", expected, f"{seen}; the attempts were too few or too slow to tell")
        outcome: Outcome = "holds" if len(admitted) >= least else "broken"
        if outcome == "broken" and self.noise > self.per / 4:
            outcome = "unclear"
        return Finding(outcome, expected, seen, self._evidence(admitted[-3:] + attempts[-3:]))


@dataclass
class Late(Judge):
    """The message `text` reaches `conn` at least `least` seconds after record `after`: it was held back."""

    conn: str
    text: str
    after: int
    least: float
    _start: float = field(default=0.0, init=False)
    _came: Record | None = field(default=None, init=False)

    def step(self, record: Record) -> None:
        if record.index == self.after:
            self._start = record.t
        elif record.kind == "event" and record.conn == self.conn and self._came is None:
            event = record.event
            self._came = record if event.kind == "message" and event.text == self.text else None

    def settled(self) -> bool:
        return self._came is not None

    def end(self) -> Finding:
        expected = f"the last message no earlier than {self.least:.2f} s after the first was written"
        if self._came is None:
            return Finding("unclear", expected, "it did not come")
        took = self._came.t - self._start
        outcome: Outcome = "holds" if took >= self.least - GRAIN else "broken"
        return Finding(outcome, expected, f"it came after {took:.2f} s", (self.after, self._came.index))
