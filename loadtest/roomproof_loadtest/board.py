"""One generator process's notes: figures of each second, violations with their stretch of transcript, what is judged.

Users tell it what they measure and hear; it feeds the judges, and gives a sample a second to whoever asks. Knows no
locust, no socket and no report.
"""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from roomproof_conformance.dialects import Claims, Dialect
from roomproof_conformance.events import Event
from roomproof_conformance.judges.live import Crowd, Violation

from .figures import Sheet

KEPT: Final = 25
"""Violations of one kind that are kept with their transcript; all are counted."""
STRETCH: Final = 24
"""Frames of each connection that are remembered for a transcript."""
LONGEST: Final = 400
"""Characters of a frame in it."""


def clock_name() -> str:
    """A word for this machine's monotonic clock, which all its processes share."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().replace("-", "")
    except OSError:
        return f"p{os.getpid():x}"
    return boot[:6]


class Board:
    """See the module."""

    def __init__(self, dialect: Dialect, *, patience: float, violated: Callable[[Violation], None]) -> None:
        self.clock = clock_name()
        self._violated = violated
        acks = any(rule.kind == "ack" for rule in dialect.rules)
        self.crowd = Crowd(self._found, echo=dialect.echo == "self", acks=acks, clock=self.clock, patience=patience)
        self.now = Sheet()
        self.total = Sheet()
        self.violations: list[dict[str, Any]] = []
        self.kinds: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self._frames: dict[str, deque[tuple[float, str, str]]] = {}
        self.began = time.monotonic()
        self.connections = 0
        self.forgive: list[tuple[float, float]] = []  # from, until: the server was down on purpose

    # -- what users tell ----------------------------------------------------------------------------

    def took(self, what: str, seconds: float) -> None:
        """A latency (connect, join, ack, delivery …)."""
        self.now.took(what, seconds * 1000.0)

    def count(self, what: str, by: int = 1) -> None:
        self.now.counts[what] += by

    def learned(self, claims: Claims) -> None:
        self.crowd.learned(claims)

    def frame(self, name: str, t: float, way: str, payload: str) -> None:
        """A frame went out (`>`) or came in (`<`), or something was noted (`!`)."""
        kept = self._frames.get(name)
        if kept is None:
            kept = self._frames[name] = deque(maxlen=STRETCH)
        kept.append((t, way, payload))

    def heard(self, name: str, event: Event) -> None:
        """An event that is no message: counted where it is an error."""
        if event.kind == "rate_limited":
            self.now.counts["refused:rate"] += 1
        elif event.kind == "error":
            self.now.counts[f"error:{str(event.code or 'error')[:40]}"] += 1
        elif event.kind == "unclassified":
            self.now.counts["unclassified"] += 1
            if len(self.notes) < 20:
                self.notes[f"unclassified: {str(event.tree)[:160]}"] += 1

    # -- violations -----------------------------------------------------------------------------------

    def found(self, violation: Violation) -> None:
        self._found(violation)

    def _found(self, violation: Violation) -> None:
        if violation.kind in ("dropped", "unanswered") and self.forgiven(violation.t):
            return
        self.kinds[violation.kind] += 1
        self.now.counts[f"violation:{violation.kind}"] += 1
        if self.kinds[violation.kind] <= KEPT:
            self.violations.append({**violation.as_json(), "transcript": self._stretch(violation)})
        self._violated(violation)

    def forgiven(self, t: float) -> bool:
        """Whether the server was down on purpose at that time."""
        return any(begin <= t <= end for begin, end in self.forgive)

    def _stretch(self, violation: Violation) -> list[dict[str, Any]]:
        """The last frames of the connections concerned, in the order of time."""
        names = {violation.conn, *([violation.other] if violation.other else [])}
        lines = [
            {"t": round(t, 6), "conn": name, "way": way, "text": text[:LONGEST], "length": len(text)}
            for name in names
            for t, way, text in self._frames.get(name, ())
        ]
        return sorted(lines, key=lambda line: line["t"])

    def forget(self, name: str) -> None:
        """A user is gone for good."""
        self._frames.pop(name, None)

    # -- samples --------------------------------------------------------------------------------------

    def sample(self, users: int) -> dict[str, Any]:
        """What was counted since the last one, as JSON; the totals grow by it."""
        sheet, self.now = self.now, Sheet()
        self.total.merge(sheet)
        return {"t": time.time(), "users": users, "connections": self.connections, **sheet.as_json()}

    def final(self) -> dict[str, Any]:
        """All in all, for the result of the run."""
        self.total.merge(self.now)
        self.now = Sheet()
        return {
            "pid": os.getpid(),
            **self.total.as_json(),
            "violations": self.violations,
            "kinds": dict(self.kinds),
            "notes": dict(self.notes.most_common(20)),
            "clock_offset": time.time() - time.monotonic(),
        }
