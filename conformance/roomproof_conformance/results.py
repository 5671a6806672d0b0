"""What a run found: the one model that every report is made from. Knows neither sockets nor reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from .transcript import Transcript
from .verdicts import Conclusion, Verdict, as_json, worst

FORMAT = 1
"""Version of the JSON report."""


@dataclass(frozen=True)
class Known:
    """What a file of known failures says of a check; `where` is that file and line, `until` an ISO date."""

    kind: Literal["failing", "flaky"]
    reason: str
    where: str
    until: str | None = None
    expired: bool = False  # `until` had passed when the run began


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
    known: Known | None = None

    @property
    def verdict(self) -> Verdict:
        return self.conclusion.verdict

    @property
    def stale(self) -> bool:
        """It passes, though a file says that it fails: the file must be put right."""
        passes = self.verdict in (Verdict.PASS, Verdict.TOLERATED)
        return passes and self.known is not None and self.known.kind == "failing"

    @property
    def excused(self) -> bool:
        """It is broken, or unsteady, as a file says that it is."""
        if self.known is None or self.known.expired:
            return False
        unsteady = self.known.kind == "flaky" and self.verdict is Verdict.INCONCLUSIVE
        return unsteady or self.verdict in (Verdict.FAIL, Verdict.WARN)

    @property
    def state(self) -> str:
        """What a report calls it: the verdict, or `stale`, `known-failing` or `known-flaky`."""
        if self.stale:
            return "stale"
        return f"known-{self.known.kind}" if self.known is not None and self.excused else self.verdict.value

    @property
    def red(self) -> bool:
        """Whether it alone makes the run a failed one."""
        return self.stale or (self.verdict is Verdict.FAIL and not self.excused)


@dataclass
class RunResult:
    """One run against one target."""

    target: str
    dialect: str
    version: str
    began: datetime
    results: list[CheckResult] = field(default_factory=list)
    transcripts: dict[str, Transcript] = field(default_factory=dict, repr=False)  # asyncio prints results
    wall: float = 0.0
    sum_of_waits: float = 0.0
    longest_wait: float = 0.0
    worst_lag: float = 0.0
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)  # dead servers, restarts, settings that could not be made
    killers: list[str] = field(default_factory=list)  # the cases after which the server had to be started anew
    unchecked: list[str] = field(default_factory=list)  # observable requirements that no check of this kit judges yet
    not_observable: list[str] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)  # where the transcripts were written, by case
    concealed: bool = False  # secrets are shortened (report.secrets)

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
        """0 conformant, 1 violation, 3 kit error, 4 nothing worse than inconclusive, 130 interrupted.

        A known failure is no violation; one that passes is.
        """
        if self.interrupted:
            return 130
        if any(result.red for result in self.results):
            return 1
        if self.having(Verdict.KIT_ERROR):
            return 3
        if any(not result.excused for result in self.having(Verdict.INCONCLUSIVE)):
            return 4
        judged = self.having(Verdict.PASS, Verdict.TOLERATED, Verdict.WARN, Verdict.FAIL)
        return 0 if judged else 3

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
            "killers": self.killers,
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
                    "known": _known(r),
                }
                for r in self.results
            ],
            "unchecked": self.unchecked,
            "not_observable": self.not_observable,
        }


def _known(check: CheckResult) -> dict[str, Any] | None:
    known = check.known
    if known is None:
        return None
    said = {"kind": known.kind, "reason": known.reason, "where": known.where, "until": known.until}
    return {**said, "stale": check.stale, "excused": check.excused}
