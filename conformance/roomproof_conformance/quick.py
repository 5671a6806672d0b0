"""What `--quick` leaves out, by what scenarios declare: their waits, and what must be started or run by itself.

Knows no check by its id.
"""

from __future__ import annotations

from collections.abc import Iterable

from .checks import Scenario
from .results import CheckResult
from .verdicts import Reason, Verdict

LONGEST = 0.2
"""Seconds that a case of a quick run may be bound to wait."""

NOTE = "left out by --quick"
"""How its notes begin; reports for people tell the same under the reason and leave these out."""

MOST = 10
"""Connections that a case of a quick run may hold at once."""


def left_out(scenario: Scenario, planned: float) -> str:
    """Why a scenario that must wait `planned` seconds has no place in a quick run; empty when it has one."""
    if scenario.apart or scenario.disturbs:
        return "needs a server of its own"
    if scenario.hooks:
        return "runs commands of the hook file"
    if scenario.hostile:
        return "may bring the server down, so runs by itself"
    if scenario.alone:
        return "touches something global, so runs by itself"
    if scenario.conns > MOST:
        return f"holds more than {MOST} connections at once"
    return f"must wait longer than {LONGEST:g} s" if planned > LONGEST else ""


def declared(scenario: Scenario) -> str:
    """The same before any target is known: whether its waits are too long hangs on what the target claims."""
    return left_out(scenario, 0.0) or (f"where it must wait longer than {LONGEST:g} s" if scenario.waits else "")


def notes(results: Iterable[CheckResult]) -> list[str]:
    """One line for each reason with the requirements left out by it entirely, and one with those left out in part.

    A requirement with several reasons stands under the first of them.
    """
    rows: dict[str, list[CheckResult]] = {}
    for result in results:
        if result.verdict is not Verdict.NOT_APPLICABLE:
            rows.setdefault(result.requirement, []).append(result)
    whole: dict[str, list[str]] = {}
    part: list[str] = []
    for row, checks in rows.items():
        reasons = [check.conclusion.explanation for check in checks if check.conclusion.reason is Reason.TOO_LONG]
        if reasons and all(check.verdict is Verdict.NOT_JUDGED for check in checks):
            whole.setdefault(reasons[0], []).append(row)
        elif reasons:
            part.append(row)
    lines = [f"{NOTE} ({why}): {', '.join(ids)}" for why, ids in whole.items()]
    return [*lines, *([f"{NOTE} in part: {', '.join(part)}"] if part else [])]
