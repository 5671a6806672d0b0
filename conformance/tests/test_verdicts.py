"""How findings become a verdict."""

from __future__ import annotations

import pytest

from roomproof_conformance.verdicts import Finding, Judged, Outcome, Reason, Verdict, conclude, worst


def judged(role: str, outcome: Outcome) -> Judged:
    return Judged("X-1.y", role, "it does", Finding(outcome, "this", "that"))  # type: ignore[arg-type]  # parametrised


@pytest.mark.parametrize(
    ("level", "statements", "verdict"),
    [
        ("MUST", [("must", "holds")], Verdict.PASS),
        ("MUST", [("must", "holds"), ("must", "broken")], Verdict.FAIL),
        ("SHOULD", [("must", "broken")], Verdict.WARN),
        ("MUST", [("given", "broken"), ("must", "holds")], Verdict.NOT_JUDGED),
        ("MUST", [("given", "broken"), ("must", "broken")], Verdict.FAIL),
        ("MUST", [("must", "unclear"), ("must", "holds")], Verdict.INCONCLUSIVE),
        ("MUST", [("given", "unclear"), ("must", "holds")], Verdict.INCONCLUSIVE),
        ("MUST", [("must", "tolerated"), ("must", "holds")], Verdict.TOLERATED),
        ("MUST", [("must", "holds"), ("should", "broken")], Verdict.WARN),
        ("MUST", [("should", "broken"), ("must", "broken")], Verdict.FAIL),
        ("MUST", [("given", "broken"), ("should", "broken")], Verdict.WARN),
        ("MUST", [("should", "unclear"), ("must", "holds")], Verdict.INCONCLUSIVE),
        ("MUST", [("should", "tolerated")], Verdict.TOLERATED),
        ("MUST", [("should", "holds")], Verdict.PASS),
        ("MUST", [("given", "holds")], Verdict.KIT_ERROR),
        ("MUST", [], Verdict.KIT_ERROR),
    ],
)
def test_conclude(level: str, statements: list[tuple[str, Outcome]], verdict: Verdict) -> None:
    assert conclude(level, [judged(role, outcome) for role, outcome in statements]).verdict is verdict


def test_what_is_not_judged_has_a_typed_reason() -> None:
    conclusion = conclude("MUST", [judged("given", "broken")])
    assert conclusion.reason is Reason.SETUP_FAILED
    assert "that" in conclusion.explanation


def test_worst() -> None:
    assert worst([Verdict.PASS, Verdict.WARN, Verdict.INCONCLUSIVE]) is Verdict.WARN
    assert worst([Verdict.FAIL, Verdict.KIT_ERROR]) is Verdict.FAIL
    assert worst([]) is Verdict.NOT_JUDGED
