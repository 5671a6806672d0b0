"""The verdicts, and how findings become one.

Never a bare "skipped": every verdict that is no judgement carries a typed reason.
Knows neither scenarios nor reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal


class Verdict(StrEnum):
    """What is said of a check; ordered by how much a reader must care (see `SEVERITY`)."""

    PASS = "pass"
    FAIL = "fail"  # a MUST is broken
    WARN = "warn"  # a SHOULD is broken
    TOLERATED = "tolerated"  # an allowed variant
    INFO = "info"
    NOT_APPLICABLE = "not-applicable"  # not claimed by the target
    NOT_JUDGED = "not-judged"  # could not be brought about
    INCONCLUSIVE = "inconclusive"  # clock or link too noisy
    KIT_ERROR = "kit-error"  # our bug


SEVERITY: Mapping[Verdict, int] = {
    verdict: rank
    for rank, verdict in enumerate(
        (
            Verdict.NOT_APPLICABLE,
            Verdict.INFO,
            Verdict.PASS,
            Verdict.TOLERATED,
            Verdict.NOT_JUDGED,
            Verdict.INCONCLUSIVE,
            Verdict.WARN,
            Verdict.KIT_ERROR,
            Verdict.FAIL,
        )
    )
}


class Reason(StrEnum):
    """Why a check has no judgement."""

    NOT_CLAIMED = "not-claimed"  # the target does not offer this
    NEEDS_HOOK = "needs-hook"  # a command of the hook file is missing
    NEEDS_NODES = "needs-nodes"  # one node was named, and the row speaks of several
    NEEDS_SETTING = "needs-setting"  # the target could not be set so
    TOO_LONG = "too-long"  # left out by --without-long-waits or --quick
    SETUP_FAILED = "setup-failed"  # what the sentence presupposes did not come about
    FLOODED = "flooded"  # it wrote more than the kit keeps
    TARGET_DEAD = "target-dead"  # an earlier case had ended the server
    BUDGET = "budget"  # the target's claimed limits do not leave room for it
    NOISE = "noise"
    INTERRUPTED = "interrupted"
    NOTHING_SEEN = "nothing-seen"  # nothing of the kind occurred in the run
    CRASH = "crash"  # the kit's own exception


Outcome = Literal["holds", "broken", "unclear", "tolerated"]


Role = Literal["given", "must", "should"]
"""What a statement is: presupposed, what the row demands at its own level, or the SHOULD within a row of MUST."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a judge found of one statement, with the records that show it."""

    outcome: Outcome
    expected: str
    seen: str
    evidence: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement together with its finding."""

    check: str
    role: Role
    sentence: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Conclusion:
    verdict: Verdict
    reason: Reason | None = None
    explanation: str = ""
    judged: Judged | None = None  # the statement that decided


def conclude(level: str, judged: Iterable[Judged]) -> Conclusion:
    """Fold the judged statements of one check into its verdict.

    `level` is that of the row; a statement of the role `should` is a SHOULD whatever that says. A broken or unclear
    `given` means that the sentence was never put to the test; a check in which nothing was stated of the target
    is our bug, so that nothing can pass by vacuity.
    """
    judged = list(judged)
    stated = [j for j in judged if j.role != "given"]
    for j in sorted(stated, key=lambda j: j.role):  # a broken MUST decides before a broken SHOULD
        if j.finding.outcome == "broken":
            return Conclusion(Verdict.FAIL if level == "MUST" and j.role == "must" else Verdict.WARN, judged=j)
    for j in judged:
        if j.role == "given" and j.finding.outcome == "broken":
            explanation = f"{j.sentence}: expected {j.finding.expected}; seen: {j.finding.seen}"
            return Conclusion(Verdict.NOT_JUDGED, Reason.SETUP_FAILED, explanation, j)
    for j in judged:
        if j.finding.outcome == "unclear":
            return Conclusion(Verdict.INCONCLUSIVE, Reason.NOISE, j.finding.seen, j)
    if not stated:
        return Conclusion(
            Verdict.KIT_ERROR, Reason.CRASH, "the scenario ended without a single statement about the target"
        )
    for j in stated:
        if j.finding.outcome == "tolerated":
            return Conclusion(Verdict.TOLERATED, explanation=j.finding.seen, judged=j)
    return Conclusion(Verdict.PASS)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a requirement from those of its checks."""
    return max(verdicts, key=lambda verdict: SEVERITY[verdict], default=Verdict.NOT_JUDGED)


def as_json(conclusion: Conclusion) -> dict[str, Any]:
    finding = conclusion.judged.finding if conclusion.judged else None
    return {
        "verdict": conclusion.verdict.value,
        "reason": conclusion.reason.value if conclusion.reason else None,
        "explanation": conclusion.explanation,
        "statement": conclusion.judged.sentence if conclusion.judged else None,
        "expected": finding.expected if finding else None,
        "seen": finding.seen if finding else None,
        "evidence": list(finding.evidence) if finding else [],
    }
