"""A quick run: decided by what scenarios declare, and it says what it leaves out."""

from __future__ import annotations

from roomproof_conformance import hooks, quick
from roomproof_conformance.checks import Check, Scenario, load
from roomproof_conformance.dialects import load as load_dialect
from roomproof_conformance.results import CheckResult
from roomproof_conformance.run import SHORT_TIMERS, Plan, Runner
from roomproof_conformance.verdicts import Conclusion, Reason, Verdict


async def nothing(case: object) -> None:
    """Nothing."""


def declared(**options: object) -> Scenario:
    return Scenario(nothing, (Check("ROOM-3.made-up", "made up"),), **options)  # type: ignore[arg-type]  # of a test


def test_what_must_be_started_or_run_by_itself_or_waits_is_left_out() -> None:
    assert quick.left_out(declared(), 0.0) == ""
    assert quick.left_out(declared(), quick.LONGEST) == ""
    assert "must wait" in quick.left_out(declared(), quick.LONGEST + 0.1)
    assert "server of its own" in quick.left_out(declared(own_server=True), 0.0)
    assert "server of its own" in quick.left_out(declared(settings={"hello_ms": 1}), 0.0)
    assert "commands of the hook file" in quick.left_out(declared(hooks=frozenset({"token"})), 0.0)
    assert "connections at once" in quick.left_out(declared(conns=quick.MOST + 1), 0.0)
    assert "by itself" in quick.left_out(declared(hostile=True), 0.0)
    assert "by itself" in quick.left_out(declared(alone=True), 0.0)


def test_before_a_target_is_known_waits_are_told_of_with_a_where() -> None:
    assert quick.declared(declared()) == ""
    assert "by itself" in quick.declared(declared(hostile=True, waits=lambda _: 1.0))
    assert quick.declared(declared(waits=lambda _: 0.0)).startswith("where it must wait")


def result(check: str, verdict: Verdict, why: str = "") -> CheckResult:
    reason = Reason.TOO_LONG if why else None
    row = check.partition(".")[0]
    return CheckResult(check, row, "ROOM", "MUST", "title", "sentence", Conclusion(verdict, reason, why))


def test_the_notes_name_rows_left_out_entirely_by_reason_and_those_left_out_in_part() -> None:
    assert quick.notes([result("ROOM-1.a", Verdict.PASS), result("ROOM-2.a", Verdict.NOT_APPLICABLE)]) == []
    told = quick.notes(
        [
            result("ROOM-1.a", Verdict.PASS),
            result("ROOM-1.b", Verdict.NOT_JUDGED, "must wait"),
            result("ROOM-2.a", Verdict.NOT_JUDGED, "must wait"),
            result("ROOM-3.a", Verdict.NOT_JUDGED, "own server"),
            result("ROOM-3.b", Verdict.NOT_APPLICABLE),
            result("ROOM-4.a", Verdict.NOT_JUDGED, "must wait"),
        ]
    )
    assert told == [
        "left out by --quick (must wait): ROOM-2, ROOM-4",
        "left out by --quick (own server): ROOM-3",
        "left out by --quick in part: ROOM-1",
    ]


async def test_a_quick_run_judges_the_rest_and_every_row_is_judged_or_named() -> None:
    plan = Plan(
        load_dialect("native"),
        hooks=hooks.load("reference"),
        settings=SHORT_TIMERS,
        only=("ROOM-*", "BEAT-*"),
        quick=True,
    )
    runner = Runner(plan)
    try:
        found = await runner.run()
    finally:
        await runner.stop_all()
    assert found.longest_wait <= quick.LONGEST
    assert found.having(Verdict.PASS)
    by_check = {check.id: s for s in load()[0] for check in s.checks}
    for check in found.results:
        if check.conclusion.reason is Reason.TOO_LONG:
            assert check.check in by_check
            row = check.requirement
            assert any(f" {row}" in note for note in found.notes), row
    for transcript in found.transcripts.values():
        waits = [r.data["name"] for r in transcript if r.kind == "mark" and r.data["name"].startswith("waiting ")]
        assert sum(float(wait.split()[1]) for wait in waits) <= quick.LONGEST, waits
    beats = next(note for note in found.notes if "must wait" in note)
    assert "BEAT-5" in beats
    assert not any(r.case for r in found.results if r.conclusion.reason is Reason.TOO_LONG)
