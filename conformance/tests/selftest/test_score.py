"""The score of a table of liars: figures and bars."""

from __future__ import annotations

from datetime import UTC, datetime

from roomproof_conformance.results import CheckResult, RunResult
from roomproof_conformance.selftest import Liar, Row, as_json, bars, lines
from roomproof_conformance.verdicts import Conclusion, Verdict


def row(requirement: str, *reds: str, may_also: tuple[str, ...] = (), stated: Verdict = Verdict.PASS) -> Row:
    """A liar of which these requirements turned red; its own is `stated` where it is none of them."""
    verdicts = {requirement: stated} | dict.fromkeys(reds, Verdict.FAIL)
    result = RunResult("liar", "roomproof.v1", "1", datetime.now(UTC))
    result.results = [
        CheckResult(f"{name}.x", name, name.partition("-")[0], "MUST", "", "", Conclusion(verdict))
        for name, verdict in verdicts.items()
    ]
    liar = Liar(f"{requirement.lower()}-lies", requirement, "messages", "It lies.", dict.fromkeys(may_also, "because"))
    return Row(liar, result)


def held(rows: list[Row]) -> list[bool]:
    return [bar.held for bar in bars(rows)]


def test_every_bar_holds_where_all_are_caught_for_the_reason() -> None:
    rows = [row("MSG-1", "MSG-1", "MSG-2", may_also=("MSG-2",)), row("HIST-8", "HIST-8")]
    assert held(rows) == [True, True, True, True]
    assert rows[0].unrelated == ()


def test_one_must_that_is_not_caught_breaks_its_bar() -> None:
    rows = [row("MSG-1", "MSG-1") for _ in range(99)]
    assert held([*rows, row("MSG-1")])[0] is False
    assert held([*rows, row("MSG-1")])[2] is True  # 99 of 100 for the reason


def test_what_is_inconclusive_is_not_caught() -> None:
    assert not row("MSG-1", stated=Verdict.INCONCLUSIVE).caught


def test_one_should_in_twenty_may_be_missed() -> None:
    should = [row("BEAT-9", "BEAT-9") for _ in range(19)]
    assert held([*should, row("BEAT-9")])[1] is True
    assert held([*should, row("BEAT-9"), row("BEAT-9")])[1] is False


def test_caught_for_another_reason_only() -> None:
    rows = [row("MSG-1", "ROOM-1")]
    assert rows[0].caught
    assert not rows[0].for_the_reason
    assert held(rows) == [True, True, False, True]
    assert "MSG-1.x: pass" in lines(rows)[1]


def test_unrelated_reds_are_bounded_for_each_and_by_their_median() -> None:
    assert held([row("MSG-1", "MSG-1", "ROOM-1", "ROOM-2", "ROOM-3"), *[row("MSG-1", "MSG-1")] * 2])[3] is True
    assert (
        held([row("MSG-1", "MSG-1", "ROOM-1", "ROOM-2", "ROOM-3", "ROOM-4"), *[row("MSG-1", "MSG-1")] * 9])[3] is False
    )
    assert held([row("MSG-1", "MSG-1", "ROOM-1", "ROOM-2")] * 2)[3] is False


def test_the_figures_for_files_say_what_was_missed() -> None:
    figures = as_json([row("MSG-1", "MSG-1"), row("MSG-2")], wall=12.34, jobs=3)
    assert (figures["liars"], figures["caught"], figures["for_the_reason"], figures["wall_seconds"]) == (2, 1, 1, 12.3)
    assert [entry.get("stated") for entry in figures["table"]] == [None, "MSG-2.x: pass"]
