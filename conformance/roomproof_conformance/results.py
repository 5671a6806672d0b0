"""What a run found: the one model that every report is made from. Knows neither sockets nor reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .transcript import Transcript
from .verdicts import Conclusion, Verdict, as_json, worst

FORMAT = 1
"""Version of the JSON report."""


@dataclass(frozen=True)
class CheckResult:
    """The verdict of one check, with all that a reader needs to believe and to repeat it."""

    check: str
    requirement: str
    group: str
    level: str
    title: str
    sentence: str
    conclusion: Conclusion
    case: str | None = None  # key into RunResult.transcripts
    seconds: float = 0.0
    tries: int = 1
    repeat: str = ""  # the one command that repeats just this

    @property
    def verdict(self) -> Verdict:
        return self.conclusion.verdict


@dataclass
class RunResult:
    """One run against one target."""

    target: str
    dialect: str
    version: str
    began: datetime
    results: list[CheckResult] = field(default_factory=list)
    transcripts: dict[str, Transcript] = field(default_factory=dict)
    wall: float = 0.0
    sum_of_waits: float = 0.0
    longest_wait: float = 0.0
    worst_lag: float = 0.0
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)  # dead servers, restarts, settings that could not be made
    unchecked: list[str] = field(default_factory=list)  # observable requirements that no check of this kit judges yet
    not_observable: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Mapping[Verdict, int]:
        return Counter(result.verdict for result in self.results)

    def by_requirement(self) -> dict[str, Verdict]:
        """The worst verdict of each requirement that has a check."""
        found: dict[str, list[Verdict]] = {}
        for result in self.results:
            found.setdefault(result.requirement, []).append(result.verdict)
        return {requirement: worst(verdicts) for requirement, verdicts in found.items()}

    def having(self, *verdicts: Verdict) -> Sequence[CheckResult]:
        return [result for result in self.results if result.verdict in verdicts]

    @property
    def exit_code(self) -> int:
        """0 conformant, 1 violation, 3 kit error, 4 nothing worse than inconclusive, 130 interrupted."""
        if self.interrupted:
            return 130
        if self.having(Verdict.FAIL):
            return 1
        if self.having(Verdict.KIT_ERROR):
            return 3
        if not self.having(Verdict.PASS, Verdict.TOLERATED, Verdict.WARN):
            return 4 if self.having(Verdict.INCONCLUSIVE) else 3
        return 4 if self.having(Verdict.INCONCLUSIVE) else 0

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "target": self.target,
            "dialect": self.dialect,
            "version": self.version,
            "began": self.began.isoformat(timespec="seconds"),
            "wall_seconds": round(self.wall, 3),
            "sum_of_waits_seconds": round(self.sum_of_waits, 3),
            "longest_wait_seconds": round(self.longest_wait, 3),
            "worst_lag_seconds": round(self.worst_lag, 4),
            "interrupted": self.interrupted,
            "exit_code": self.exit_code,
            "notes": self.notes,
            "counts": {verdict.value: count for verdict, count in sorted(self.counts.items())},
            "checks": [
                {
                    "check": r.check,
                    "requirement": r.requirement,
                    "level": r.level,
                    "title": r.title,
                    "sentence": r.sentence,
                    **as_json(r.conclusion),
                    "seconds": round(r.seconds, 3),
                    "tries": r.tries,
                    "case": r.case,
                    "repeat": r.repeat,
                }
                for r in self.results
            ],
            "unchecked": self.unchecked,
            "not_observable": self.not_observable,
        }
